"""Refusals on their way to the audit log: counted by kind, bounded whatever comes, recorded once."""

from __future__ import annotations

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.accounts.player import Account
from shared.audit.postgresql import AuditLog
from shared.audit.record_refusals import record_refusals
from shared.audit.redis import KINDS_A_MINUTE, KINDS_IN_ALL, KINDS_OF_AN_ADDRESS, Refusals
from shared.audit.refusal import SEVERAL, Refusal, RefusalGroup
from shared.stores.keys import ShardKeys
from shared.stores.postgresql.pool import Pool

FLOOD = 20_000
Rows = list[list[Any]]


@pytest.fixture
def keys() -> ShardKeys:
    return ShardKeys(f"{{{secrets.token_hex(6)}}}:")


@pytest.fixture
def refusals(redis_client: redis.Redis, keys: ShardKeys) -> Refusals:
    return Refusals(redis_client, keys)


@pytest.fixture
def audit_log(database: Pool) -> AuditLog:
    return AuditLog(database)


def refusal(action: str = "score_refused", **members: str) -> Refusal:
    fields = {
        "reason": "not_your_score",
        "actor": "u-1",
        "user_id": "u-2",
        "username": "",
        "source_ip": "198.51.100.7",
        "request_id": "r-1",
    }
    return Refusal(action, **{**fields, **members})


def rows_with(database: Pool, action: str) -> Rows:
    with database.connection() as session:
        return session.run(
            "SELECT actor, user_id, request_id, source_ip, detail FROM audit_log WHERE action = :action ORDER BY id",
            action=action,
        )


def test_refusals_of_one_kind_are_one_row_with_the_first_ones_address(
    refusals: Refusals, audit_log: AuditLog, database: Pool
) -> None:
    action = secrets.token_hex(8)
    for number in range(1, 8):
        refusals.note(refusal(action, source_ip=f"198.51.100.{number}", request_id=f"r-{number}"))
    assert record_refusals(refusals, audit_log) in (1, 2)  # a minute may end in between
    rows = rows_with(database, action)
    assert rows[0][:4] == ["u-1", "u-2", "r-1", "198.51.100.1"]
    assert sum(row[4]["count"] for row in rows) == 7
    assert {(row[4]["reason"], row[4]["addresses"]) for row in rows} == {("not_your_score", "198.51.100.0/24")}
    assert rows[0][4]["firstAt"] <= rows[-1][4]["lastAt"]
    assert record_refusals(refusals, audit_log) == 0


def test_kinds_differ_in_reason_actor_user_and_network(refusals: Refusals) -> None:
    for one in (
        refusal(),
        refusal(reason="rate_limited"),
        refusal(actor="u-3"),
        refusal(user_id="u-3"),
        refusal(source_ip="203.0.113.7"),
        refusal(source_ip="2001:db8::1"),
        refusal(source_ip="not an address"),
    ):
        refusals.note(one)
    batch = refusals.take()
    assert batch is not None
    assert len(batch.groups) == 7
    assert {group.address_prefix for group in batch.groups} == {"198.51.100.0/24", "203.0.113.0/24", "2001:db8::/48", ""}


def test_racing_refusals_are_all_counted(refusals: Refusals) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: refusals.note(refusal()), range(400)))
    batch = refusals.take()
    assert batch is not None
    assert sum(group.count for group in batch.groups) == 400


def test_what_is_taken_stays_until_it_is_settled_and_is_recorded_once(
    refusals: Refusals, audit_log: AuditLog, database: Pool
) -> None:
    first, second = secrets.token_hex(8), secrets.token_hex(8)
    refusals.note(refusal(first))
    taken = refusals.take()
    assert taken is not None
    refusals.note(refusal(second))
    again = refusals.take()
    assert again == taken
    # Who recorded it died before it was settled: the next run records nothing twice, and the one after the new ones.
    assert audit_log.add_refusals(taken) == 1
    assert record_refusals(refusals, audit_log) == 0
    assert record_refusals(refusals, audit_log) == 1
    assert [len(rows_with(database, action)) for action in (first, second)] == [1, 1]


def test_settling_an_old_batch_leaves_a_newer_one(refusals: Refusals) -> None:
    refusals.note(refusal())
    taken = refusals.take()
    assert taken is not None
    refusals.settle(str(uuid4()))
    assert refusals.take() == taken
    refusals.settle(taken.batch_id)
    assert refusals.take() is None


def test_a_name_becomes_its_owner_and_one_that_nobody_has_is_forgotten(
    refusals: Refusals, audit_log: AuditLog, database: Pool
) -> None:
    from shared.accounts.postgresql import Users

    action, user_id, name = secrets.token_hex(8), str(uuid4()), f"Name-{secrets.token_hex(6)}"
    Users(database).add(Account(user_id, name, "player", "hash", secrets.token_hex(32)))
    for username in (name.upper(), "my-password-typed-here", "another-one"):
        refusals.note(refusal(action, reason="invalid_credentials", actor="anonymous", user_id="", username=username))
    record_refusals(refusals, audit_log)
    rows = rows_with(database, action)
    assert {row[1] for row in rows} == {user_id, None}
    assert sum(row[4]["count"] for row in rows if row[1] is None) == 2
    assert "password" not in str(rows)


@pytest.mark.parametrize("text", ["x" * 5000, "\x00", "a\nb", "ключ", "\ud800"])
def test_what_a_client_made_up_does_no_harm(refusals: Refusals, audit_log: AuditLog, database: Pool, text: str) -> None:
    action = secrets.token_hex(8)
    refusals.note(refusal(action, actor=text, user_id=text, username=text, source_ip=text, request_id=text))
    assert record_refusals(refusals, audit_log) == 1
    assert [row[:4] for row in rows_with(database, action)] == [["anonymous", None, None, None]]


@pytest.mark.long
def test_a_flood_from_everywhere_is_bounded_and_all_of_it_counted(
    redis_client: redis.Redis, keys: ShardKeys, refusals: Refusals, audit_log: AuditLog, database: Pool
) -> None:
    """Ten times as many refusals as are told apart, no two of one kind, of which nobody takes any meanwhile."""
    action, reasons = secrets.token_hex(8), ("rate_limited", "invalid_credentials", "not_your_score")

    def note(number: int) -> None:
        refusals.note(
            Refusal(
                action,
                reasons[number % 3],
                actor=str(uuid4()),
                user_id=str(uuid4()),
                username=f"name-{secrets.token_hex(20)}",
                source_ip=".".join(map(str, secrets.token_bytes(4))),
                request_id=secrets.token_urlsafe(48),
            )
        )

    with ThreadPoolExecutor(4) as threads:
        for _ in threads.map(note, range(FLOOD), chunksize=500):
            pass
    sizes = {name: redis_client.memory_usage(name, samples=0) or 0 for name in (keys.refusals, keys.refusal_kinds)}
    assert redis_client.hlen(keys.refusals) <= KINDS_IN_ALL + len(reasons)
    assert sum(sizes.values()) < 1024 * 1024
    rows = record_refusals(refusals, audit_log)
    assert rows <= KINDS_IN_ALL + len(reasons)
    written = rows_with(database, action) + [
        row for row in rows_with(database, "refusals_left_out") if row[4]["action"] == action
    ]
    assert len(written) == rows
    assert sum(row[4]["count"] for row in written) == FLOOD
    assert redis_client.exists(keys.refusals, keys.refusals_taken, keys.refusals_batch) == 0


def test_one_network_crowds_nobody_out(refusals: Refusals) -> None:
    for number in range(300):
        refusals.note(refusal(actor=f"u-{number}", source_ip="203.0.113.9"))
    refusals.note(refusal(actor="victim", source_ip="198.51.100.7"))
    batch = refusals.take()
    assert batch is not None
    minutes = len({group.first_at.replace(second=0, microsecond=0) for group in batch.groups})
    theirs = [group for group in batch.groups if group.address_prefix == "203.0.113.0/24"]
    assert len(theirs) <= (KINDS_OF_AN_ADDRESS + 1) * minutes
    assert sum(group.count for group in theirs) == 300
    assert not any(group.is_left_out for group in batch.groups)
    assert [group.actor for group in batch.groups if group.address_prefix == "198.51.100.0/24"] == ["victim"]


def test_a_minute_makes_no_more_rows_however_often_they_are_taken_away(
    redis_client: redis.Redis, keys: ShardKeys, refusals: Refusals
) -> None:
    groups: list[RefusalGroup] = []
    for number in range(5 * KINDS_A_MINUTE):
        refusals.note(refusal(actor=f"u-{number}", source_ip=f"{10 + number % 200}.{number % 251}.7.1"))
        if number % 100 == 99:
            batch = refusals.take()
            assert batch is not None
            groups += batch.groups
            refusals.settle(batch.batch_id)
    by_minute = Counter(group.first_at.replace(second=0, microsecond=0) for group in groups if not group.is_left_out)
    assert max(by_minute.values()) <= KINDS_A_MINUTE
    assert sum(group.count for group in groups) == 5 * KINDS_A_MINUTE, "and all are counted"
    assert redis_client.hlen(keys.refusal_kinds) <= KINDS_A_MINUTE + 2


def test_one_network_has_its_share_of_a_minute_however_often_it_is_taken_away(refusals: Refusals) -> None:
    groups: list[RefusalGroup] = []
    for number in range(100):
        refusals.note(refusal(actor=f"u-{number}", source_ip="203.0.113.9"))
        if number % 10 == 9:
            batch = refusals.take()
            assert batch is not None
            groups += batch.groups
            refusals.settle(batch.batch_id)
    actors = Counter(
        group.first_at.replace(second=0, microsecond=0) for group in groups if group.actor != SEVERAL and not group.is_left_out
    )
    assert max(actors.values()) <= KINDS_OF_AN_ADDRESS
    assert sum(group.count for group in groups) == 100
