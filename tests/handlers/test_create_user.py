"""create_user, invoked by an operator."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from shared.container import Container
from shared.core.errors import InvalidParameter, InvalidUsername, ScoreboardError, UsernameTaken, WeakPassword
from tests.handlers.events import invoke
from tests.support.product import query

PASSWORD = "correct horse battery staple"


def event(**changes: object) -> dict[str, Any]:
    return {"username": f"root-{secrets.token_hex(6)}", "password": PASSWORD, "role": "admin", **changes}


def test_an_admin_is_made_who_stands_on_no_board(deployed: Container, database_url: str) -> None:
    created = invoke("create_user", event())
    assert set(created) == {"userId", "username", "displayName", "role", "apiKey"}
    assert created["role"] == "admin"
    assert deployed.leaderboard.scores([created["userId"]]) == {}
    rows = query(database_url, "SELECT action, actor FROM audit_log WHERE user_id = :user_id", user_id=created["userId"])
    assert rows == [["user_created", "operator"]]


def test_a_player_is_made_who_does(deployed: Container) -> None:
    created = invoke("create_user", event(role="player"))
    assert deployed.leaderboard.scores([created["userId"]]) == {created["userId"]: 0}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"username": None}, InvalidUsername),
        ({"password": "short"}, WeakPassword),
        ({"role": "root"}, InvalidParameter),
        ({"role": None}, InvalidParameter),
    ],
)
def test_a_bad_account_is_refused(deployed: Container, changes: dict[str, object], error: type[ScoreboardError]) -> None:
    with pytest.raises(error):
        invoke("create_user", event(**changes))


def test_a_taken_name_is_refused(deployed: Container) -> None:
    first = event()
    invoke("create_user", first)
    with pytest.raises(UsernameTaken):
        invoke("create_user", event(username=first["username"]))
