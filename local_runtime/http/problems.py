"""Errors the gateway itself makes, as problem documents (RFC 9457)."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from functools import lru_cache
from http import HTTPStatus

from shared.core.headers import SECURITY_HEADERS

logger = logging.getLogger(__name__)

_KNOWN = {
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
    501: ("not_implemented", "Not implemented", "The only transfer coding that is understood is `chunked`."),
    503: ("unavailable", "Temporarily unavailable", "The server cannot take this now. Try again shortly."),
    504: ("function_timeout", "Function timeout", "The function did not answer in time."),
    505: ("http_version_not_supported", "HTTP version not supported", "A WebSocket is opened with HTTP/1.1."),
}
_WORD = re.compile(r"[a-z0-9]+")
CONTENT_TYPE = "application/problem+json"
answered: defaultdict[tuple[str, ...], int] = defaultdict(int)  # how often, by code, in this process


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


def problem_body(status: int, request_id: str, *, code: str | None = None, detail: str | None = None) -> bytes:
    """The document of a status, with another code or detail where the usual one does not say enough; it is counted."""
    phrase = status_line(status).partition(" ")[2]
    known_code, title, known_detail = _KNOWN.get(status, ("_".join(_WORD.findall(phrase.lower())), phrase, f"{phrase}."))
    code = code or known_code
    answered[(code,)] += 1
    document = {
        "type": f"urn:scoreboard:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail or known_detail,
        "requestId": request_id,
    }
    return json.dumps(document).encode()


def tell(status: int, request_id: str) -> None:
    """In the log: a request that no function was asked about. Not what was asked for, which may be anything."""
    code, _, _ = _KNOWN.get(status, (status_line(status), "", ""))
    logger.info("refused at the gateway", extra={"request_id": request_id, "status": status, "outcome": code})


def problem_headers(status: int) -> list[tuple[str, str]]:
    """The headers such a document goes with."""
    headers = [("Content-Type", CONTENT_TYPE), *SECURITY_HEADERS.items()]
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", 'Bearer realm="scoreboard"'))
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers.append(("Retry-After", "1"))
    return headers
