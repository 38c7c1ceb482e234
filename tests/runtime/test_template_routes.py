"""The table of what is hosted."""

from __future__ import annotations

from pathlib import Path

from local_runtime.hosting.manifest import Function, HttpRoute, Manifest, QueueBinding, Schedule, WebSocketApi, WebSocketRoute
from local_runtime.hosting.routes import render_markdown, render_text


def function(name: str, *, at_start: bool = False) -> Function:
    return Function(name, name, Path(), "handler.lambda_handler", 10, 128, {}, at_start)


MANIFEST = Manifest(
    functions=(function("prepare", at_start=True), function("get"), function("take"), function("daily"), function("make")),
    layers=(),
    http_routes=(HttpRoute(function("get"), "GET", "/a|b/{id}"),),
    queue_bindings=(QueueBinding(function("take"), "jobs", "/", 500, 0.0),),
    schedules=(Schedule(function("daily"), "daily", "cron(0 4 * * ? *)", "Europe/Berlin", {}, 0, 60),),
    websocket_api=WebSocketApi("live", "$request.body.action", (WebSocketRoute(function("get"), "$connect"),)),
)


def test_the_text_has_a_line_for_everything_hosted() -> None:
    assert render_text(MANIFEST) == (
        "Trigger    What                             Function  Timeout\n"
        "HTTP       GET /a|b/{id}                    get       10 s\n"
        "WebSocket  $connect                         get       10 s\n"
        "queue      jobs (batches of 500)            take      10 s\n"
        "schedule   cron(0 4 * * ? *) Europe/Berlin  daily     10 s\n"
        "start                                       prepare   10 s\n"
        "invoke                                      make      10 s\n"
    )


def test_the_markdown_is_a_table() -> None:
    lines = render_markdown(MANIFEST).splitlines()
    assert lines[:3] == [
        "| Trigger | What | Function | Timeout |",
        "|---|---|---|---|",
        "| HTTP | `GET /a\\|b/{id}` | `get` | 10 s |",
    ]
    assert lines[-1] == "| invoke |  | `make` | 10 s |"
