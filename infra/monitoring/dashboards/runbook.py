"""The runbook's paragraphs, shown by Grafana too, and by the scoreboard itself."""

from __future__ import annotations

import re
from pathlib import Path

RUNBOOK = Path(__file__).resolve().parent.parent / "RUNBOOK.md"
UID = "scoreboard-runbook"


def _parts() -> list[str]:
    return re.split(r"^## (\w+)\n", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)


def introduction() -> str:
    """What stands before the first alert, without the heading."""
    return _parts()[0].partition("\n")[2].strip()


def paragraphs() -> dict[str, str]:
    """The text for each alert, in the runbook's order."""
    parts = _parts()
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def panel_ids() -> dict[str, int]:
    """The panel of each alert."""
    return {name: number for number, name in enumerate(paragraphs(), start=1)}


def link(alert: str) -> str:
    """Where Grafana shows the paragraph of an alert."""
    return f"/d/{UID}?viewPanel={panel_ids()[alert]}"
