"""The game itself: players join, score at a human pace, one viewer watches, and in the end the sums are compared."""

from __future__ import annotations

import heapq
import json
import random
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from local_runtime.simulate.client import ApiClient, SimulatedPlayer
from local_runtime.simulate.tally import Tally

JOINING_AT_ONCE = 8
MAX_THREADS = 64
# Within 100 updates in any 60 s, whatever the jitter.
PAUSE_SECONDS = (0.65, 1.35)
INCREMENTS = (1, 5)


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
        with ThreadPoolExecutor(JOINING_AT_ONCE) as pool:
            futures = [
                pool.submit(SimulatedPlayer.join, ApiClient(self.base_url, self.tls), f"sim-{run}-{n}")
                for n in range(self.players)
            ]
            for future in as_completed(futures):
                future.result()
                joined()
        return [future.result() for future in futures]

    def play(self, players: Sequence[SimulatedPlayer], tally: Tally, tick: Callable[[float], None]) -> None:
        """Score until the time is over; `tick` is told the seconds gone, several times a second. Raises Unreachable."""
        over = threading.Event()
        began = time.monotonic()
        viewer = threading.Thread(target=self._watch, args=(players[0], tally, over), daemon=True)
        viewer.start()
        threads = min(MAX_THREADS, len(players))
        with ThreadPoolExecutor(threads) as pool:
            futures = [pool.submit(_play, players[n::threads], tally, over) for n in range(threads)]
            while (gone := time.monotonic() - began) < self.seconds and not any(future.done() for future in futures):
                tick(gone)
                time.sleep(min(0.2, max(0.0, self.seconds - gone)))
            over.set()
            for future in futures:
                future.result()
        tick(self.seconds)
        viewer.join(2.0)

    def differences(self, players: Sequence[SimulatedPlayer]) -> list[Difference]:
        """Players whose shown score is not the acknowledged sum; raises Unreachable."""
        with ThreadPoolExecutor(min(MAX_THREADS, len(players))) as pool:
            shown = list(pool.map(SimulatedPlayer.shown_score, players))
        for player in players:
            player.client.close()
        return [
            Difference(player.username, player.acknowledged, score)
            for player, score in zip(players, shown, strict=True)
            if player.acknowledged != score
        ]

    def _watch(self, player: SimulatedPlayer, tally: Tally, over: threading.Event) -> None:
        client = ApiClient(self.base_url, self.tls)
        client.access_token = player.client.access_token
        while not over.is_set():
            try:
                ticket = client.request("POST", "/api/ws-tickets").body["data"]["ticket"]
                with connect(f"{self.ws_url}?ticket={ticket}", ssl=self.tls, proxy=None) as viewer:
                    while not over.is_set():
                        json.loads(viewer.recv(timeout=1.0))
                        tally.frame()
            except TimeoutError:
                continue  # nobody scored for a second
            except (OSError, WebSocketException):
                over.wait(0.5)
        client.close()


def _play(players: Sequence[SimulatedPlayer], tally: Tally, over: threading.Event) -> None:
    dice = random.Random()  # noqa: S311 - a game
    now = time.monotonic()
    due = [(now + dice.uniform(0, PAUSE_SECONDS[1]), n) for n in range(len(players))]
    heapq.heapify(due)
    while not over.wait(max(0.0, due[0][0] - time.monotonic())):
        _, n = due[0]
        began = time.monotonic()
        status, wait_seconds = players[n].score(dice.randint(*INCREMENTS))
        tally.update(status, time.monotonic() - began)
        heapq.heapreplace(due, (began + max(wait_seconds, dice.uniform(*PAUSE_SECONDS)), n))
