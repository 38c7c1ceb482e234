"""The table of what is hosted, as text and as Markdown."""

from __future__ import annotations

from local_runtime.hosting.manifest import Function, Manifest

_HEAD = ("Trigger", "What", "Function", "Timeout")
_Row = tuple[str, str, str, str]


def render_text(manifest: Manifest) -> str:
    """Columns for a terminal."""
    rows = [_HEAD, *_rows(manifest)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def render_markdown(manifest: Manifest) -> str:
    """A table for docs/functions.md."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---" * len(_HEAD) + "|"]
    for trigger, what, function, timeout in _rows(manifest):
        shown = f"`{what.replace('|', chr(92) + '|')}`" if what else ""
        lines.append(f"| {trigger} | {shown} | `{function}` | {timeout} |")
    return "\n".join(lines) + "\n"


def _rows(manifest: Manifest) -> list[_Row]:
    rows = [_row("HTTP", route.key, route.function) for route in manifest.http_routes]
    if manifest.websocket_api is not None:
        rows += [_row("WebSocket", route.route_key, route.function) for route in manifest.websocket_api.routes]
    rows += [
        _row("queue", f"{binding.queue} (batches of {binding.batch_size})", binding.function)
        for binding in manifest.queue_bindings
    ]
    rows += [_row("schedule", _schedule(each.expression, each.time_zone), each.function) for each in manifest.schedules]
    rows += [_row("start", "", function) for function in manifest.functions if function.invoke_at_start]
    rows += [_row("scrape", "/metrics", function) for function in manifest.functions if function.invoke_on_scrape]
    rows += [_row("missing queue", "", function) for function in manifest.functions if function.invoke_when_queue_missing]
    rows += [_row("lease", "", function) for function in manifest.functions if function.invoke_for_leases]
    triggered = {row[2] for row in rows}
    rows += [_row("invoke", "", function) for function in manifest.functions if function.name not in triggered]
    return rows


def _row(trigger: str, what: str, function: Function) -> _Row:
    return trigger, what, function.name, f"{function.timeout_seconds} s"


def _schedule(expression: str, time_zone: str) -> str:
    return expression if time_zone == "UTC" else f"{expression} {time_zone}"
