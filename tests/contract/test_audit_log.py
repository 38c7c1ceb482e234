"""Reading the audit log: by what was asked for, in pages, in its order, by indexes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from shared.accounts.player import Caller
from shared.accounts.postgresql import Users
from shared.audit.entries import AuditEntry, AuditFilter
from shared.audit.export_audit_log import ENTRIES_AT_ONCE, export_audit_log
from shared.audit.get_audit_log import get_audit_log, parse_filter, parse_instant
from shared.audit.seal_audit import ROWS_A_SEAL
from shared.core.errors import InvalidParameter
from tests.contract.audit import Audit

ADMIN = Caller("a-1", "admin", datetime(2030, 1, 1, tzinfo=UTC))
ACTIONS, USERS, ACTORS = ("score_accepted", "score_refused", "user_created"), ("u-1", "u-2", None), ("u-1", "operator")


@pytest.fixture
def mixed(audit: Audit) -> Audit:
    """Rows of all kinds, sealed in between."""
    for action, user_id, actor in product(ACTIONS, USERS, ACTORS):
        about = user_id or "u-1" if action == "score_accepted" else user_id
        audit.run(
            "INSERT INTO audit_log (action, actor, user_id) VALUES (:action, :actor, :user_id)",
            action=action,
            actor=about if action == "score_accepted" else actor,
            user_id=about,
        )
        if user_id == "u-2":
            audit.seal()
    return audit


def everything(audit: Audit) -> list[AuditEntry]:
    return audit.log.newest(AuditFilter(), 1000, None)


def test_all_of_it_newest_first(mixed: Audit) -> None:
    assert [entry.id for entry in everything(mixed)] == list(range(len(ACTIONS) * len(USERS) * len(ACTORS), 0, -1))


def test_every_combination_of_filters_finds_what_fits(mixed: Audit) -> None:
    entries = everything(mixed)
    instants = [None, entries[-5].at, entries[4].at]
    for action, user_id, actor, since, until in product((None, *ACTIONS), USERS, (None, *ACTORS), instants, instants):
        wanted = AuditFilter(user_id, action, actor, since, until)
        fitting = [
            entry
            for entry in entries
            if (action is None or entry.action == action)
            and (user_id is None or entry.user_id == user_id)
            and (actor is None or entry.actor == actor)
            and (since is None or entry.at >= since)
            and (until is None or entry.at < until)
        ]
        assert mixed.log.newest(wanted, 1000, None) == fitting, wanted


def test_rows_long_before_and_after_an_interval_are_not_read(audit: Audit) -> None:
    """Ids are given in the order of time, so an interval is found by halving. Counted in pages read."""
    audit.add(30_000)
    audit.tamper("UPDATE audit_log SET at = at - (30000 - id) * INTERVAL '1 minute'")
    audit.run("VACUUM ANALYZE audit_log")
    instants = audit.instants()
    for first in (0, 100, 15_000, 29_000):
        since, until = instants[first], instants[first + 50]
        within = list(range(first + 1, first + 51))
        before = pages_read(audit)
        assert [entry.id for entry in audit.log.newest(AuditFilter(since=since, until=until), 100, None)] == within[::-1]
        assert [entry.id for entry in audit.log.page(since, until, 0, 100)] == within
        assert pages_read(audit) - before < 100
    assert audit.log.page(None, instants[20], 20, 100) == []
    assert len(audit.log.newest(AuditFilter(until=instants[40]), 100, None)) == 40
    assert len(audit.log.newest(AuditFilter(since=instants[-40]), 100, None)) == 40


def test_a_search_finds_what_was_sealed_late(audit: Audit) -> None:
    """Days without sealing are sealed at once afterwards: when a row was sealed tells nothing of when it was written."""
    audit.add(3 * ROWS_A_SEAL)
    audit.tamper("UPDATE audit_log SET at = at - INTERVAL '2 days'")
    assert audit.seal()["seals"] == 3
    yesterday = audit.instants()[-1] + timedelta(days=1)
    assert len(audit.log.newest(AuditFilter(until=yesterday), 10_000, None)) == 3 * ROWS_A_SEAL
    assert len(audit.log.page(None, yesterday, 0, 10_000)) == 3 * ROWS_A_SEAL


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("null", {"value": None}),
        ("[1, {}]", {"value": [1, {}]}),
        ("7", {"value": 7}),
        ('"text"', {"value": "text"}),
        ('{"n": 99999999999999999999}', {"n": "99999999999999999999"}),
        ('{"n": 1e400}', {"n": f"1{'0' * 400}"}),
        ('{"n": 0.5, "m": -3}', {"n": 0.5, "m": -3}),
        (f"{'[' * 3000}{']' * 3000}", {"text": "[" * 1000}),
    ],
)
def test_a_detail_is_an_object_whatever_stands_there(audit: Audit, written: str, read: dict[str, Any]) -> None:
    """As rows of earlier versions may have it."""
    audit.run("ALTER TABLE audit_log DROP CONSTRAINT audit_log_detail_is_an_object")
    audit.run("INSERT INTO audit_log (action, actor, detail) VALUES ('odd', 'test', CAST(:detail AS jsonb))", detail=written)
    [entry] = audit.log.newest(AuditFilter(action="odd"), 10, None)
    assert entry.detail == read
    assert audit.seal() == {"seals": 1, "rows": 1}
    assert audit.problems() == []


def test_answers_are_bounded_whatever_stands_in_the_entries(audit: Audit) -> None:
    audit.run(
        "INSERT INTO audit_log (action, actor, detail)"
        " SELECT 'long', 'test', jsonb_build_object('text', repeat('x', 16000)) FROM generate_series(1, 500)"
    )
    users, wanted, seen = Users(audit.pool), AuditFilter(action="long"), 0
    cursor: str | None = ""
    while cursor is not None:
        page = get_audit_log(wanted, 200, cursor, audit.log, users)
        assert 0 < len(json.dumps(page)) < 3_000_000
        seen, cursor = seen + len(page["data"]), page["nextCursor"]
    assert seen == 500
    seen = 0
    after: int | None = 0
    while after is not None:
        part = export_audit_log({"after": after}, audit.log)
        assert 0 < len(json.dumps(part)) < 3_000_000
        seen, after = seen + len(part["entries"]), part["after"]
    assert seen == 500


def test_pages_follow_each_other_whatever_is_added_meanwhile(mixed: Audit) -> None:
    whole = [entry.id for entry in everything(mixed)]
    seen: list[int] = []
    page: dict[str, Any] = {"nextCursor": ""}
    while page["nextCursor"] is not None:
        page = get_audit_log(AuditFilter(), 5, page["nextCursor"], mixed.log, Users(mixed.pool))
        seen += [entry["id"] for entry in page["data"]]
        mixed.add(1)
    assert seen == whole


def test_an_export_is_all_of_it_in_its_order(audit: Audit) -> None:
    rows = 2 * ENTRIES_AT_ONCE
    audit.add(rows)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        part = export_audit_log({"after": after}, audit.log)
        seen += [entry["id"] for entry in part["entries"]]
        after = part["after"]
    assert seen == list(range(1, rows + 1))
    for nonsense in ("1", -1, 2**63, True):
        with pytest.raises(InvalidParameter):
            export_audit_log({"after": nonsense}, audit.log)
    assert export_audit_log({"after": 2**63 - 1}, audit.log) == {"entries": [], "after": None}
    for until in ("2026-12-01", "2026-12-02"):
        with pytest.raises(InvalidParameter, match="`from` must be before `to`"):
            export_audit_log({"from": "2026-12-02", "to": until}, audit.log)


def test_a_wanted_kind_is_found_among_many_accepted_updates_by_an_index(audit: Audit) -> None:
    """Counted in pages read: the refusals of a day must not cost a look at all its updates."""
    audit.add(20_000)
    audit.add(3, "score_refused")
    audit.add(20_000)
    audit.run("ANALYZE audit_log")
    for wanted in (AuditFilter(action="score_refused"), AuditFilter(action="score_refused", user_id="u-1")):
        before = pages_read(audit)
        assert len(audit.log.newest(wanted, 50, None)) == 3
        assert pages_read(audit) - before < 50


def pages_read(audit: Audit) -> int:
    with audit.pool.connection() as session:
        session.script("SELECT pg_stat_force_next_flush()")
        rows = session.run("SELECT heap_blks_read + heap_blks_hit FROM pg_statio_user_tables WHERE relname = 'audit_log'")
    return int(rows[0][0])


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5+02:00", datetime(2026, 1, 31, 10, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_instants_are_read(text: str, instant: datetime) -> None:
    assert parse_instant({"from": text}, "from") == instant


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-31T12:00:00", "2026-02-30", 7, "0001-01-01T00:00:00+23:59", "\ud800"])
def test_what_is_no_instant_is_told(text: Any) -> None:
    with pytest.raises(InvalidParameter):
        parse_instant({"from": text}, "from")


@pytest.mark.parametrize("value", ["", "x" * 65, "a\x00b"])
def test_a_filter_that_no_row_could_have_is_told(value: str) -> None:
    for name in ("userId", "action", "actor"):
        with pytest.raises(InvalidParameter):
            parse_filter({name: value})
