"""Requests to API Gateway about the connections that it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.core.backoff import doubled
from shared.viewers.posts import FIRST_RETRY_SECONDS, GONE, LONGEST_RETRY_SECONDS, MISCONFIGURED

if TYPE_CHECKING:
    from shared.stores.aws.http import SignedHttp

REQUESTS_AT_ONCE = 48
NO_ANSWER = 0
_NOT_WORTH_ANOTHER_TRY = (*MISCONFIGURED, *GONE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


class ManagementApi:
    """Requests to one stage of a WebSocket API."""

    def __init__(self, management_url: str) -> None:
        self._management_url = management_url

    def post(self, connection_id: str, text: bytes, seconds: float) -> int:
        """The status of a post, which is made again for so many seconds while that may help; NO_ANSWER for none."""
        until, failures = time.monotonic() + seconds, 0
        while True:
            status = self._send("POST", connection_id, text)
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or status in _NOT_WORTH_ANOTHER_TRY:
                return status
            delay = doubled(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, failures)
            if time.monotonic() + delay >= until:
                return status
            time.sleep(delay)
            failures += 1

    def post_to_all(self, connection_ids: Sequence[str], text: bytes, seconds: float) -> list[int]:
        """The status of each post; NO_ANSWER also for those that could not begin within so many seconds."""
        return self._for_all(lambda connection_id: self._send("POST", connection_id, text), connection_ids, seconds)

    def close_all(self, connection_ids: Sequence[str], seconds: float) -> list[int]:
        """The status of closing each."""
        return self._for_all(lambda connection_id: self._send("DELETE", connection_id, b""), connection_ids, seconds)

    def close(self) -> None:
        """End all connections."""
        if "_pool" in vars(self):
            self._pool.shutdown()
        if "_http" in vars(self):
            self._http.close()

    def _for_all(self, call: Callable[[str], int], connection_ids: Sequence[str], seconds: float) -> list[int]:
        until = time.monotonic() + seconds
        return list(self._pool.map(lambda each: call(each) if time.monotonic() < until else NO_ANSWER, connection_ids))

    def _send(self, method: str, connection_id: str, body: bytes) -> int:
        try:
            return self._http.send(method, f"/@connections/{quote(connection_id, safe='')}", body)[0]
        except OSError:
            return NO_ANSWER

    @cached_property
    def _http(self) -> SignedHttp:
        from shared.stores.aws.http import SignedHttp  # functions that only note viewers do without

        return SignedHttp(self._management_url, "execute-api")

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="post")
