"""What the findings of the probes mean for what an instance can do, and what keeps asking costs and tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.core.clock import SystemClock
from shared.core.errors import NotReady, RedisUnavailable
from shared.core.secret_keys import KeyPrint
from shared.operations.check_health import Probes, Readiness, check_health
from shared.operations.installation import Installation, KnownKey
from shared.operations.readiness import (
    ACCEPT,
    BROADCAST,
    CAPABILITIES,
    LOG_IN,
    READ,
    RECORD,
    BrokerFinding,
    DatabaseFinding,
    Findings,
    RedisFinding,
    problems_of,
)
from shared.stores.postgresql.last_answer import LastAnswer
from tests.support.waiting import eventually

PAYLOAD, SIGNING = KeyPrint("payload", "p1", "f1"), KeyPrint("signing", "s1", "f2")
OWN = [PAYLOAD, SIGNING]
OURS = Installation("ours", (KnownKey(PAYLOAD, None), KnownKey(SIGNING, None)))
WELL = Findings(RedisFinding(True, True, "ours"), BrokerFinding(), DatabaseFinding({}, OURS))


def with_key(key: KeyPrint, retired_seconds: float | None = None) -> Findings:
    return replace(WELL, database=DatabaseFinding({}, replace(OURS, keys=(*OURS.keys, KnownKey(key, retired_seconds)))))


def redis(**found: Any) -> Findings:
    return replace(WELL, redis=replace(RedisFinding(True, True, "ours"), **found))


CASES: dict[str, tuple[Findings, dict[str, str]]] = {
    "all is well": (WELL, {}),
    "an emptied Redis is nobody's": (redis(holder=None), {}),
    "Redis is away": (
        replace(WELL, redis=None),
        dict.fromkeys((ACCEPT, BROADCAST, LOG_IN, READ), "Redis does not answer"),
    ),
    "Redis is full": (redis(unwritable="full"), dict.fromkeys((ACCEPT, BROADCAST, LOG_IN), "full")),
    "Redis is loading": (
        redis(unwritable="loading", unreadable="loading", is_whole=False),
        dict.fromkeys((ACCEPT, BROADCAST, LOG_IN, READ), "loading"),
    ),
    "the board is being rebuilt": (
        redis(is_whole=False),
        dict.fromkeys((ACCEPT, READ), "rebuilding: the leaderboard is being filled from the ledger"),
    ),
    "the Redis of others": (redis(holder="theirs"), {ACCEPT: "REDIS_URL leads to the Redis of another installation (theirs)"}),
    "RabbitMQ is away": (replace(WELL, broker=None), dict.fromkeys((RECORD, BROADCAST), "RabbitMQ does not answer")),
    "a queue is missing": (replace(WELL, broker=BrokerFinding({BROADCAST: "missing"})), {BROADCAST: "missing"}),
    "PostgreSQL is away": (
        replace(WELL, database=None, database_away_seconds=59.0),
        dict.fromkeys((RECORD, LOG_IN), "PostgreSQL does not answer"),
    ),
    "PostgreSQL has been away for longer than profiles are remembered": (
        replace(WELL, database=None, database_away_seconds=61.0),
        {
            **dict.fromkeys((RECORD, LOG_IN), "PostgreSQL does not answer"),
            ACCEPT: "PostgreSQL does not answer, and the profiles of players are remembered for a minute",
        },
    ),
    "another Redis serves": (redis(is_open=False), {}),
    "another Redis serves, and PostgreSQL is away": (
        replace(redis(is_open=False), database=None),
        {
            **dict.fromkeys((RECORD, LOG_IN), "PostgreSQL does not answer"),
            ACCEPT: "rebuilding: PostgreSQL does not answer, and another Redis needs it to number updates",
        },
    ),
    "PostgreSQL is read-only": (
        replace(WELL, database=DatabaseFinding(dict.fromkeys((RECORD, LOG_IN), "read-only"), OURS)),
        dict.fromkeys((RECORD, LOG_IN), "read-only"),
    ),
    "another instance seals with a key that is not here": (
        with_key(KeyPrint("payload", "p2", "f3")),
        {RECORD: "the key `p2` is missing here, with which messages are sealed"},
    ),
    "another instance signs with a key that is not here": (
        with_key(KeyPrint("signing", "s2", "f3")),
        {ACCEPT: "the key `s2` is missing here, with which access tokens are signed"},
    ),
    "a key of the same id that is another one": (
        replace(WELL, database=DatabaseFinding({}, Installation("ours", (KnownKey(KeyPrint("payload", "p1", "f9"), None),)))),
        {RECORD: "the key `p1` is missing here, with which messages are sealed"},
    ),
    "a key that was replaced long ago": (with_key(KeyPrint("payload", "p0", "f0"), 3600.0), {}),
    "a database without identities": (replace(WELL, database=DatabaseFinding({}, None)), {}),
}


@pytest.mark.parametrize(("found", "problems"), CASES.values(), ids=CASES)
def test_what_is_found_means(found: Findings, problems: dict[str, str]) -> None:
    assert problems_of(found, OWN) == problems


class Stores:
    """Probes that answer, fail or hang as told."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = 0
        self.away = False
        self.go = threading.Event()
        self.go.set()

    def redis(self) -> RedisFinding:
        self.asked += 1
        self.go.wait(30)
        if self.away:
            raise RedisUnavailable
        return RedisFinding(True, True, "ours")

    def close(self) -> None:
        self.closed += 1

    @property
    def probes(self) -> Probes:
        return Probes(self.redis, BrokerFinding, lambda: DatabaseFinding({}, OURS), self.close)


class Clock(SystemClock):
    """The system's, put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readiness(stores: Stores, clock: Clock) -> Iterator[Readiness]:
    made = Readiness(stores.probes, lambda: OWN, clock, LastAnswer().seconds_ago)
    yield made
    stores.go.set()
    made.close()


def test_the_first_answer_is_waited_for(readiness: Readiness) -> None:
    document = check_health(readiness)
    assert document.pop("ageSeconds") >= 0
    assert document == {
        **dict.fromkeys(("redis", "rabbitmq", "postgresql"), "up"),
        "status": "ready",
        "capabilities": {name: {"ok": True} for name in CAPABILITIES},
    }


def test_asking_is_not_probing(readiness: Readiness, stores: Stores) -> None:
    for _ in range(1000):
        readiness.latest()
    assert stores.asked < 100


def test_what_changes_is_found_without_being_asked_for_and_told_once(
    readiness: Readiness, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    assert check_health(readiness)["status"] == "ready"
    stores.away = True
    eventually(lambda: readiness.latest().status == "unavailable", 60, "the loss")
    with pytest.raises(NotReady, match="No update can be accepted: Redis does not answer") as refused:
        check_health(readiness)
    assert refused.value.extensions["data"]["redis"] == "down"
    assert refused.value.extensions["data"]["capabilities"]["record"] == {"ok": True}
    stores.away = False
    eventually(lambda: readiness.latest().status == "ready", 60, "all of it back")
    told = [record.getMessage() for record in caplog.records]
    assert told.count("dependency is down") == 1
    assert told.count("a capability is lost") == told.count("a capability is back") == 4


def test_a_store_that_hangs_is_given_up_and_then_holds_nobody_up(readiness: Readiness, stores: Stores, clock: Clock) -> None:
    assert readiness.latest().status == "ready"
    before = stores.asked
    stores.go.clear()
    eventually(lambda: stores.asked > before, 60, "a probe that hangs")
    clock.ahead = 10.0
    report = readiness.latest()
    assert (report.dependencies["redis"], report.problems[ACCEPT]) == ("down", "Redis does not answer")
    assert report.age_seconds >= 10
    stores.go.set()
    eventually(lambda: readiness.latest().status == "ready", 60, "all of it back")


def test_after_this_process_stood_still_nothing_old_is_told(readiness: Readiness, stores: Stores, clock: Clock) -> None:
    """As on Lambda, where nothing runs between two events."""
    assert readiness.latest().status == "ready"
    stores.away = True
    clock.ahead = 3600.0
    assert readiness.latest().status == "unavailable"


def test_the_probes_end_when_nobody_asks_and_begin_anew(readiness: Readiness, stores: Stores, clock: Clock) -> None:
    assert readiness.latest().status == "ready"
    clock.ahead = 100.0
    eventually(lambda: stores.closed == 1, 60, "the end of the probes")
    before = stores.asked
    assert readiness.latest().status == "ready"
    assert stores.asked > before


def test_what_is_unexpected_is_no_answer(clock: Clock, stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> RedisFinding:
        raise ZeroDivisionError

    readiness = Readiness(replace(stores.probes, redis=broken), lambda: OWN, clock, LastAnswer().seconds_ago)
    assert readiness.latest().dependencies == {"redis": "down", "rabbitmq": "up", "postgresql": "up"}
    readiness.close()
    assert any(record.getMessage() == "a probe failed" for record in caplog.records)
