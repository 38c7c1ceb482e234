"""Faults while players play and viewers watch, and what came of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from tests.cluster.game import Game, count
from tests.cluster.hosts import faults
from tests.cluster.hosts.cluster import Cluster
from tests.cluster.hosts.faults import Fault
from tests.cluster.hosts.host import Host
from tests.cluster.hosts.viewers import Viewer
from tests.cluster.machine import say
from tests.cluster.namespaces import in_network
from tests.e2e.persistent_players import out_of_order
from tests.support.product import query
from tests.support.waiting import eventually

PLAYERS = 6
STEADY_SECONDS, FAULT_SECONDS, AFTER_SECONDS, TAIL_SECONDS = 5.0, 60.0, 15.0, 5.0
LONGEST_PAUSE_SECONDS = 180.0
EXACT_SECONDS = 180.0
END_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one scenario, in seconds."""

    scenario: str
    pause: float  # the longest time in which nobody had an acknowledgement
    wait: float  # the longest time in which one player had none
    viewers_back: float  # from the end of the fault until everybody who watches had a frame
    exact: float  # from the last acknowledgement until every instance and the ledger had it all
    says: str = ""  # what else there is to say


class Scenarios:
    """Run them with `run`; AssertionError when a promise was broken."""

    def __init__(self, cluster: Cluster, viewers: Mapping[str, Viewer]) -> None:
        self._cluster = cluster
        self._viewers = viewers
        self._game = Game([cluster.api(host) for host in cluster.hosts], PLAYERS, longest_pause_seconds=LONGEST_PAUSE_SECONDS)

    def all(self) -> dict[str, Callable[[str], Measured]]:
        """By what is done."""
        return {
            "the host with all primaries switched off, after a minute on again": partial(self._under, faults.switched_off),
            "the host with the primary Redis cut off for a minute": partial(self._under, faults.cut_off),
            "what that host sends is lost for a minute": partial(self._under, faults.mute),
            "what is sent to that host is lost for a minute": partial(self._under, faults.deaf),
            f"{faults.LOST_SHARE:.0%} of all packets lost for a minute": partial(self._under, faults.lossy),
            f"{faults.RTT_MILLISECONDS:g} ms between all hosts for a minute": partial(self._under, faults.slow),
            "replication lost, then the primary Redis": self._lose_the_tail,
            "that host cut off with players on its side": self._split,
        }

    def run(self, name: str, scenario: Callable[[str], Measured]) -> Measured:
        """One of them, from a cluster that is whole to one that is."""
        self._cluster.wait_whole()
        say(f"{name}:")
        measured = scenario(name)
        began = time.monotonic()
        self._cluster.wait_whole()
        say(
            f"  longest pause {measured.pause:.1f} s, of one player {measured.wait:.1f} s; viewers back"
            f" {measured.viewers_back:.1f} s after the end; exact {measured.exact:.1f} s after the last acknowledgement;"
            f" then waited {time.monotonic() - began:.1f} s for all servers to be in their places. {measured.says}"
        )
        return measured

    def _under(self, fault: Fault, name: str) -> Measured:
        host = self._cluster.redis.primary()
        says = self._what_it_has(host)
        with self._game.playing():
            time.sleep(STEADY_SECONDS)
            with fault(self._cluster, host):
                time.sleep(FAULT_SECONDS)
            ended_at = time.monotonic()
            time.sleep(AFTER_SECONDS)
        return self._settle(name, ended_at, says)

    def _what_it_has(self, host: Host) -> str:
        """Of what one host has at a time, beside the primary Redis."""
        instance = self._cluster.products[host.name].runtime["instance_id"]
        sql = "SELECT count(*) FROM leases WHERE name = 'queue:score_history_queue' AND holder = :instance"
        [[consumes]] = query(self._cluster.postgresql.primary_url(), sql, instance=instance)
        role = "the primary" if self._cluster.postgresql.primary() is host else "a standby"
        return f"{host.name} had {role} of PostgreSQL, {'and' if consumes else 'not'} the consumer."

    def _lose_the_tail(self, name: str) -> Measured:
        """Updates go on while the replicas do not follow; then the primary is gone, and a replica takes over that lacks them."""
        redis, former = self._cluster.redis, self._cluster.redis.primary()
        redis.accept_alone(alone=True)
        with self._game.playing():
            time.sleep(STEADY_SECONDS)
            redis.stop_following()
            time.sleep(TAIL_SECONDS)
            before = self._game.acknowledged()
            ended_at = time.monotonic()
            former.kill("redis")
            redis.wait_other_primary(former)
            missing = sum(before.values()) - redis.points(before)
            redis.follow_again()
            former.start("redis")
            api = next(api for host, api in zip(self._cluster.hosts, self._game.apis, strict=True) if host is not former)
            eventually(lambda: _has(self._game.board(api), before), EXACT_SECONDS, "what was missing is on the board again")
            repaired = time.monotonic() - ended_at
            time.sleep(AFTER_SECONDS)
        redis.accept_alone(alone=False)
        assert missing > 0, "nothing was missing: the replicas followed"
        says = f"{missing} points were missing from the new primary; they were on the board after {repaired:.1f} s."
        return self._settle(name, ended_at, says)

    def _split(self, name: str) -> Measured:
        """The old primary has an instance and a player on its side, the new one the others."""
        host = self._cluster.redis.primary()
        inside = Game([self._cluster.api(host)], longest_pause_seconds=LONGEST_PAUSE_SECONDS)
        with _playing_at(host, inside), self._game.playing():
            time.sleep(STEADY_SECONDS)
            with faults.cut_off(self._cluster, host):
                at_first = sum(inside.points)
                time.sleep(FAULT_SECONDS)
                apart = sum(inside.points) - at_first
            ended_at = time.monotonic()
            time.sleep(AFTER_SECONDS)
        return self._settle(name, ended_at, f"{apart} points were acknowledged on the side of the old primary.", inside)

    def _settle(self, name: str, ended_at: float, says: str, *others: Game) -> Measured:
        """Nobody plays any more: wait until everything agrees."""
        game, games, played_until = self._game, (self._game, *others), time.monotonic()
        ledger = self._cluster.postgresql.primary_url()
        for each in games:
            wanted = each.acknowledged()
            for api in game.apis:
                eventually(lambda: each.board(api) == wanted, EXACT_SECONDS, f"an instance shows {wanted}")  # noqa: B023
            eventually(lambda: _recorded(ledger, wanted) == wanted, EXACT_SECONDS, f"the ledger has {wanted}")  # noqa: B023
        exact = time.monotonic() - played_until
        told = count(game, self._cluster.verb, EXACT_SECONDS)
        lost = [line for line in told.splitlines() if line.startswith("lost")]
        assert out_of_order(ledger, list(game.acknowledged())) == 0, "a history is out of order"
        for host, viewer in self._viewers.items():
            eventually(lambda: _has(viewer.shown, game.acknowledged()), EXACT_SECONDS, f"viewers at {host} see it")  # noqa: B023
        back = max(viewer.back_after(ended_at) for viewer in self._viewers.values())
        return Measured(name, game.longest_pause(), game.longest_wait(), back, exact, " ".join([says, *lost]))


def _recorded(ledger: str, user_ids: Iterable[str]) -> dict[str, int]:
    """Points in the ledger by player."""
    sql = "SELECT user_id, sum(increment) FROM score_history WHERE user_id = ANY(CAST(:ids AS text[])) GROUP BY user_id"
    return {user_id: int(points) for user_id, points in query(ledger, sql, ids=list(user_ids))}


def _has(board: Mapping[str, int], points: Mapping[str, int]) -> bool:
    """Whether it shows so much of everybody, or more."""
    return all(board.get(user_id, -1) >= wanted for user_id, wanted in points.items())


@contextmanager
def _playing_at(host: Host, game: Game) -> Iterator[None]:
    """While its players are on the host itself."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def play() -> None:
        try:
            with in_network(host.port.namespace), game.playing():
                ended.wait()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(END_SECONDS)
    if failures:
        raise failures[0]
