"""PUT /api/users/{user_id}/password."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from shared.accounts.argon2 import PasswordHasher
from shared.container import Container
from shared.core.errors import TooBusy
from tests.handlers.dying import killed
from tests.handlers.events import HandlerReply
from tests.handlers.limits import limit_requests
from tests.handlers.sessions import PASSWORD, LoggedIn, log_in, newcomer
from tests.support.product import query

ROUTE = "PUT /api/users/{user_id}/password"
NEW = "staple an honest mule"


@pytest.fixture
def player(deployed: Container) -> LoggedIn:
    return newcomer()


def change(session: LoggedIn, current: object = PASSWORD, new: object = NEW, **request: Any) -> HandlerReply:
    body = {"currentPassword": current, "newPassword": new}
    return session.call("change_password", ROUTE, **{"body": body, "source_ip": secrets.token_hex(4), **request})


def test_the_new_password_counts_the_old_one_does_not_and_other_sessions_end(player: LoggedIn, database_url: str) -> None:
    elsewhere = player.again()
    assert change(player).status == 204
    assert player.is_in()
    assert player.can_stay()
    assert not elsewhere.is_in()
    assert not elsewhere.can_stay()
    assert log_in(player.username).problem == (401, "invalid_credentials")
    assert player.again(NEW).is_in()
    rows = query(
        database_url, "SELECT actor FROM audit_log WHERE action = 'password_changed' AND user_id = :id", id=player.user_id
    )
    assert rows == [[player.user_id]]


def test_a_later_change_is_effective_when_the_first_one_died_between_the_stores(deployed: Container, player: LoggedIn) -> None:
    elsewhere = player.again()
    killed(deployed, lambda: change(player))
    assert elsewhere.is_in(), "Redis does not know yet"
    assert change(player, NEW, "another honest mule").status == 204
    assert not elsewhere.is_in()
    assert player.is_in()


def test_only_its_owner_changes_it_and_only_with_the_old_one(player: LoggedIn) -> None:
    other = newcomer()
    assert change(other, path_parameters={"user_id": player.user_id}).problem == (403, "not_your_account")
    for wrong in (NEW, "", PASSWORD + " ", "x" * 5000):
        assert change(player, wrong).problem == (403, "wrong_password")
    assert player.again().is_in()


class BusyHasher(PasswordHasher):
    """Turns everybody away."""

    def hash(self, password: str) -> str:
        raise TooBusy

    def verify(self, hashed: str | None, password: str) -> bool:
        raise TooBusy


def test_a_busy_hasher_is_no_failure_of_whoever_tried(deployed: Container, player: LoggedIn) -> None:
    hasher, here = deployed.password_hasher, secrets.token_hex(4)
    deployed.password_hasher = BusyHasher()
    assert [change(player, source_ip=here).status for _ in range(8)] == [503] * 8
    deployed.password_hasher = hasher
    assert change(player, source_ip=here).status == 204


@pytest.mark.parametrize("new", ["short", "x" * 129, None, 7, "aaaaaaaaaaaaaa", "scoreboard-1"])
def test_a_weak_password_is_refused(player: LoggedIn, new: object) -> None:
    refused = change(player, PASSWORD, new)
    assert refused.problem == (422, "weak_password")
    assert "`newPassword`" in refused.json["detail"]
    assert player.again().is_in()


def test_a_body_without_the_old_password_is_refused(player: LoggedIn) -> None:
    assert change(player, None).problem == (422, "invalid_parameter")


@pytest.mark.usefixtures("time_stands")
def test_guessing_is_slowed_down_together_with_log_ins(player: LoggedIn) -> None:
    here = secrets.token_hex(4)
    replies = [change(player, "not the password", source_ip=here) for _ in range(6)]
    assert [reply.status for reply in replies] == [403] * 5 + [429]
    assert log_in(player.username, PASSWORD, here).status == 429
    assert change(player, source_ip=here).problem == (429, "too_many_attempts")


def test_changing_and_having_the_old_one_checked_is_limited(deployed: Container, player: LoggedIn) -> None:
    limit_requests(deployed, "password_change", 1)
    assert change(player).status == 204
    assert change(player, NEW, PASSWORD).problem == (429, "too_many_requests")
    limit_requests(deployed, "password_check", 1)
    here = "203.0.113.230"
    replies = [change(player, "not the password", source_ip=here) for _ in range(7)]
    assert [reply.problem for reply in replies] == [(403, "wrong_password")] + [(429, "too_many_requests")] * 6
