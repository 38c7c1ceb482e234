"""The outbox: where an accepted update waits for the broker's confirm."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import redis

from shared.adapters.redis.connection import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.outbox import BEGINNING, RedisOutbox
from shared.domain.score import ScoreAccepted
from shared.errors import RedisUnavailable

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def keys() -> Keys:
    return Keys(f"{{{secrets.token_hex(6)}}}:")


@pytest.fixture
def outbox(redis_client: redis.Redis, keys: Keys) -> RedisOutbox:
    return RedisOutbox(redis_client, keys)


def add(client: redis.Redis, keys: Keys, entry_id: str = "*") -> tuple[str, ScoreAccepted]:
    """An entry as the script writes it."""
    event = ScoreAccepted(str(uuid4()), str(uuid4()), 3, 12, ACCEPTED_AT, "198.51.100.7")
    fields = {
        "request_id": event.request_id,
        "user_id": event.user_id,
        "increment": "3",
        "new_score": "12",
        "accepted_at": str(int(ACCEPTED_AT.timestamp() * 1000)),
        "source_ip": event.source_ip,
    }
    written = client.xadd(keys.outbox, fields, entry_id)  # type: ignore[arg-type]
    assert isinstance(written, bytes)
    return written.decode(), event


def test_an_empty_outbox_has_nothing_and_begins_at_the_beginning(outbox: RedisOutbox) -> None:
    assert outbox.pending(0, 10) == []
    assert outbox.newest_id() == BEGINNING
    assert outbox.waiting_up_to(BEGINNING) == 0
    outbox.settle([])
    outbox.settle(["1-1"])


def test_entries_come_oldest_first_and_no_more_than_asked_for(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    entries = [add(redis_client, keys) for _ in range(5)]
    assert outbox.pending(0, 10) == entries
    assert outbox.pending(0, 2) == entries[:2]


def test_only_those_who_waited_long_enough_are_given(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    seconds, _ = redis_client.time()
    old = add(redis_client, keys, f"{(seconds - 60) * 1000}-7")
    younger = add(redis_client, keys, f"{(seconds - 30) * 1000}-0")
    fresh = add(redis_client, keys)
    assert outbox.pending(3600, 10) == []
    assert outbox.pending(45, 10) == [old]
    assert outbox.pending(5, 10) == [old, younger]
    assert outbox.pending(0, 10) == [old, younger, fresh]


def test_what_is_settled_waits_no_longer(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    first, second, third = (add(redis_client, keys) for _ in range(3))
    outbox.settle([first[0], third[0]])
    assert outbox.pending(0, 10) == [second]
    outbox.settle([first[0], second[0]])
    assert outbox.pending(0, 10) == []


def test_the_newest_id_is_remembered_when_nothing_waits(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    ids = [add(redis_client, keys)[0] for _ in range(3)]
    assert outbox.newest_id() == ids[-1]
    outbox.settle(ids)
    assert outbox.newest_id() == ids[-1]


def test_later_entries_do_not_count_as_waiting(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    first, second = add(redis_client, keys)[0], add(redis_client, keys)[0]
    newest = outbox.newest_id()
    add(redis_client, keys)
    assert outbox.waiting_up_to(newest)
    outbox.settle([first])
    assert outbox.waiting_up_to(newest)
    outbox.settle([second])
    assert not outbox.waiting_up_to(newest)


def test_a_redis_that_is_away_is_told_so() -> None:
    away = RedisOutbox(connect("redis://127.0.0.1:1/0"), Keys())
    for ask in (away.newest_id, lambda: away.pending(5, 1), lambda: away.settle(["1-1"]), lambda: away.waiting_up_to("1-1")):
        with pytest.raises(RedisUnavailable):
            ask()


def test_a_clock_that_was_set_back_keeps_nothing_waiting(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    seconds, _ = redis_client.time()
    ahead = add(redis_client, keys, f"{(seconds + 3600) * 1000}-0")
    after = add(redis_client, keys)
    assert after[0] > ahead[0], "Redis goes on from its newest id"
    assert outbox.pending(5, 10) == [ahead, after]


def test_an_entry_that_cannot_be_read_is_set_aside(redis_client: redis.Redis, keys: Keys, outbox: RedisOutbox) -> None:
    by_hand = {b"request_id": b"x"}
    redis_client.xadd(keys.outbox, {"request_id": "x"})
    entry = add(redis_client, keys)
    assert outbox.pending(0, 10) == [entry]
    kept = redis_client.xrange(keys.outbox_malformed)
    assert [fields for _, fields in kept] == [by_hand]  # type: ignore[union-attr]
    assert redis_client.xlen(keys.outbox) == 1
