"""All that was measured on one page: of each part its plots, then its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from tests.benchmarks.figures import Figure, rows

Found = tuple[Sequence[Figure], Sequence[str]]
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #0f172a; max-width: 1320px; margin: 2rem auto; padding: 0 1rem }
nav a { margin-right: 1rem; white-space: nowrap }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); gap: 1rem }
.figures { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e2e8f0 }
"""


def write_page(parts: Mapping[str, Found], path: Path) -> None:
    """Without anything that a browser would have to fetch."""
    links = "".join(f'<a href="#{name}">{escape(name)}</a>' for name in parts)
    body = "\n".join(_section(name, *found) for name, found in parts.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"/><title>Benchmarks</title><style>{_STYLE}</style></head>
<body><h1>Benchmarks</h1>
<p>The ratio is the median over what it is held against: a limit, a peer, or the whole that it is a part of.</p>
<nav>{links}</nav>
{body}
</body></html>
""",
        encoding="utf-8",
    )


def _section(name: str, figures: Sequence[Figure], drawings: Sequence[str]) -> str:
    head, *lines = rows(figures)
    plots = f'<div class="plots">{"".join(drawings)}</div>' if drawings else ""
    table = "\n".join(_row("td", line) for line in lines)
    return f"""<h2 id="{name}">{escape(name)}</h2>
{plots}
<div class="figures"><table>
{_row("th", head)}
{table}
</table></div>"""


def _row(cell: str, texts: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(text)}</{cell}>' for text in texts)}</tr>"
