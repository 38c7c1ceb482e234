"""Posts to the connections of rings: everybody gets the newest frame, whoever else posts, whatever fails, within the quota."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared.core.backoff import doubled
from shared.core.errors import ViewersUnavailable
from shared.core.logs import get_logger
from shared.viewers.rings import Chunk, Outcome, Place, Ring, Throttled, new_holder

if TYPE_CHECKING:
    from shared.viewers.connections_redis import Connections
    from shared.viewers.management_api import ManagementApi

CHUNK = 100
LANES = 4
CHUNK_SECONDS = 5.0
POLL_SECONDS = 0.1
# Requests a second that nobody makes for a moment after the gateway said that there were too many.
FORFEIT = 50
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0
MISCONFIGURED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
# API Gateway takes an id that it could not have made for a bad request.
GONE = (HTTPStatus.GONE, HTTPStatus.BAD_REQUEST)
_log = get_logger(__name__)

# Makes a new frame for a ring, when it is time for one.
Refresh = Callable[[Ring], object]
Settled = Callable[[Chunk, Outcome], object]


class Posts:
    """Lanes of one broadcast, and of several at the same time, share the work chunk by chunk.

    A lane goes from shard to shard, posts the newest frame to the next viewers there, and makes a new frame of what has changed
    meanwhile. It is done when all shards have the newest one. `settled` is told what came of each chunk.
    """

    def __init__(
        self,
        connections: Connections,
        gateway: ManagementApi,
        settled: Settled = lambda chunk, outcome: None,
        *,
        lanes: int = LANES,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connections = connections
        self._gateway = gateway
        self._settled = settled
        self._lanes = lanes
        self._monotonic = monotonic
        self._sleep = sleep

    def serve(self, places: Sequence[Place], first: int, refresh: Refresh, until: float) -> bool:
        """Post until nobody waits for a frame, from some place on; False when time is over before. Raises ViewersUnavailable."""
        count = min(self._lanes, len(places))
        if not count:
            return True
        with ThreadPoolExecutor(count, thread_name_prefix="lane") as pool:
            starts = [(first + lane * len(places) // count) % len(places) for lane in range(count)]
            lanes = [pool.submit(self._serve, [*places[start:], *places[:start]], refresh, until) for start in starts]
        return all(lane.result() for lane in lanes)

    def _serve(self, places: Sequence[Place], refresh: Refresh, until: float) -> bool:
        holder, failures = new_holder(), 0
        while True:
            posted, failed, waits = False, False, dict[Ring, float]()
            for place in places:
                if self._monotonic() >= until:
                    return False
                # Waiting right here keeps the shards in front from taking all requests for themselves.
                while isinstance(chunk := self._connections.take(place, holder, CHUNK), Throttled):
                    if self._monotonic() >= until:
                        return False
                    self._sleep(min(chunk.seconds, POLL_SECONDS))
                    refresh(place.ring)
                if isinstance(chunk, Chunk):
                    posted = True
                    failed |= self._post(chunk, failures)
                    refresh(place.ring)
                elif chunk is not None:
                    waits[place.ring] = min(chunk, waits.get(place.ring, chunk))
            failures = failures + 1 if failed else 0
            if not posted:
                if not waits:
                    return True
                self._sleep(max(min(*waits.values(), POLL_SECONDS, until - self._monotonic()), 0.005))
                for ring in waits:
                    refresh(ring)

    def _post(self, chunk: Chunk, failures: int) -> bool:
        """Whether some posts of the chunk failed; `failures` rounds of the shards before had such, so these wait the longer."""
        statuses = self._gateway.post_to_all(chunk.connection_ids, chunk.frame.text, CHUNK_SECONDS)
        outcome = _sorted_out(chunk.connection_ids, statuses)
        longest = doubled(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, failures)
        self._connections.settle(chunk, outcome, longest * random.uniform(0.5, 1))  # noqa: S311 - spreads load, keeps no secret
        self._settled(chunk, outcome)
        if outcome.failed:
            _log.warning("posts to viewers failed", extra={"statuses": dict(Counter(statuses))})
        if any(status in MISCONFIGURED for status in statuses):
            raise ViewersUnavailable
        return bool(outcome.failed)


def _sorted_out(connection_ids: Sequence[str], statuses: Sequence[int]) -> Outcome:
    outcome = Outcome()
    for connection_id, status in zip(connection_ids, statuses, strict=True):
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            outcome.served.append(connection_id)
        elif status in GONE:
            outcome.gone.append(connection_id)
        elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            outcome.served.append(connection_id)  # the same frame would be too large again
            _log.error("a frame is too large for the gateway")
        else:
            outcome.failed.append(connection_id)
    if HTTPStatus.TOO_MANY_REQUESTS in statuses:
        outcome.forfeited = FORFEIT
    return outcome
