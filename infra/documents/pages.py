"""What the pages that are written by a generator have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from local_runtime.settings import PROJECT_ROOT

BASE = Path(__file__).resolve().parent / "page_base.html"
FILES = PROJECT_ROOT / "functions" / "get_page" / "files"


def page(title: str, description: str, label: str, links: Mapping[str, str], content: str) -> str:
    """A page in the frame of the reference: links to its parts, by id, and the content, both as HTML."""
    listed = "\n".join(f'          <li><a href="#{part}">{words}</a></li>' for part, words in links.items())
    frame = Template(BASE.read_text(encoding="utf-8"))
    return frame.substitute(title=title, description=description, label=label, links=listed, content=content)
