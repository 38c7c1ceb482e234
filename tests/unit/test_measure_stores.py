"""What measure_stores makes of what the stores say, or do not say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core import metrics
from shared.core.errors import PostgresUnavailable, RedisUnavailable
from shared.ledger.balance import Balance, Gap
from shared.ledger.events import Number
from shared.ledger.ports import QueueState
from shared.operations.measure_stores import Gauges, measure_stores
from shared.operations.overview import BoardState, LedgerState
from shared.operations.readiness import CAPABILITIES, Report
from shared.reconciliation.model import PastRun

WELL = Report({}, {}, 0.0)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class World:
    """All gauges in one, and a clock that stands."""

    def __init__(self, messages: Mapping[str, int], **down: Exception) -> None:
        self.messages = messages
        self.down = down
        self.recorded: list[tuple[str, datetime]] = []
        self.balance: Balance | None = None

    def now(self) -> datetime:
        return NOW

    def gauges(self) -> Gauges:
        away: dict[str, Any] = {name: _Away(error) for name, error in self.down.items()}
        board, queues, ledger = (
            away.get("redis", _Board()),
            away.get("rabbitmq", _Queues(self)),
            away.get("postgresql", _Ledger(self)),
        )
        runs: Any = _Runs()
        watch: Any = _Watch()
        clock: Any = self
        return Gauges(board, queues, ledger, runs, watch, clock, lambda: self.balance)


class _Away:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self) -> Any:
        raise self._error


class _Board:
    def read(self) -> BoardState:
        return BoardState(5, True, 100, 3, 1.5)


class _Queues:
    def __init__(self, world: World) -> None:
        self._world = world

    def read(self) -> QueueState:
        return QueueState(self._world.messages, dict.fromkeys(self._world.messages, 1), sum(self._world.messages.values()), 0)

    def queue_of(self, user_id: str) -> str:
        return f"history.{user_id}"


class _Ledger:
    def __init__(self, world: World) -> None:
        self._world = world

    def read(self) -> LedgerState:
        return LedgerState(7, {"parked": 2, "discarded": 9}, 7, 0, NOW - timedelta(seconds=30), 0)

    def newest_updates(self, limit: int) -> list[tuple[str, datetime]]:
        return self._world.recorded


class _Runs:
    def newest(self, limit: int, before_id: int | None) -> list[PastRun]:
        return [PastRun(1, NOW - timedelta(hours=2), NOW - timedelta(hours=1), False, True, 5, 0, [])]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asks for {name}")


class _Watch:
    def waiting_since(self, messages: Mapping[str, int], now: datetime) -> dict[str, datetime]:
        return {queue: now - timedelta(seconds=100) for queue, count in messages.items() if count}


def told() -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name.removeprefix("scoreboard_"): family.values for family in metrics.registry.read() if family.kind == "gauge"
    }


def test_what_the_stores_say_is_told() -> None:
    assert measure_stores(World({"history.a": 4, "history.b": 0}).gauges(), WELL) == dict.fromkeys(
        ("redis", "rabbitmq", "postgresql"), True
    )
    found = told()
    assert found["queue_messages"] == {("history.a",): 4, ("history.b",): 0}
    assert found["queue_consumers"] == {("history.a",): 1, ("history.b",): 1}
    assert found["outbox_entries"] == {(): 3}
    assert found["outbox_oldest_age_seconds"] == {(): 1.5}
    assert found["dead_letters"] == {("waiting",): 0, ("parked",): 2, ("redriven",): 0}
    assert found["audit_last_seal_timestamp_seconds"] == {(): NOW.timestamp() - 30}
    assert found["reconciliation_last_success_timestamp_seconds"] == {(): NOW.timestamp() - 3600}
    assert found["dependency_up"] == {("redis",): 1, ("rabbitmq",): 1, ("postgresql",): 1}


def test_updates_in_flight_are_told_while_the_outbox_is_short_enough_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({})
    measure_stores(world.gauges(), WELL)
    assert told()["updates_in_flight"] == {}, "no update was accepted yet"
    world.balance = Balance(Number(2, 9), 1, [Gap(1, 4, 6), Gap(2, 9, 9)], 0)
    measure_stores(world.gauges(), WELL)
    assert told()["updates_in_flight"] == {(): 4}
    monkeypatch.setattr("shared.operations.measure_stores.MAX_OUTBOX", 2)
    measure_stores(world.gauges(), WELL)
    assert told()["updates_in_flight"] == {}


def test_what_the_instance_can_do_is_told() -> None:
    measure_stores(World({}).gauges(), Report({}, {"record": "PostgreSQL is read-only", "logIn": "the same"}, 0.5))
    assert told()["capability"] == {(name,): name not in ("record", "logIn") for name in CAPABILITIES}


def test_a_queue_is_as_old_as_it_was_not_empty_but_never_older_than_what_came_out_of_it() -> None:
    world = World({"history.a": 4, "history.b": 4, "history.c": 0})
    world.recorded = [("a", NOW - timedelta(seconds=8)), ("a", NOW - timedelta(seconds=9)), ("b", NOW - timedelta(hours=1))]
    measure_stores(world.gauges(), WELL)
    assert told()["queue_oldest_message_age_seconds"] == {("history.a",): 8, ("history.b",): 100, ("history.c",): 0}


def test_of_a_store_that_is_down_nothing_old_is_told() -> None:
    measure_stores(World({"history.a": 4}).gauges(), WELL)
    assert measure_stores(World({"history.a": 4}, redis=RedisUnavailable(), postgresql=PostgresUnavailable()).gauges(), WELL) == {
        "redis": False,
        "rabbitmq": True,
        "postgresql": False,
    }
    found = told()
    assert found["dependency_up"] == {("redis",): 0, ("rabbitmq",): 1, ("postgresql",): 0}
    assert found["queue_messages"] == {("history.a",): 4}
    for name in ("outbox_entries", "queue_oldest_message_age_seconds", "audit_last_seal_timestamp_seconds"):
        assert found[name] == {}, name


def test_what_is_no_outage_is_a_fault_and_leaves_nothing_old_either() -> None:
    measure_stores(World({"history.a": 4}).gauges(), WELL)
    with pytest.raises(LookupError):
        measure_stores(World({"history.a": 4}, rabbitmq=LookupError()).gauges(), WELL)
    assert told()["queue_messages"] == {}
