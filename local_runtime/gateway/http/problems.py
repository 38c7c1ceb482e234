"""Errors the gateway itself makes, as problem documents (RFC 9457)."""

from __future__ import annotations

import html
import json
import logging
import re
from functools import lru_cache
from http import HTTPStatus

from shared.core.errors import problem_type
from shared.core.headers import SECURITY_HEADERS
from shared.core.metrics import refusals

logger = logging.getLogger(__name__)

# Code, title and detail of each status.
KNOWN = {
    400: ("malformed_request", "Malformed request", "The request cannot be read."),
    401: ("unauthenticated", "Authentication required", "Send an access token, or a ticket from POST /api/ws-tickets."),
    403: ("forbidden", "Forbidden", "This is not allowed."),
    404: ("not_found", "Not found", "There is nothing here."),
    405: ("method_not_allowed", "Method not allowed", "This path has other methods; see the Allow header."),
    408: ("request_timeout", "Request timeout", "The request did not arrive in time."),
    413: ("payload_too_large", "Payload too large", "The body is larger than this server accepts."),
    414: ("target_too_long", "Target too long", "Path and query are longer than this server accepts."),
    417: ("expectation_failed", "Expectation failed", "The only expectation that can be met is `100-continue`."),
    426: ("upgrade_required", "Upgrade required", "This path speaks WebSocket only."),
    429: ("too_many_connections", "Too many connections", "There are too many connections from this address."),
    431: ("headers_too_large", "Headers too large", "There are more headers, or longer ones, than this server accepts."),
    500: ("internal_error", "Internal error", "Something went wrong on our side; it has been logged. Try again later."),
    501: ("not_implemented", "Not implemented", "The method is unknown here, or the transfer coding is not `chunked`."),
    503: ("unavailable", "Temporarily unavailable", "The server cannot take this now. Try again shortly."),
    504: ("function_timeout", "Function timeout", "The function did not answer in time."),
    505: ("http_version_not_supported", "HTTP version not supported", "A WebSocket is opened with HTTP/1.1."),
}
_NOT_FOUND_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Not found · Scoreboard</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
  </head>
  <body>
    <main>
      <h1>There is nothing here</h1>
      <p>No page has this address. <a href="/">To the scoreboard</a></p>
      <p><small>Request {request_id}</small></p>
    </main>
  </body>
</html>
"""
_WORD = re.compile(r"[a-z0-9]+")
CONTENT_TYPE = "application/problem+json"
PAGE_CONTENT_TYPE = "text/html; charset=utf-8"


@lru_cache(600)
def status_line(status: int) -> str:
    """`404 Not Found`, also for numbers that have no name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def may_have_body(status: str) -> bool:
    """Whether an answer with this status line has one."""
    return not status.startswith(("1", "204", "304"))


def problem_body(status: int, request_id: str) -> bytes:
    """The document of a status; it is counted. One that says no more than the status has the type `about:blank` (RFC 9457)."""
    phrase = status_line(status).partition(" ")[2]
    code, title, detail = KNOWN.get(status, ("_".join(_WORD.findall(phrase.lower())), phrase, f"{phrase}."))
    refusals.of(code).inc()
    document = {
        "type": problem_type(code) if status in KNOWN else "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "requestId": request_id,
    }
    return json.dumps(document).encode()


def not_found_page(request_id: str) -> bytes:
    """The same refusal for a person in a browser; it is counted, too. Plain: problems load nothing."""
    refusals.of(KNOWN[404][0]).inc()
    return _NOT_FOUND_PAGE.format(request_id=html.escape(request_id)).encode()


def tell(status: int, request_id: str) -> None:
    """In the log: a request that no function was asked about. Not what was asked for, which may be anything."""
    code, _, _ = KNOWN.get(status, (status_line(status), "", ""))
    logger.info("refused at the gateway", extra={"request_id": request_id, "status": status, "outcome": code})


def problem_headers(status: int, content_type: str = CONTENT_TYPE) -> list[tuple[str, str]]:
    """The headers such a document goes with."""
    headers = [("Content-Type", content_type), *SECURITY_HEADERS.items()]
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", 'Bearer realm="scoreboard"'))
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers.append(("Retry-After", "1"))
    return headers
