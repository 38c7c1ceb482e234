"""Definitions of boards on PostgreSQL: which changes are refused, and what of a board stays."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.boards.definition import BoardDefinition
from shared.boards.postgresql import Boards
from shared.core.errors import BoardInUse, UnknownBoard
from shared.stores.actor import Actor
from tests.contract.audit import Audit

ACTOR = Actor("a-1", "198.51.100.7", "r-1")
WEEKLY = {"name": "weekly", "cron": "0 0 * * MON", "timeZone": "Europe/Berlin"}
MEMBERS = {"title": "Sprints", "operator": "best", "periods": [WEEKLY, {"name": "all_time"}]}
MEANINGS: list[tuple[dict[str, Any], str]] = [
    ({"order": "ascending"}, "order"),
    ({"operator": "add"}, "operator"),
    ({"ties": "shared"}, "ties"),
    ({"secondColumn": True}, "secondColumn"),
    ({"periods": [WEEKLY]}, "periods[all_time]"),
    ({"periods": [WEEKLY | {"cron": "0 0 * * SUN"}, {"name": "all_time"}]}, "periods[weekly].cron"),
    ({"periods": [WEEKLY | {"timeZone": "UTC"}, {"name": "all_time"}]}, "periods[weekly].timeZone"),
]


def sprints(**members: Any) -> BoardDefinition:
    return BoardDefinition.parse("sprints", MEMBERS | members)


@pytest.fixture
def boards(audit: Audit) -> Boards:
    return Boards(audit.pool)


def told(audit: Audit) -> list[tuple[str, str, dict[str, Any]]]:
    """The audit rows of boards: action, actor and detail."""
    return [
        tuple(row) for row in audit.run("SELECT action, actor, detail FROM audit_log WHERE action LIKE 'board_%' ORDER BY id")
    ]


def enter(audit: Audit, *periods: str, board_id: str = "sprints") -> None:
    """An entry that counts in the first season of these periods."""
    user_id = str(uuid4())
    Users(audit.pool).add(Account(user_id, f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32)))
    audit.run(
        "INSERT INTO score_entries (request_id, board_id, user_id, value, second, places, epoch, sequence, accepted_at)"
        " VALUES (:id, :board_id, :user_id, 1, 0, '', 1, 1, now())",
        id=str(uuid4()), board_id=board_id, user_id=user_id,
    )  # fmt: skip
    for period in periods:
        audit.run(
            "INSERT INTO board_seasons (board_id, period, season, starts_at) VALUES (:board_id, :period, 1, now())",
            board_id=board_id, period=period,
        )  # fmt: skip
        audit.run(
            "INSERT INTO season_totals VALUES (:board_id, :period, 1, :user_id, 1, 0, 1, 1, 'r', 1, 1)",
            board_id=board_id, period=period, user_id=user_id,
        )  # fmt: skip


def test_a_board_is_made_changed_and_deleted_and_the_audit_log_has_it(audit: Audit, boards: Boards) -> None:
    made = boards.put(sprints(), ACTOR)
    assert made.is_new
    assert boards.get("sprints") == sprints()
    changed = boards.put(sprints(title="Dashes", maxValue=9), ACTOR)
    assert changed.differences == {"title": {"from": "Sprints", "to": "Dashes"}, "maxValue": {"from": 2**53 - 1, "to": 9}}
    assert boards.list() == [sprints(title="Dashes", maxValue=9)]
    boards.delete("sprints", ACTOR)
    assert boards.list() == []
    for gone in (lambda: boards.get("sprints"), lambda: boards.delete("sprints", ACTOR)):
        with pytest.raises(UnknownBoard):
            gone()
    (_, _, first), second, third = told(audit)
    assert first == {"board": "sprints"} | {name: {"from": None, "to": value} for name, value in sprints().as_json().items()}
    assert second == (
        "board_defined",
        "a-1",
        {"board": "sprints", "title": {"from": "Sprints", "to": "Dashes"}, "maxValue": {"from": 2**53 - 1, "to": 9}},
    )
    assert third == ("board_deleted", "a-1", {"board": "sprints"})


def test_the_same_definition_again_changes_nothing(audit: Audit, boards: Boards) -> None:
    boards.put(sprints(), ACTOR)
    again = boards.put(sprints(), ACTOR)
    assert again == (sprints(), sprints())
    assert len(told(audit)) == 1


def test_of_many_who_define_a_board_at_once_one_makes_it(audit: Audit, boards: Boards) -> None:
    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(lambda n: boards.put(sprints(title=f"{n % 2}"), ACTOR), range(6)))
    assert sum(one.is_new for one in done) == 1
    assert len(told(audit)) == sum(bool(one.differences) for one in done)


@pytest.mark.parametrize(("change", "member"), MEANINGS, ids=lambda value: value if isinstance(value, str) else "")
def test_entries_keep_their_meaning(audit: Audit, boards: Boards, change: dict[str, Any], member: str) -> None:
    boards.put(sprints(), ACTOR)
    boards.put(sprints(**change), ACTOR)
    boards.put(sprints(), ACTOR)
    enter(audit, "weekly", "all_time")
    with pytest.raises(BoardInUse) as refusal:
        boards.put(sprints(**change), ACTOR)
    assert refusal.value.extensions == {"member": member}
    assert boards.get("sprints") == sprints()
    free = {"title": "x", "minValue": -1, "public": True, "periods": [*sprints().as_json()["periods"], {"name": "evening"}]}
    assert boards.put(sprints(**free), ACTOR).differences
    audit.run("UPDATE board_seasons SET closed_at = now()")
    if "periods" in change:
        assert boards.put(sprints(**change), ACTOR).differences, "between seasons"
    else:  # a closed season may be counted and ranked once more
        with pytest.raises(BoardInUse):
            boards.put(sprints(**change), ACTOR)


def test_the_schedule_of_a_period_without_entries_may_change(audit: Audit, boards: Boards) -> None:
    boards.put(sprints(), ACTOR)
    enter(audit, "all_time")
    assert boards.put(sprints(periods=[WEEKLY | {"cron": "0 0 * * SUN"}, {"name": "all_time"}]), ACTOR).differences
    assert boards.put(sprints(periods=[{"name": "all_time"}]), ACTOR).differences


def test_the_id_of_a_deleted_board_stays_taken_while_it_has_entries(audit: Audit, boards: Boards) -> None:
    boards.put(sprints(), ACTOR)
    assert not boards.has_entries("sprints")
    audit.run("INSERT INTO board_seasons (board_id, period, season, starts_at) VALUES ('sprints', 'weekly', 7, now())")
    boards.delete("sprints", ACTOR)
    assert boards.put(sprints(order="ascending"), ACTOR).is_new
    assert audit.run("SELECT count(*) FROM board_seasons") == [[0]], "it begins with its first season"
    enter(audit, "all_time")
    boards.delete("sprints", ACTOR)
    assert boards.has_entries("sprints")
    with pytest.raises(BoardInUse):
        boards.put(sprints(), ACTOR)
