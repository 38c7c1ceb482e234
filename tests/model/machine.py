"""What the state machines have in common: how entries travel, what Redis may lose on the way, and how a machine is run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from shared.boards.redis import Leaderboard
from shared.ledger.catch_up import Pipeline
from shared.ledger.events import ScoreAccepted
from shared.ledger.redis import Outbox
from shared.ledger.relay_outbox import relay_outbox
from tests.model.world import Broker, Crash, Fate, Killed, RedisWorld, WorldClock

STEPS = 30
MOST_ENTRIES = 10**6


class Travelling(RuleBasedStateMachine):
    """`accepted` holds everything that the scripts took, by request id; `acknowledged` are those of whom somebody was told.

    While `is_behind`, Redis has an earlier state.
    """

    board: Leaderboard
    outbox: Outbox
    redis: RedisWorld
    broker: Broker
    pipeline: Pipeline

    def __init__(self) -> None:
        super().__init__()
        self.accepted: dict[str, ScoreAccepted] = {}
        self.acknowledged: set[str] = set()
        self.earlier: tuple[dict[bytes, bytes], set[str]] | None = None
        self.is_behind = False

    def forget_everything(self) -> None:
        """FLUSHALL. What nobody but Redis had is gone, and it must have been promised to nobody."""
        self.redis.empty()
        self.is_behind = False

    def recorded(self) -> set[str]:
        """Request ids of ours in the ledger."""
        raise NotImplementedError

    def in_outbox(self) -> set[str]:
        return {event.request_id for event in self.outbox.pending(0, 10_000)}

    def only_in_redis(self) -> set[str]:
        return set(self.accepted) - self.broker.waiting() - self.recorded()

    def are_lost(self, request_ids: set[str]) -> None:
        """Nobody was promised these, and no store has them any more."""
        for request_id in request_ids:
            del self.accepted[request_id]

    @rule(fate=st.sampled_from([fate for fate in Fate if fate is not Fate.REDIS_EMPTIED]))
    def relay(self, fate: Fate) -> None:
        """May die like anybody else."""
        self.broker.fate = fate
        with suppress(Killed):
            relay_outbox(replace(self.pipeline, clock=WorldClock()), self.broker, MOST_ENTRIES)
        self.broker.fate = Fate.GOOD

    def others_go_on(self) -> None:
        """While somebody waits, the consumer and the relay work."""
        if self.broker.has_consumer:
            self.broker.consume(len(self.broker.queue))
            self.relay(Fate.GOOD)

    @rule(count=st.integers(1, 20), crash=st.sampled_from(Crash))
    def consume(self, count: int, crash: Crash) -> None:
        self.broker.consume(count, crash)

    @precondition(lambda self: self.broker.queue)
    @rule(data=st.data())
    def deliver_in_another_order_and_twice(self, data: st.DataObject) -> None:
        queue = data.draw(st.permutations(self.broker.queue[:6]))
        self.broker.queue[:6] = [*queue, data.draw(st.sampled_from(queue))]

    @rule()
    def empty_redis(self) -> None:
        lost = self.only_in_redis()
        assume(not lost & self.acknowledged)  # acknowledged while the broker is away, and Redis lost before it is back
        self.forget_everything()
        self.are_lost(lost)
        self.earlier = None if lost else self.earlier

    @precondition(lambda self: self.board.is_whole() and not self.is_behind)
    @rule()
    def redis_is_copied(self) -> None:
        """To a replica that lags from now on, or to a file."""
        self.earlier = self.redis.dump(), self.in_outbox()

    @precondition(lambda self: self.earlier is not None)
    @rule()
    def redis_goes_back(self) -> None:
        """Another Redis takes over, and lacks what was written since."""
        dump, in_outbox = self.earlier or ({}, set())
        lost = self.only_in_redis() - in_outbox
        assume(not lost & self.acknowledged)  # as when Redis is emptied
        self.redis.go_back(dump)
        self.are_lost(lost)
        self.is_behind = True


def run_machine(make: Callable[[], RuleBasedStateMachine], examples: int) -> None:
    """So many runs; the same ones each time unless it is to look deeper."""
    made: Any = make  # hypothesis calls what it is given
    run_state_machine_as_test(
        made,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=examples <= 1000,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
