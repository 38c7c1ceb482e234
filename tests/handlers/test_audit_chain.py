"""Refusals on their way into the audit log, and the log against its seals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pg8000.native
import pytest

from shared.container import Container
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, new_player
from tests.support.product import connect


@pytest.fixture
def database(database_url: str) -> Iterator[pg8000.native.Connection]:
    with closing(connect(database_url)) as connection:
        yield connection


def audit_log(caller: Player, **query: str) -> HandlerReply:
    return call("get_audit_log", "GET /api/admin/audit-log", headers=caller.authorization, query=query)


def refuse(player: Player, other: Player) -> None:
    """A player who tries to score for another."""
    reply = call(
        "update_score",
        "POST /api/score/{user_id}",
        path_parameters={"user_id": other.user_id},
        headers=player.authorization,
        body={"increment": 1},
    )
    assert reply.status == 403


def entries_of(admin: Player, actor: Player) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = audit_log(admin, actor=actor.user_id, action="score_refused").json["data"]
    return found


def test_a_refusal_that_matters_stands_in_the_log_for_admins_to_see(deployed: Container) -> None:
    admin, thief, victim = new_player(deployed, "admin"), new_player(deployed), new_player(deployed)
    for _ in range(30):
        refuse(thief, victim)
    assert entries_of(admin, thief) == []
    assert invoke("record_refusals", {})["rows"] >= 1
    recorded = entries_of(admin, thief)
    assert 1 <= len(recorded) <= 2  # a row for each kind and minute
    assert sum(entry["detail"]["count"] for entry in recorded) == 30
    assert {(entry["userId"], entry["detail"]["reason"]) for entry in recorded} == {(victim.user_id, "not_your_score")}
    invoke("record_refusals", {})
    assert len(entries_of(admin, thief)) == len(recorded), "recorded once"


def test_an_accepted_update_notes_nothing(deployed: Container) -> None:
    invoke("record_refusals", {})
    assert new_player(deployed).score(5).status == 200
    assert deployed.refusals.take() is None


def test_players_do_not_see_it_and_that_is_noted(deployed: Container) -> None:
    player, admin = new_player(deployed), new_player(deployed, "admin")
    assert audit_log(player).problem == (403, "forbidden")
    invoke("record_refusals", {})
    assert audit_log(admin, actor=player.user_id).json["data"][0]["action"] == "audit_log_refused"


@pytest.mark.parametrize("query", [{"limit": "0"}, {"cursor": "?"}, {"from": "yesterday"}, {"actor": "x" * 65}])
def test_nonsense_is_told(deployed: Container, query: dict[str, str]) -> None:
    assert audit_log(new_player(deployed, "admin"), **query).problem == (422, "invalid_parameter")


def sealed(deployed: Container) -> None:
    """Everything that is in the log by now has its seal."""
    deployed.ledger.audit("test", actor="somebody", user_id=None, detail={})
    assert invoke("seal_audit", {})["rows"] >= 1


def test_a_log_that_nobody_touched_is_intact(deployed: Container) -> None:
    sealed(deployed)
    report = invoke("verify_audit", {})
    assert (report["intact"], report["remembered"], report["findings"]) == (True, True, [])
    assert report["rows"] >= 1


@pytest.mark.parametrize(
    ("forgery", "back"),
    [
        ("UPDATE audit_log SET actor = 'nobody' WHERE id = :id", "UPDATE audit_log SET actor = 'somebody' WHERE id = :id"),
        ("UPDATE audit_log SET id = -id WHERE id = :id", "UPDATE audit_log SET id = -id WHERE id = -CAST(:id AS bigint)"),
    ],
)
def test_a_change_behind_the_triggers_back_is_found(
    deployed: Container, database: pg8000.native.Connection, forgery: str, back: str
) -> None:
    sealed(deployed)
    (((row_id,),)) = database.run("SELECT max(id) FROM audit_log WHERE action = 'test'") or []
    with pytest.raises(pg8000.native.DatabaseError, match="append-only"):
        database.run(forgery, id=row_id)
    database.run("ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only")
    try:
        database.run(forgery, id=row_id)
        report = invoke("verify_audit", {})
        assert report["intact"] is False
        assert report["findings"]
        database.run(back, id=row_id)
    finally:
        database.run("ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only")
    assert invoke("verify_audit", {})["intact"] is True


def test_the_end_of_the_chain_cannot_be_cut_off(deployed: Container, database: pg8000.native.Connection) -> None:
    sealed(deployed)
    database.run("ALTER TABLE audit_seals DISABLE TRIGGER audit_seals_append_only")
    try:
        database.run("CREATE TEMP TABLE cut AS SELECT * FROM audit_seals ORDER BY seq DESC LIMIT 1")
        database.run("DELETE FROM audit_seals WHERE seq = (SELECT seq FROM cut)")
        assert invoke("verify_audit", {})["intact"] is False
        database.run("INSERT INTO audit_seals SELECT * FROM cut")
    finally:
        database.run("ALTER TABLE audit_seals ENABLE TRIGGER audit_seals_append_only")
    assert invoke("verify_audit", {})["intact"] is True
