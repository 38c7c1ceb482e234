"""PATCH /api/admin/users/{user_id} and GET /api/admin/users."""

from __future__ import annotations

import pytest

from shared.container import Container
from tests.handlers.dying import dismissed, killed
from tests.handlers.events import REQUEST_ID, SOURCE_IP, HandlerReply, call, invoke
from tests.handlers.players import Player, new_player
from tests.handlers.sessions import LoggedIn, log_in, newcomer
from tests.support.product import query
from tests.support.waiting import eventually

ROUTE = "PATCH /api/admin/users/{user_id}"


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


@pytest.fixture
def player(admin: Player) -> LoggedIn:
    return newcomer()


def change(admin: Player, user_id: str, body: object) -> HandlerReply:
    return call("change_user", ROUTE, path_parameters={"user_id": user_id}, headers=admin.authorization, body=body)


def audit_log(admin: Player) -> HandlerReply:
    return call("get_audit_log", "GET /api/admin/audit-log", headers=admin.authorization)


def test_a_disabled_account_is_out_with_the_next_request_and_stays_out(admin: Player, player: LoggedIn) -> None:
    assert player.is_in()
    reply = change(admin, player.user_id, {"disabled": True})
    account = {"userId": player.user_id, "username": player.username, "displayName": player.username, "role": "player"}
    assert reply.data == {**account, "disabled": True, "simulated": False}
    assert not player.is_in()
    assert not player.can_stay()
    assert log_in(player.username).problem == (401, "invalid_credentials")
    assert change(admin, player.user_id, {"disabled": False}).data["disabled"] is False
    assert not player.is_in(), "the session is over for good"
    assert player.again().is_in()


def test_an_admin_takes_a_name_away_and_gives_none(admin: Player, player: LoggedIn, database_url: str) -> None:
    assert player.call("update_me", "PATCH /api/me", body={"displayName": "Rüpel"}).data["displayName"] == "Rüpel"
    assert change(admin, player.user_id, {"displayName": "Lamb"}).problem == (422, "invalid_parameter")
    assert change(admin, player.user_id, {"disabled": False}).data["displayName"] == "Rüpel"
    assert change(admin, player.user_id, {"displayName": None}).data["displayName"] == player.username
    assert player.call("get_me", "GET /api/me").data["displayName"] == player.username
    assert player.call("get_user_score", "GET /api/score/{user_id}").data["displayName"] == player.username
    [detail] = query(
        database_url, "SELECT detail FROM audit_log WHERE actor = :id AND user_id = :user", id=admin.user_id, user=player.user_id
    )
    assert detail == [{"displayName": {"from": "Rüpel", "to": None}}]


def test_a_disabled_account_is_out_with_a_token_of_no_session_too(deployed: Container, admin: Player, player: LoggedIn) -> None:
    token, _ = deployed.access_tokens.issue(player.user_id, "player", deployed.clock.now())
    outside = LoggedIn(player.user_id, player.username, player.api_key, token, "")
    assert outside.is_in()
    change(admin, player.user_id, {"disabled": True})
    assert not outside.is_in()
    assert outside.score().problem == outside.call("get_scores", "GET /api/scores").problem == (403, "unknown_user")


def test_another_role_counts_with_the_next_request_whatever_the_token_says(admin: Player, player: LoggedIn) -> None:
    promoted = Player(player.user_id, player.username, player.api_key, player.access_token)
    assert audit_log(promoted).problem == (403, "forbidden")
    assert change(admin, player.user_id, {"role": "admin"}).data["role"] == "admin"
    assert audit_log(promoted).status == 200
    assert player.score().problem == (403, "not_a_player")
    assert change(promoted, admin.user_id, {"role": "player"}).data["role"] == "player"
    assert audit_log(admin).problem == (403, "forbidden"), "an old token says admin"
    assert admin.score(2).data["score"] == 2


@pytest.mark.parametrize("points", [0, 1])
def test_an_admin_is_on_the_board_only_with_points(deployed: Container, admin: Player, player: LoggedIn, points: int) -> None:
    """As reconciliation has it."""
    if points:
        player.score()
    before = {player.user_id: points}
    assert deployed.leaderboard.scores([player.user_id]) == before
    change(admin, player.user_id, {"role": "admin"})
    assert deployed.leaderboard.scores([player.user_id]) == (before if points else {})
    change(admin, player.user_id, {"role": "player"})
    assert deployed.leaderboard.scores([player.user_id]) == before


@pytest.mark.parametrize("body", [{"disabled": True}, {"role": "admin"}])
def test_a_second_try_is_effective_when_the_first_one_died_between_the_stores(
    deployed: Container, admin: Player, player: LoggedIn, body: dict[str, object]
) -> None:
    assert player.score().status == 200, "the profile is cached"
    with dismissed(deployed) as labels:
        killed(deployed, lambda: change(admin, player.user_id, body))
        assert player.score().status == 200, "Redis does not know yet"
        assert change(admin, player.user_id, body).status == 200
        assert player.score().status in (401, 403)
        expected = {player.user_id, deployed.identify(player.access_token).session_id} if "disabled" in body else set()
        eventually(lambda: expected <= set(labels()), what="the sockets are closed")


@pytest.mark.parametrize("is_started", [True, False])
def test_a_redis_that_lost_its_last_moments_does_not_take_a_change_back(
    deployed: Container, admin: Player, player: LoggedIn, is_started: bool
) -> None:
    token, _ = deployed.access_tokens.issue(player.user_id, "player", deployed.clock.now())
    outside = LoggedIn(player.user_id, player.username, player.api_key, token, "")
    assert outside.score().status == player.score().status == 200
    before = deployed.profiles.get_many([player.user_id])[player.user_id]
    change(admin, player.user_id, {"role": "admin"})
    deployed.profiles.replace(before)
    deployed._redis.zrem(deployed._shard.ended_sessions, "*")  # as the first connection to another Redis does
    if is_started:
        invoke("prepare_stores", {})
    caller = outside if is_started else player
    assert caller.score().problem == (403, "not_a_player")


def test_what_an_admin_does_stands_in_the_audit_log(admin: Player, player: LoggedIn, database_url: str) -> None:
    change(admin, player.user_id, {"role": "admin", "disabled": True})
    change(admin, player.user_id, {"disabled": True})
    rows = query(
        database_url,
        "SELECT actor, source_ip, request_id, detail FROM audit_log WHERE action = 'user_changed' AND user_id = :id",
        id=player.user_id,
    )
    detail = {"role": {"from": "player", "to": "admin"}, "disabled": {"from": False, "to": True}}
    assert rows == [[admin.user_id, SOURCE_IP, REQUEST_ID, detail]], "what changes nothing is no change"


@pytest.mark.parametrize(
    "body", [{}, {"role": None}, {"role": "root"}, {"role": ["admin"]}, {"disabled": None}, {"disabled": "true"}, {"disabled": 1}]
)
def test_a_change_that_is_none_is_refused(admin: Player, player: LoggedIn, body: dict[str, object]) -> None:
    assert change(admin, player.user_id, body).problem == (422, "invalid_parameter")


def test_only_admins_change_accounts_or_find_them(player: LoggedIn) -> None:
    assert player.call("change_user", ROUTE, body={"role": "admin"}).problem == (403, "forbidden")
    assert player.call("find_users", "GET /api/admin/users", query={"username": player.username}).problem == (403, "forbidden")


def test_an_account_that_nobody_has_is_not_found(admin: Player) -> None:
    assert change(admin, "nobody", {"disabled": True}).problem == (404, "unknown_user")
