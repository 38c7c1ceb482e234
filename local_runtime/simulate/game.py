"""The game itself: players join, score at a human pace, one viewer watches, and in the end the sums are compared."""

from __future__ import annotations

import heapq
import json
import random
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from local_runtime.simulate.client import ApiClient, Unreachable
from local_runtime.simulate.player import SimulatedPlayer
from local_runtime.simulate.tally import Tally

JOINING_AT_ONCE = 8
MAX_THREADS = 64
# Within 100 updates in any 60 s, whatever the jitter.
PAUSE_SECONDS = (0.65, 1.35)
INCREMENTS = (1, 5)
TICK_SECONDS = 0.2
QUIET_SECONDS = 1.0
RECONNECT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """A player whose shown score is not what was acknowledged."""

    username: str
    acknowledged: int
    shown: int


@dataclass(frozen=True, slots=True)
class Game:
    """A simulation against one instance."""

    base_url: str
    ws_url: str
    tls: ssl.SSLContext | None
    players: int
    seconds: float

    def join(self, joined: Callable[[], None]) -> list[SimulatedPlayer]:
        """Register and log in all players; `joined` is told of each. Raises Unreachable."""
        run = secrets.token_hex(3)
        clients = [ApiClient(self.base_url, self.tls) for _ in range(self.players)]
        with _closed_on_failure(clients), _pool(JOINING_AT_ONCE) as (pool, over):
            futures = [pool.submit(SimulatedPlayer.join, client, f"sim-{run}-{n}", over) for n, client in enumerate(clients)]
            for future in as_completed(futures):
                future.result()
                joined()
        return [future.result() for future in futures]

    def play(self, players: Sequence[SimulatedPlayer], tally: Tally, tick: Callable[[float], None]) -> None:
        """Score until the time is over; `tick` is told the seconds gone, several times a second. Raises Unreachable."""
        began = time.monotonic()
        threads = min(MAX_THREADS, len(players))
        with _closed_on_failure([player.client for player in players]), _pool(threads + 1) as (pool, over):
            pool.submit(self._watch, players[0], tally, over)
            futures = [pool.submit(_play, players[n::threads], tally, over) for n in range(threads)]
            while (gone := time.monotonic() - began) < self.seconds and not any(future.done() for future in futures):
                tick(gone)
                time.sleep(min(TICK_SECONDS, max(0.0, self.seconds - gone)))
            over.set()
            for future in futures:
                future.result()
        tick(self.seconds)

    def differences(self, players: Sequence[SimulatedPlayer]) -> list[Difference]:
        """Players whose shown score is not the acknowledged sum; raises Unreachable."""
        try:
            with _pool(min(MAX_THREADS, len(players))) as (pool, over):
                shown = list(pool.map(lambda player: player.shown_score(over), players))
        finally:
            for player in players:
                player.client.close()
        return [
            Difference(player.username, player.acknowledged, score)
            for player, score in zip(players, shown, strict=True)
            if player.acknowledged != score
        ]

    def _watch(self, player: SimulatedPlayer, tally: Tally, over: threading.Event) -> None:
        """Hold one viewer, connected again whenever it is lost."""
        client = ApiClient(self.base_url, self.tls)
        while not over.is_set():
            client.access_token = player.client.access_token
            try:
                ticket = client.request("POST", "/api/ws-tickets").data["ticket"]
                with connect(
                    f"{self.ws_url}?ticket={ticket}", ssl=self.tls, proxy=None, open_timeout=5, close_timeout=1
                ) as viewer:
                    _receive(viewer, tally, over)
            except (OSError, WebSocketException, Unreachable):
                over.wait(RECONNECT_SECONDS)
        client.close()


@contextmanager
def _pool(threads: int) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """Threads, and an event that ends them; it is set when the block is left, however that happens."""
    over = threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield pool, over
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            over.set()


@contextmanager
def _closed_on_failure(clients: Sequence[ApiClient]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for client in clients:
            client.close()
        raise


def _receive(viewer: ClientConnection, tally: Tally, over: threading.Event) -> None:
    while not over.is_set():
        try:
            frame = viewer.recv(timeout=QUIET_SECONDS)
        except TimeoutError:
            continue  # nobody scored for a while
        tally.seen(json.loads(frame), time.monotonic())


def _play(players: Sequence[SimulatedPlayer], tally: Tally, over: threading.Event) -> None:
    dice = random.Random()  # noqa: S311 - a game
    now = time.monotonic()
    due = [(now + dice.uniform(0, PAUSE_SECONDS[1]), n) for n in range(len(players))]
    heapq.heapify(due)
    while not over.wait(max(0.0, due[0][0] - time.monotonic())):
        _, n = due[0]
        player, began = players[n], time.monotonic()
        answer = player.score(dice.randint(*INCREMENTS), over, partial(tally.sent, player.user_id, at=began))
        tally.answered(player.user_id, answer, time.monotonic() - began)
        heapq.heapreplace(due, (began + max(answer.retry_after_seconds, dice.uniform(*PAUSE_SECONDS)), n))
