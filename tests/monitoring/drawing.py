"""Draws a dashboard from a Prometheus' data, much as Grafana would, so that it can be looked at without one."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.monitoring.prometheus import Series

COLOURS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#56a64b", "#e02f44", "#8ab8ff", "#fade2a", "#ff9830")
THRESHOLDS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
COLUMN, HEIGHT, LEFT, BOTTOM = 66, 150, 52, 16
STEP_SECONDS = 1
MAX_LEGEND = 9
STYLE = """
body { margin: 0; padding: 12px; background: #111217; color: #ccccdc; font: 12px/1.3 Inter, "DejaVu Sans", sans-serif }
h1 { font-size: 18px; margin: 0 0 8px } main { display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px }
h2 { grid-column: 1 / -1; font-size: 14px; margin: 8px 0 0 }
section { background: #181b1f; border: 1px solid #2c3235; padding: 6px 8px }
h3 { font-size: 12px; margin: 0 0 2px; color: #fff } svg { width: 100%; display: block }
.big { font-size: 30px; text-align: center; padding: 14px 0 } text { fill: #9a9ba4; font-size: 10px } p { margin: 2px 0 0 }
.key { display: inline-block; width: 10px; height: 3px; margin: 0 3px 3px 8px }
.no-data { color: #f2495c; text-align: center; padding: 40px 0 }
"""
Ask = Callable[[str], list[Series]]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A series with its name as the legend says it."""

    name: str
    points: list[tuple[float, float]]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


def page(dashboard: dict[str, Any], ask: Ask, span: Span) -> str:
    """A dashboard as HTML; `ask` answers a query over time, `span` is from when to when, the same for all panels."""
    parts = [f"<h1>{html.escape(dashboard['title'])}</h1><main>"]
    for panel in dashboard["panels"]:
        title = html.escape(panel["title"])
        if panel["type"] == "row":
            parts.append(f"<h2>{title}</h2>")
            continue
        body = _body(panel, _lines(panel, ask), span)
        parts.append(f'<section style="grid-column: span {panel["gridPos"]["w"]}"><h3>{title}</h3>{body}</section>')
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(parts)}</main>"


def _lines(panel: dict[str, Any], ask: Ask) -> list[Line]:
    return [
        Line(_named(target["legendFormat"], series.labels), points)
        for target in panel["targets"]
        for series in ask(target["expr"])
        if (points := series.known)
    ]


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda name: labels.get(name[1], ""), legend)


def _body(panel: dict[str, Any], lines: list[Line], span: Span) -> str:
    if not lines:
        return '<div class="no-data">no data</div>'
    unit = panel["fieldConfig"]["defaults"]["unit"]
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    if panel["type"] == "stat":
        return "".join(
            f'<div class="big" style="color: {_colour_of(line.last, steps)}">{html.escape(_stat_text(panel, line, unit))}</div>'
            for line in lines
        )
    if panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal":
        lines = _stacked(lines)
    return _graph(lines, unit, [step for step in steps if step["value"] is not None], panel["gridPos"]["w"] * COLUMN, span)


def _stat_text(panel: dict[str, Any], line: Line, unit: str) -> str:
    return line.name if panel["title"] == "Version" else _text(line.last, unit)


def _colour_of(value: float, steps: list[dict[str, Any]]) -> str:
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return THRESHOLDS[reached[-1]] if reached else THRESHOLDS["green"]


def _stacked(lines: list[Line]) -> list[Line]:
    """Each on top of those before it."""
    below: dict[float, float] = {}
    stacked = []
    for line in lines:
        for when, value in line.points:
            below[when] = below.get(when, 0.0) + value
        stacked.append(Line(line.name, [(when, below[when]) for when, _ in line.points]))
    return stacked


def _graph(lines: list[Line], unit: str, limits: list[dict[str, Any]], width: int, span: Span) -> str:
    begin, end = span
    top = max(value for line in lines for _, value in line.points) * 1.1 or max((limit["value"] for limit in limits), default=1.0)
    top = max(top, *(limit["value"] * 1.1 for limit in limits if limit["value"] < 3 * top), 0.0)

    def place(when: float, value: float) -> str:
        x = LEFT + (when - begin) / (end - begin) * (width - LEFT)
        return f"{x:.1f},{_y(value, top):.1f}"

    drawn = [_scale(top, unit, width), f'<text x="{LEFT}" y="{HEIGHT - 2}">0 s</text>']
    drawn.append(f'<text x="{width}" y="{HEIGHT - 2}" text-anchor="end">{end - begin:.0f} s</text>')
    for limit in limits:
        if limit["value"] <= top:
            y, colour = _y(limit["value"], top), THRESHOLDS[limit["color"]]
            drawn.append(f'<path d="M{LEFT} {y:.1f}H{width}" stroke="{colour}" stroke-dasharray="4 3" opacity=".7"/>')
    for line, colour in _coloured(lines):
        path = " ".join(f"{command}{place(*point)}" for command, point in _commands(line.points))
        drawn.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linecap="round"/>')
    shown = sorted(_coloured(lines), key=lambda drawn_line: -drawn_line[0].last)[:MAX_LEGEND]
    keys = "".join(
        f'<span class="key" style="background: {colour}"></span>{html.escape(line.name)} {_text(line.last, unit)}'
        for line, colour in shown
    )
    more = f" and {len(lines) - MAX_LEGEND} more" if len(lines) > MAX_LEGEND else ""
    return f'<svg viewBox="0 0 {width} {HEIGHT}">{"".join(drawn)}</svg><p>{keys}{more}</p>'


def _commands(points: list[tuple[float, float]]) -> Iterable[tuple[str, tuple[float, float]]]:
    """Where the pen goes, lifted over what is missing."""
    before = -math.inf
    for point in points:
        yield "L" if point[0] - before <= STEP_SECONDS else "M", point
        before = point[0]


def _coloured(lines: list[Line]) -> Iterable[tuple[Line, str]]:
    return [(line, COLOURS[number % len(COLOURS)]) for number, line in enumerate(lines)]


def _y(value: float, top: float) -> float:
    return (HEIGHT - BOTTOM) * (1 - value / top) + 2


def _scale(top: float, unit: str, width: int) -> str:
    return "".join(
        f'<path d="M{LEFT} {_y(value, top):.1f}H{width}" stroke="#2c3235"/>'
        f'<text x="{LEFT - 4}" y="{_y(value, top) + 4:.1f}" text-anchor="end">{_text(value, unit)}</text>'
        for value in (0.0, top / 3, top / 1.5)
    )


def _text(value: float, unit: str) -> str:
    """A value in its unit, as short as Grafana writes it."""
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if value >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1e6:.3g} µs"
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    suffix = {"ops": "/s", "reqps": "/s", "Bps": "B/s", "bytes": "B"}.get(unit, "")
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}{suffix}"
    return f"{value:.3g} {suffix}".strip()
