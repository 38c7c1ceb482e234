"""The game itself: players join, score at a human pace, one viewer watches, and in the end the sums are compared."""

from __future__ import annotations

import heapq
import random
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field

from scoreboard_client import Scoreboard, ScoreboardError

from local_runtime.simulate.crew import Crew
from local_runtime.simulate.player import SimulatedPlayer, Unreachable
from local_runtime.simulate.tally import Tally

JOINING_AT_ONCE = 8
MAX_THREADS = 64
# Within 100 updates in any 60 s, whatever the jitter.
PAUSE_SECONDS = (0.65, 1.35)
INCREMENTS = (1, 5)
TICK_SECONDS = 0.2
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
    tls: ssl.SSLContext | None
    players: int
    seconds: float
    crew: Crew = field(default_factory=Crew)

    def join(self, joined: Callable[[], None]) -> list[SimulatedPlayer]:
        """Register and log in all players; `joined` is told of each. Raises Unreachable."""
        run = secrets.token_hex(3)
        try:
            scoreboards = [Scoreboard(self.base_url, tls=self.tls) for _ in range(self.players)]
        except ValueError as error:
            raise Unreachable(str(error)) from None
        with _closed_on_failure(scoreboards), _pool(JOINING_AT_ONCE) as (pool, stop):
            futures = [
                pool.submit(SimulatedPlayer.join, each, f"sim-{run}-{n}", self.crew, stop) for n, each in enumerate(scoreboards)
            ]
            for future in as_completed(futures):
                future.result()
                joined()
        return [future.result() for future in futures]

    def play(self, players: Sequence[SimulatedPlayer], tally: Tally, tick: Callable[[float], None]) -> float:
        """Score until the time is over or somebody presses Ctrl-C, and until what was sent is answered; returns the seconds that
        were played. `tick` is told the seconds gone, several times a second. Raises Unreachable.
        """
        began = time.monotonic()
        threads = min(MAX_THREADS, len(players))
        over = threading.Event()
        with _closed_on_failure([player.scoreboard for player in players]), _pool(threads + 1) as (pool, stop):
            pool.submit(_watch, players[0].scoreboard, tally, over)
            futures = [pool.submit(_play, players[n::threads], tally, over, stop) for n in range(threads)]
            try:
                while (gone := time.monotonic() - began) < self.seconds and not any(future.done() for future in futures):
                    tick(gone)
                    time.sleep(min(TICK_SECONDS, max(0.0, self.seconds - gone)))
            except KeyboardInterrupt:
                pass
            finally:
                over.set()
            gone = min(time.monotonic() - began, self.seconds)
            for future in futures:
                future.result()
        tick(gone)
        return gone

    def differences(self, players: Sequence[SimulatedPlayer]) -> list[Difference]:
        """Players whose shown score is not the acknowledged sum; raises Unreachable."""
        try:
            with _pool(min(MAX_THREADS, len(players))) as (pool, stop):
                shown = list(pool.map(lambda player: player.shown_score(stop), players))
        finally:
            for player in players:
                player.scoreboard.close()
        return [
            Difference(player.username, player.acknowledged, score)
            for player, score in zip(players, shown, strict=True)
            if player.acknowledged != score
        ]


@contextmanager
def _pool(threads: int) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """Threads, and an event that ends their waiting; it is set when the block is left, however that happens."""
    stop = threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield pool, stop
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            stop.set()


@contextmanager
def _closed_on_failure(scoreboards: Sequence[Scoreboard]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for scoreboard in scoreboards:
            scoreboard.close()
        raise


def _watch(scoreboard: Scoreboard, tally: Tally, over: threading.Event) -> None:
    """One viewer; the game goes on without."""
    while not over.is_set():
        try:
            for board in scoreboard.watch(stop=over):
                tally.seen(board, time.monotonic())
        except ScoreboardError:
            over.wait(RECONNECT_SECONDS)


def _play(players: Sequence[SimulatedPlayer], tally: Tally, over: threading.Event, stop: threading.Event) -> None:
    dice = random.Random()  # noqa: S311 - a game
    now = time.monotonic()
    due = [(now + dice.uniform(0, PAUSE_SECONDS[1]), n) for n in range(len(players))]
    heapq.heapify(due)
    while not over.wait(max(0.0, due[0][0] - time.monotonic())):
        _, n = due[0]
        player, began, increment = players[n], time.monotonic(), dice.randint(*INCREMENTS)
        user_id = player.scoreboard.user_id
        tally.sent(user_id, player.acknowledged + increment, began)
        refusal = player.score(increment, stop, tally.refuse)
        pause = dice.uniform(*PAUSE_SECONDS)
        if refusal is None:
            tally.accept(time.monotonic() - began)
        else:
            tally.refuse(refusal)
            tally.forget(user_id)
            pause = max(refusal.retry_after_seconds or 0.0, pause)
        heapq.heapreplace(due, (began + pause, n))
