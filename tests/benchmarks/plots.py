"""Figures as plots: a few lines of SVG, so that nobody needs a drawing library for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 76, 20, 40, 56
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#334155", "#a16207")
LABELS = 12
Points = Sequence[tuple[float, float]]


def bars(title: str, unit: str, values: Mapping[str, float], limit: float | None = None) -> str:
    """A bar for each value, and a dashed line at the limit."""
    top = _nice(max([*values.values(), limit or 0.0]))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    marks = []
    for number, (name, value) in enumerate(values.items()):
        x, y = LEFT + number * step, _y(value, top)
        marks.append(_rect(x + step * 0.2, y, step * 0.6, HEIGHT - BOTTOM - y, COLOURS[0] if number == 0 else "#94a3b8"))
        marks.append(_text(x + step / 2, y - 6, _short(value), "middle"))
        marks.append(_text(x + step / 2, HEIGHT - BOTTOM + 18, name, "middle"))
    return _drawing(title, unit, top, [*marks, *_limit(limit, top)])


def lines(
    title: str,
    x_name: str,
    unit: str,
    series: Mapping[str, Points],
    limit: float | None = None,
    *,
    scale: Callable[[float], float] = math.log10,
) -> str:
    """A line for each series, over a logarithmic axis unless `scale` says otherwise."""
    xs = sorted({x for points in series.values() for x, _ in points})
    top = _nice(max([y for points in series.values() for _, y in points] + [limit or 0.0]))
    low, high = scale(xs[0]), scale(xs[-1])

    def place(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((scale(x) - low) / (high - low or 1.0))

    marks = [_text(place(x), HEIGHT - BOTTOM + 18, _short(x), "middle") for x in xs[:: math.ceil(len(xs) / LABELS)]]
    marks.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_name, "middle"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        way = " ".join(f"{place(x):.1f},{_y(y, top):.1f}" for x, y in points)
        marks.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        marks += [f'<circle cx="{place(x):.1f}" cy="{_y(y, top):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        marks.append(_text(WIDTH - RIGHT, TOP + 14 + 16 * number, name, "end", colour))
    return _drawing(title, unit, top, [*marks, *_limit(limit, top)])


def _drawing(title: str, unit: str, top: float, marks: Sequence[str]) -> str:
    axis = [f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#334155"/>']
    axis += [_text(LEFT - 8, _y(top * part / 4, top) + 4, _short(top * part / 4), "end") for part in range(5)]
    head = [_text(LEFT, 22, title, "start", size=15), _text(WIDTH - RIGHT, 22, unit, "end")]
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([opening, background, *head, *axis, *marks, "</svg>", ""])


def _limit(limit: float | None, top: float) -> list[str]:
    if limit is None:
        return []
    y = _y(limit, top)
    line = f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dc2626" stroke-dasharray="5 4"/>'
    return [line, _text(WIDTH - RIGHT, y - 5, f"goal {_short(limit)}", "end", "#dc2626")]


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#0f172a", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _nice(value: float) -> float:
    """The next round number above, so that the quarters of the axis are round, too."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value))
