"""GET /asyncapi.json: the description of what comes without being asked for, generated beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shared.transport.http import HttpRequest, Reply, http_handler


@cache
def _document() -> bytes:
    return (Path(__file__).parent / "asyncapi.json").read_bytes()


@http_handler
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer the AsyncAPI 3.0 document."""
    return Reply.document(_document(), headers={"Cache-Control": "public, max-age=300"})
