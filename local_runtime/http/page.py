"""The live page, the admins' page and the reference of the API: a few static files with a strict Content-Security-Policy."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from flask import Flask, Response, abort, request

PAGE_DIRECTORY = Path(__file__).resolve().parent.parent / "page"
# What anybody else's page would use, ours uses, too.
CLIENT = PAGE_DIRECTORY.parent.parent / "infra" / "clients" / "javascript" / "scoreboard.js"
# Their paths; everything else is an asset of one of them.
PAGES = {"/": "index.html", "/admin": "admin.html", "/docs": "docs.html"}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
# Nothing of another origin in the page's process, and nothing of the device for the page.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-cache",
}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


def add_page(app: Flask, directory: Path = PAGE_DIRECTORY) -> None:
    """Serve the pages, and everything beside them and the client under `/assets/`."""

    def page() -> Response:
        return _file(directory, PAGES[request.path])

    def asset(name: str) -> Response:
        if name in PAGES.values():
            abort(404)
        return _file(directory, name)

    for path in PAGES:
        app.add_url_rule(path, "page", page)
    app.add_url_rule("/assets/<name>", "asset", asset)


def _file(directory: Path, name: str) -> Response:
    # Only names that are there: a path made from the request is never opened.
    path = next((path for path in (*directory.glob("*"), CLIENT) if path.name == name and path.is_file()), None)
    if path is None:
        abort(404)
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = Response(path.read_bytes(), mimetype=media_type)
    response.headers.update(HEADERS)
    response.add_etag()
    response.make_conditional(request.environ)
    return response
