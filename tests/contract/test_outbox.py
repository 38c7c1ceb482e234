"""The outbox: where an accepted update waits until the ledger has it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.core.errors import RedisUnavailable
from shared.core.forks import process_name
from shared.ledger import redis as module
from shared.ledger.events import Number, ScoreAccepted, Unpublished
from shared.ledger.redis import BEGINNING, Outbox
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
OLD_FIELDS = (b"request_id", b"user_id", b"increment", b"new_score", b"accepted_at", b"source_ip")


@pytest.fixture
def keys() -> ShardKeys:
    return ShardKeys(f"{{{secrets.token_hex(6)}}}:")


@pytest.fixture
def outbox(redis_client: redis.Redis, keys: ShardKeys) -> Outbox:
    return Outbox(redis_client, keys)


def add(client: redis.Redis, keys: ShardKeys, entry_id: str = "*", process: str = "another") -> ScoreAccepted:
    """An entry as the script writes it."""
    event = ScoreAccepted(str(uuid4()), str(uuid4()), 3, 12, ACCEPTED_AT, "198.51.100.7", Number(2, 7), "", "key", 4)
    fields = {
        "request_id": event.request_id,
        "user_id": event.user_id,
        "increment": "3",
        "new_score": "12",
        "accepted_at": str(int(ACCEPTED_AT.timestamp() * 1000)),
        "source_ip": event.source_ip,
        "epoch": "2",
        "sequence": "7",
        "key_id": "key",
        "rank": "4",
        "process": process,
    }
    written = client.xadd(keys.outbox, fields, entry_id)  # type: ignore[arg-type]
    assert isinstance(written, bytes)
    return event._replace(outbox_id=written.decode())


def test_an_empty_outbox_has_nothing_and_begins_at_the_beginning(outbox: Outbox) -> None:
    assert outbox.pending(0, 10) == []
    assert outbox.newest_id() == BEGINNING
    assert outbox.waiting("", BEGINNING, 10) == []
    assert outbox.unpublished(0, 10) == Unpublished((), None)
    assert outbox.trim(0) == 0
    outbox.settle([])
    outbox.settle(["1-1"])


def test_entries_come_oldest_first_and_no_more_than_asked_for(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    entries = [add(redis_client, keys) for _ in range(5)]
    assert outbox.pending(0, 10) == entries
    assert outbox.pending(0, 2) == entries[:2]


def test_only_those_who_waited_long_enough_are_given(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    seconds, _ = redis_client.time()
    old = add(redis_client, keys, f"{(seconds - 60) * 1000}-7")
    younger = add(redis_client, keys, f"{(seconds - 30) * 1000}-0")
    fresh = add(redis_client, keys)
    assert outbox.pending(3600, 10) == []
    assert outbox.pending(45, 10) == [old]
    assert outbox.pending(5, 10) == [old, younger]
    assert outbox.pending(0, 10) == [old, younger, fresh]


def test_what_is_settled_waits_no_longer(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    first, second, third = (add(redis_client, keys) for _ in range(3))
    outbox.settle([first.outbox_id, third.outbox_id])
    assert outbox.pending(0, 10) == [second]
    outbox.settle([first.outbox_id, second.outbox_id])
    assert outbox.pending(0, 10) == []


def test_the_newest_id_is_remembered_when_nothing_waits(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    ids = [add(redis_client, keys).outbox_id for _ in range(3)]
    assert outbox.newest_id() == ids[-1]
    outbox.settle(ids)
    assert outbox.newest_id() == ids[-1]


def test_later_entries_do_not_count_as_waiting(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    first, second = add(redis_client, keys), add(redis_client, keys)
    newest = outbox.newest_id()
    add(redis_client, keys)
    assert outbox.waiting("", newest, 10) == [first, second]
    assert outbox.waiting("", newest, 1) == [first]
    assert outbox.waiting(first.outbox_id, newest, 10) == [second]
    outbox.settle([first.outbox_id])
    assert outbox.waiting("", newest, 10) == [second]
    outbox.settle([second.outbox_id])
    assert outbox.waiting("", newest, 10) == []


def test_a_redis_that_is_away_is_told_so() -> None:
    away = Outbox(connect("redis://127.0.0.1:1/0"), ShardKeys())
    for ask in (
        away.newest_id,
        lambda: away.pending(5, 1),
        lambda: away.unpublished(5, 1),
        lambda: away.published(["1-1"]),
        lambda: away.relayed("1-1"),
        lambda: away.settle(["1-1"]),
        lambda: away.waiting("", "1-1", 1),
        lambda: away.trim(1),
    ):
        with pytest.raises(RedisUnavailable):
            ask()


def test_a_clock_that_was_set_back_keeps_nothing_waiting(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    seconds, _ = redis_client.time()
    ahead = add(redis_client, keys, f"{(seconds + 3600) * 1000}-0")
    after = add(redis_client, keys)
    assert after.outbox_id > ahead.outbox_id, "Redis goes on from its newest id"
    assert outbox.pending(5, 10) == [ahead, after]


def test_one_relays_and_when_the_clock_was_set_back_another(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    assert [outbox.claim_relay("left") for _ in range(2)] == [True, False]
    redis_client.pexpire(keys.relay_claimed("left"), 3_600_000)
    assert [outbox.claim_relay("left") for _ in range(2)] == [True, False]


def test_an_entry_that_cannot_be_read_is_set_aside(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    by_hand = {b"request_id": b"x"}
    redis_client.xadd(keys.outbox, {"request_id": "x"})
    entry = add(redis_client, keys)
    assert outbox.pending(0, 10) == [entry]
    kept = redis_client.xrange(keys.outbox_malformed)
    assert [fields for _, fields in kept] == [by_hand]  # type: ignore[union-attr]
    assert redis_client.xlen(keys.outbox) == 1


def test_an_entry_of_a_version_that_did_not_number_updates_is_read(
    redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox
) -> None:
    event = add(redis_client, keys)
    entries: Any = redis_client.xrange(keys.outbox)
    [(entry_id, fields)] = entries
    redis_client.delete(keys.outbox)
    redis_client.xadd(keys.outbox, {name: fields[name] for name in OLD_FIELDS}, entry_id)
    expected = event._replace(number=None, key_id="", rank=0)
    assert outbox.pending(0, 10) == outbox.unpublished(0, 10).events == [expected]


def test_what_its_process_has_published_is_not_unpublished(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    ours = [add(redis_client, keys, process=process_name()) for _ in range(2)]
    other = add(redis_client, keys)
    later = add(redis_client, keys, process=process_name())
    assert outbox.unpublished(0, 10) == Unpublished([*ours, other, later], later.outbox_id)
    outbox.published([event.outbox_id for event in ours])
    assert outbox.unpublished(0, 10) == Unpublished([other, later], later.outbox_id)
    assert outbox.unpublished(0, 2) == Unpublished([], ours[1].outbox_id)
    assert outbox.pending(0, 10) == [*ours, other, later], "the ledger does not have it yet"


def test_what_was_relayed_is_not_unpublished_and_frees_what_processes_noted(
    redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox
) -> None:
    first, second = add(redis_client, keys, process=process_name()), add(redis_client, keys)
    outbox.published([first.outbox_id])
    outbox.relayed(first.outbox_id)
    assert outbox.unpublished(0, 10) == Unpublished([second], second.outbox_id)
    assert redis_client.hlen(keys.outbox_published) == 0, "names of processes that died do not pile up"
    outbox.relayed(second.outbox_id)
    assert outbox.unpublished(0, 10) == Unpublished((), None)
    third = add(redis_client, keys)
    assert outbox.unpublished(0, 10) == Unpublished([third], third.outbox_id)


def test_of_many_confirms_the_last_is_noted_at_times(
    redis_client: redis.Redis, keys: ShardKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NOTE_EVERY_SECONDS", 3600.0)
    outbox = Outbox(redis_client, keys)

    def noted() -> object:
        return redis_client.hget(keys.outbox_published, process_name())

    outbox.published(["9-1", "9-2", "10-0"])
    assert noted() == b"10-0"
    outbox.published(["11-0", "12-0"])
    assert noted() == b"10-0", "one command for many confirms"
    monkeypatch.setattr(module, "NOTE_EVERY_SECONDS", 0.0)
    outbox.published(["11-5"])
    assert noted() == b"11-5", "what it leaves out is published once more if the process dies, and counts once"


def test_beyond_the_most_entries_the_oldest_go(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    entries = [add(redis_client, keys) for _ in range(5)]
    assert outbox.trim(5) == 0
    assert outbox.trim(2) == 3
    assert outbox.pending(0, 10) == entries[3:]


def test_a_clock_that_was_set_back_is_unpublished_once(redis_client: redis.Redis, keys: ShardKeys, outbox: Outbox) -> None:
    seconds, _ = redis_client.time()
    ahead = add(redis_client, keys, f"{(seconds + 3600) * 1000}-0")
    after = add(redis_client, keys)
    assert outbox.unpublished(5, 10) == Unpublished([ahead, after], after.outbox_id)
    outbox.relayed(ahead.outbox_id)
    assert outbox.unpublished(5, 10) == Unpublished([after], after.outbox_id)
    outbox.relayed(after.outbox_id)
    assert outbox.unpublished(5, 10) == Unpublished((), None)
