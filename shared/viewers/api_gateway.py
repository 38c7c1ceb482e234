"""Viewers whose sockets API Gateway holds: it has no broadcast, so each gets a post of their own, within the account's quota."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import redis

from shared.accounts.player import Caller
from shared.core.errors import ViewersUnavailable
from shared.core.logs import get_logger
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.viewers.connections_redis import SHARDS, Chunk, Connections, Outcome, Quota, Throttled, new_holder
from shared.viewers.frame import measure_lag
from shared.viewers.frames_redis import Frames, ReadBoard
from shared.viewers.ports import Delivery, ViewerSweep

if TYPE_CHECKING:
    from shared.stores.aws.http import SignedHttp

REQUESTS_AT_ONCE = 48
NO_ANSWER = 0
CHUNK = 100
LANES = 4
# A function's time-out must leave room for the chunks that are under way when this is over.
BROADCAST_SECONDS = 40.0
CHUNK_SECONDS = 5.0
SWEEP_SECONDS = 40.0
POLL_SECONDS = 0.1
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0
# Requests a second that nobody makes for a moment after the gateway said that there were too many.
FORFEIT = 50
_MISCONFIGURED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
# API Gateway takes an id that it could not have made for a bad request.
_GONE = (HTTPStatus.GONE, HTTPStatus.BAD_REQUEST)
_log = get_logger(__name__)


class ManagementApi:
    """Requests to one stage of a WebSocket API."""

    def __init__(self, management_url: str) -> None:
        self._management_url = management_url

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


class Gateway(Protocol):
    """What a broadcast needs of the @connections API; see ManagementApi."""

    def post_to_all(self, connection_ids: Sequence[str], text: bytes, seconds: float) -> list[int]:
        """The status of each post."""
        ...

    def close_all(self, connection_ids: Sequence[str], seconds: float) -> list[int]:
        """The status of closing each."""
        ...

    def close(self) -> None:
        """End all connections."""
        ...


class ApiGatewayViewers:
    """The port Viewers. Lanes of one broadcast, and of several at the same time, share the work chunk by chunk.

    A lane goes from shard to shard, posts the newest frame to the next viewers there, and makes a new frame of a board that
    has changed meanwhile. It is done when all shards have the newest one.
    """

    def __init__(
        self,
        frames: Frames,
        connections: Connections,
        gateway: Gateway,
        *,
        lanes: int = LANES,
        seconds: float = BROADCAST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._frames = frames
        self._connections = connections
        self._gateway = gateway
        self._lanes = lanes
        self._seconds = seconds
        self._monotonic = monotonic
        self._sleep = sleep

    def welcome(self, connection_id: str, ends_at: datetime) -> bool:
        """Nobody can be posted to inside their own $connect, so a newcomer's frame comes with a broadcast."""
        return self._connections.add(connection_id, ends_at)

    def know(self, connection_id: str, caller: Caller) -> None:
        """Note the connection with its account."""
        self._connections.know(connection_id, caller)

    def dismiss(self, user_id: str, session_ids: Collection[str], at: datetime) -> None:
        """They end now; the next sweep closes them."""
        self._connections.end(user_id, session_ids, at)

    def dismiss_all(self, user_id: str, at: datetime) -> None:
        """They end now; the next sweep closes them."""
        self._connections.end(user_id, None, at)

    def farewell(self, connection_id: str) -> None:
        """Forget the connection."""
        self._connections.forget([connection_id])

    @translated()
    def broadcast(self, read_board: ReadBoard, accepted_at: datetime | None = None) -> Delivery:
        """Post to everybody who has not got the newest frame."""
        until = self._monotonic() + self._seconds
        self._connections.hear()
        version = self._frames.read_after_now(read_board).version
        with ThreadPoolExecutor(self._lanes, thread_name_prefix="lane") as pool:
            firsts = [version + lane * SHARDS // self._lanes for lane in range(self._lanes)]
            lanes = [pool.submit(self._serve, first, read_board, until) for first in firsts]
        is_complete = all(lane.result() for lane in lanes)
        measure_lag(accepted_at)
        return Delivery(version, is_complete)

    def sweep(self) -> ViewerSweep:
        """Close connections whose session has ended, which API Gateway would keep for two hours."""
        until, ended = self._monotonic() + SWEEP_SECONDS, 0
        while self._monotonic() < until and (ids := self._connections.ended(CHUNK)):
            self._gateway.close_all(ids, CHUNK_SECONDS)
            self._connections.forget(ids)
            ended += len(ids)
        return ViewerSweep(ended, self._connections.is_behind())

    def close(self) -> None:
        """End the connections to the gateway."""
        self._gateway.close()

    def _serve(self, first: int, read_board: ReadBoard, until: float) -> bool:
        """Post until nobody waits for a frame; False when the time is over before."""
        holder, failures = new_holder(), 0
        shards = [(first + place) % SHARDS for place in range(SHARDS)]
        while True:
            posted, failed, waits = False, False, list[float]()
            for shard in shards:
                if self._monotonic() >= until:
                    return False
                # Waiting right here keeps the shards in front from taking all requests for themselves.
                while isinstance(chunk := self._connections.take(shard, holder, CHUNK), Throttled):
                    if self._monotonic() >= until:
                        return False
                    self._sleep(min(chunk.seconds, POLL_SECONDS))
                    self._frames.refresh(read_board)
                if isinstance(chunk, Chunk):
                    posted = True
                    failed |= self._post(chunk, failures)
                    self._frames.refresh(read_board)
                elif chunk is not None:
                    waits.append(chunk)
            failures = failures + 1 if failed else 0
            if not posted:
                if not waits:
                    return True
                self._sleep(max(min(*waits, POLL_SECONDS, until - self._monotonic()), 0.005))
                self._frames.refresh(read_board)

    def _post(self, chunk: Chunk, failures: int) -> bool:
        """Whether some posts of the chunk failed; `failures` rounds of the shards before had such, so these wait the longer."""
        statuses = self._gateway.post_to_all(chunk.connection_ids, chunk.frame.text, CHUNK_SECONDS)
        outcome = _sorted_out(chunk.connection_ids, statuses)
        longest = min(FIRST_RETRY_SECONDS * 2**failures, LONGEST_RETRY_SECONDS)
        self._connections.settle(chunk, outcome, longest * random.uniform(0.5, 1))  # noqa: S311 - spreads load, keeps no secret
        if outcome.failed:
            _log.warning("posts to viewers failed", extra={"statuses": dict(Counter(statuses))})
        if any(status in _MISCONFIGURED for status in statuses):
            raise ViewersUnavailable
        return bool(outcome.failed)


def api_gateway_viewers(client: redis.Redis, keys: Keys, management_url: str, requests_per_second: int) -> ApiGatewayViewers:
    """The viewers of a WebSocket API that is there."""
    quota = Quota(requests_per_second, burst=max(requests_per_second // 5, CHUNK))
    return ApiGatewayViewers(Frames(client, keys), Connections(client, keys, quota), ManagementApi(management_url))


def _sorted_out(connection_ids: Sequence[str], statuses: Sequence[int]) -> Outcome:
    outcome = Outcome()
    for connection_id, status in zip(connection_ids, statuses, strict=True):
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            outcome.served.append(connection_id)
        elif status in _GONE:
            outcome.gone.append(connection_id)
        elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            outcome.served.append(connection_id)  # the same frame would be too large again
            _log.error("a frame is too large for the gateway")
        else:
            outcome.failed.append(connection_id)
    if HTTPStatus.TOO_MANY_REQUESTS in statuses:
        outcome.forfeited = FORFEIT
    return outcome
