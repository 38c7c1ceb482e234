"""The live page: three static files with a strict Content-Security-Policy."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, abort, send_from_directory

PAGE_DIRECTORY = Path(__file__).resolve().parent.parent / "page"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


def add_page(app: Flask, directory: Path = PAGE_DIRECTORY) -> None:
    """Serve `index.html` at `/` and everything beside it under `/assets/`."""

    def index() -> Response:
        return _file(directory, "index.html")

    def asset(name: str) -> Response:
        if name == "index.html":
            abort(404)
        return _file(directory, name)

    app.add_url_rule("/", "page", index)
    app.add_url_rule("/assets/<name>", "asset", asset)


def _file(directory: Path, name: str) -> Response:
    response = send_from_directory(directory, name, etag=True, conditional=True, max_age=0)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cache-Control"] = "no-cache"
    return response
