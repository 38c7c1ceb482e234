"""gunicorn's own requests, held to the rules of ours: no doubt about where a message ends, and none about who waits for whom."""

from __future__ import annotations

from typing import Any

import gevent
from gevent import Greenlet
from gunicorn.http import errors

from local_runtime.http.host import is_host

_STATUS_OF = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
    errors.UnsupportedTransferCoding: 501,
}


class WithoutHost(errors.ParseException):  # type: ignore[misc]
    """A request of HTTP/1.1 that does not say whom it is for, or not in so many words."""


class StockBody:
    """A request's body: who reads it waits for the client and answers nobody; broken or over `limit` it ends the connection."""

    def __init__(self, request: Any, answering: set[Greenlet], limit: int) -> None:
        self._request = request
        self._body = request.body
        self._answering = answering
        self._left = limit
        self.reader = request.body.reader
        if any(name == "CONTENT-LENGTH" and int(value) > limit for name, value in request.headers):
            request.force_close()

    def read(self, size: int | None = None) -> bytes:
        """What the body gives."""
        greenlet = gevent.getcurrent()
        is_answering = greenlet in self._answering
        self._answering.discard(greenlet)
        try:
            data = bytes(self._body.read(size))
        except Exception:
            self._request.force_close()
            raise
        finally:
            if is_answering:
                self._answering.add(greenlet)
        self._left -= len(data)
        if self._left < 0:
            self._request.force_close()
        return data


def refuse_doubtful(request: Any) -> None:
    """Raise a ParseException for what gunicorn lets pass and others may read in another way."""
    hosts = [value for name, value in request.headers if name == "HOST"]
    if (request.version >= (1, 1) and not hosts) or not all(map(is_host, hosts)):
        raise WithoutHost
    for name, value in request.headers:
        if name == "TRANSFER-ENCODING" and value.strip().lower() != "chunked":
            raise errors.UnsupportedTransferCoding(value)


def status_of(error: BaseException) -> int:
    """The status that answers what gunicorn could not read."""
    status = next((status for kind, status in _STATUS_OF.items() if isinstance(error, kind)), None)
    return status or (400 if isinstance(error, errors.ParseException) else 500)
