"""Following the audit log: each entry once, in the order of the ids, whoever is writing meanwhile."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.audit.follow_audit_log import ENTRIES_AT_ONCE, PATIENCE_SECONDS, FollowAuditLog, follow_audit_log
from shared.core.clock import SystemClock
from shared.core.errors import InvalidParameter
from tests.contract.audit import Audit, StepClock
from tests.support.product import connect

NOTHING: dict[str, Any] = {"entries": [], "usernames": {}, "after": 0, "more": False}


def follow(audit: Audit, clock: SystemClock | None = None, **wanted: Any) -> dict[str, Any]:
    command = FollowAuditLog.parse(wanted)
    return follow_audit_log(command, audit.log, audit.chain.seals, Users(audit.pool), clock or SystemClock())


def ids(answer: dict[str, Any]) -> list[int]:
    return [entry["id"] for entry in answer["entries"]]


def add(audit: Audit, actor: str, user_id: str, request_id: str = "r-1", action: str = "user_changed") -> None:
    audit.run(
        "INSERT INTO audit_log (action, actor, user_id, request_id) VALUES (:action, :actor, :user_id, :request_id)",
        action=action,
        actor=actor,
        user_id=user_id,
        request_id=request_id,
    )


def test_it_begins_with_the_last_ones_and_goes_on_after_them(audit: Audit) -> None:
    audit.add(5)
    first = follow(audit, last=2)
    assert (ids(first), first["after"], first["more"]) == ([4, 5], 5, False)
    assert ids(follow(audit, after=5)) == []
    audit.add(2)
    assert ids(follow(audit, after=first["after"])) == [6, 7]


def test_an_empty_log_has_a_place_to_go_on_from(audit: Audit) -> None:
    assert follow(audit, last=10) == NOTHING


def test_an_entry_that_commits_late_is_neither_missed_nor_overtaken(audit: Audit) -> None:
    with closing(connect(audit.url)) as slow:
        slow.run("BEGIN")
        slow.run("INSERT INTO audit_log (action, actor) VALUES ('slow', 'operator')")
        audit.add(3)
        clock = StepClock()
        assert follow(audit, clock, after=0) == NOTHING
        assert clock.at_seconds >= PATIENCE_SECONDS
        clock = StepClock(then=[lambda: slow.run("COMMIT")])
        assert ids(follow(audit, clock, after=0)) == [1, 2, 3, 4]


def test_more_than_fits_comes_in_parts(audit: Audit) -> None:
    audit.add(ENTRIES_AT_ONCE + 3)
    first = follow(audit, after=0)
    assert first["more"]
    second = follow(audit, after=first["after"])
    assert ids(first) + ids(second) == list(range(1, ENTRIES_AT_ONCE + 4))
    assert not second["more"]


@pytest.mark.parametrize("how", [{"last": 10}, {"after": 0}])
def test_a_user_is_found_by_id_or_name_in_what_is_about_them_and_what_they_did(audit: Audit, how: dict[str, Any]) -> None:
    Users(audit.pool).add(Account("u-9", "grace", "admin", "hash", "hash"), actor="operator")
    already = follow(audit)["after"]
    for actor, user_id in (("u-9", "u-9"), ("u-9", "u-2"), ("u-2", "u-9"), ("u-2", "u-2")):
        add(audit, actor, user_id)
    for user in ("u-9", "grace", "GRACE"):
        found = [number - already for number in ids(follow(audit, user=user, **how)) if number > already]
        assert found == [1, 2, 3], user
    assert follow(audit, user="grace", **how)["usernames"] == {"u-9": "grace"}


@pytest.mark.parametrize("how", [{"last": 10}, {"after": 0}])
def test_filters_hold_for_what_is_there_and_for_what_comes(audit: Audit, how: dict[str, Any]) -> None:
    add(audit, "a", "u", "r-1", "user_changed")
    add(audit, "a", "u", "r-2", "logged_out")
    add(audit, "a", "u", "r-1", "logged_out")
    assert ids(follow(audit, requestId="r-1", **how)) == [1, 3]
    assert ids(follow(audit, action="logged_out", **how)) == [2, 3]
    assert ids(follow(audit, action="logged_out", requestId="r-1", **how)) == [3]


def test_a_place_in_another_log_is_told(audit: Audit) -> None:
    audit.add(3)
    with pytest.raises(InvalidParameter, match="ends with entry 3"):
        follow(audit, after=4)
