"""GET /, /admin, /docs and what is below it, /assets/{name}: pages for people, their files, and what is asked for beside them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from shared.core.booleans import boolean
from shared.core.errors import NotFound
from shared.transport.files import File, files_of
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.transport.page_headers import page_headers

_DIRECTORY = Path(__file__).parent / "files"
_PAGES = {  # by route; every other file is an asset of one of them
    "GET /": "index.html",
    "GET /admin": "admin.html",
    "GET /docs": "docs.html",
    "GET /docs/problems": "problems.html",
    "GET /docs/runbook": "runbook.html",
}
_MOVED = {"GET /admin/": "/admin", "GET /docs/": "/docs"}
_FILES = {**_PAGES, "GET /favicon.ico": "icon.svg", "GET /robots.txt": "robots.txt"}


@cache
def _public_board() -> File:
    """The live page that is told to watch without an account: what it asked for in vain, a browser would note as an error."""
    page = files_of(_DIRECTORY)["index.html"]
    return File.of(page.content.replace(b'data-board="private"', b'data-board="public"'), page.media_type)


def _security_txt(contact: str) -> Reply:
    """Whom to tell of a weakness (RFC 9116), where the operator says so."""
    if not contact:
        raise NotFound
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    text = f"Contact: {contact}\nExpires: {expires.isoformat()}\nPreferred-Languages: en\n"
    return Reply(200, text.encode(), {"Cache-Control": "no-cache"}, "text/plain; charset=utf-8")


@http_handler
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer a file, or 304 to a browser that has it. Settings are read here: for the container's it would read the secret."""
    if request.route_key == "GET /.well-known/security.txt":
        return _security_txt(os.environ.get("SECURITY_CONTACT", ""))
    if request.route_key in _MOVED:
        return Reply(308, b"", {"Location": _MOVED[request.route_key]})
    name = _FILES.get(request.route_key) or request.path_parameters.get("name", "")
    file = files_of(_DIRECTORY).get(name)
    if file is None or (name in _PAGES.values() and request.route_key not in _PAGES):
        raise NotFound
    if name == "index.html" and boolean(os.environ.get("PUBLIC_LEADERBOARD") or "false"):
        file = _public_board()
    # Of the live page alone: a press on the admins' page is never to be another site's.
    ancestors = os.environ.get("SCOREBOARD_FRAME_ANCESTORS", "") if name == "index.html" else ""
    headers = page_headers(request, os.environ.get("VIEWERS_URL", ""), ancestors=ancestors, for_all=name == "scoreboard.js")
    return file.reply(request, headers)
