"""What went wrong, and the cause in the words of whoever knows it."""

from __future__ import annotations

import json
import ssl
from http import HTTPStatus
from typing import Any

import httpx
from websockets.exceptions import InvalidProxy, InvalidProxyStatus, InvalidStatus, InvalidURI

# What is wrong here, or on the way, and does not pass by itself.
LASTING = ("bad_url", "certificate_refused", "not_the_api", "proxy_refused", "redirected")


class ScoreboardError(Exception):
    """A request that was not answered with success; `status` is 0 when no answer came at all.

    `idempotency_key` comes with a request that changes something: it may have been carried out. Sent again under this key, within
    a day, it is carried out once.
    """

    def __init__(
        self, status: int, code: str, detail: str = "", request_id: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {detail}" if detail else f"{status} {code}")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.idempotency_key: str | None = None

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later; it may also have been carried out already."""
        if self.code in LASTING:
            return False
        is_in_progress = self.code == "request_in_progress"
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or is_in_progress


def problem(response: httpx.Response, document: Any) -> ScoreboardError:
    """What the API refused, by its problem document."""
    return ScoreboardError(
        response.status_code,
        document["code"],
        str(document.get("detail", "")),
        response.headers.get("X-Request-Id", ""),
        _retry_after(response),
    )


def strange(response: httpx.Response, base_url: str, proxy: str, *, has_answered: bool) -> ScoreboardError:
    """An answer that is not the API's: something else is at this address, or stands before it.

    Where the API has answered before, what is in its place now is an outage.
    """
    status = response.status_code
    request = f"{response.request.method} {response.request.url}{_by(proxy)}"
    if response.is_redirect:
        detail = f"{request} is redirected to {response.headers['Location']}: give the address that it leads to"
        return ScoreboardError(0, "no_answer", detail) if has_answered else ScoreboardError(status, "redirected", detail)
    media = response.headers.get("Content-Type", "no content type").partition(";")[0]
    detail = f"{request} was answered with {status} and {media}, which is no answer of a scoreboard"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ScoreboardError(status, "proxy_refused", f"{request}: the proxy wants other credentials")
    is_outage = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
    if status == HTTPStatus.TOO_MANY_REQUESTS or is_outage:  # said by what stands before the API, as API Gateway does
        return ScoreboardError(status, "unknown", detail, retry_after_seconds=_retry_after(response))
    if response.is_success and has_answered:
        return ScoreboardError(0, "no_answer", detail)
    return ScoreboardError(status, "not_the_api", f"{detail}. Is {base_url} its address?")


def no_answer(error: httpx.TransportError, base_url: str, proxy: str) -> ScoreboardError:
    """Why none came."""
    said = str(_cause(error)) or type(error).__name__
    if isinstance(error, httpx.ProxyError):
        return ScoreboardError(0, "proxy_refused", f"the proxy {shown(proxy)} does not lead to {base_url}: {said}")
    if isinstance(_cause(error), ssl.SSLCertVerificationError):
        return ScoreboardError(0, "certificate_refused", f"the certificate of {base_url} is not trusted: {said}")
    return ScoreboardError(0, "no_answer", f"{base_url} does not answer{_by(proxy)}: {said}")


def no_websocket(url: str, error: Exception) -> ScoreboardError:
    """Why there is no WebSocket."""
    place = url.partition("?")[0]
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        document = parsed(bytes(error.response.body or b""))
        said = f": {document['detail']}" if isinstance(document, dict) and document.get("detail") else ""
        return ScoreboardError(status, "handshake_refused", f"{place} refused the WebSocket with {status}{said}")
    if isinstance(error, InvalidURI):
        return ScoreboardError(0, "bad_url", str(error))
    if isinstance(error, InvalidProxy | InvalidProxyStatus):
        return ScoreboardError(0, "proxy_refused", f"no WebSocket to {place}: {error}")
    code = "certificate_refused" if isinstance(_cause(error), ssl.SSLCertVerificationError) else "no_websocket"
    return ScoreboardError(0, code, f"no WebSocket to {place}: {error}")


def parsed(text: str | bytes) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def shown(proxy: str) -> str:
    """Without the password."""
    return str(httpx.URL(proxy).copy_with(userinfo=b""))


def _by(proxy: str) -> str:
    return f" (by the proxy {shown(proxy)})" if proxy else ""


def _retry_after(response: httpx.Response) -> float | None:
    wait = response.headers.get("Retry-After", "")
    return max(1.0, float(wait)) if wait.isdecimal() else None


def _cause(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
