"""GET /api/me and PATCH /api/me."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import redis

from shared.accounts.redis import Profiles
from shared.boards.read_board import Names
from shared.container import Container
from shared.ledger.queues import UPDATED
from tests.handlers.conftest import Redeploy
from tests.handlers.dying import killed
from tests.handlers.events import REQUEST_ID, SOURCE_IP, HandlerReply, call
from tests.handlers.limits import limit_requests, open_limits
from tests.handlers.players import Player, delivered, give, new_player
from tests.handlers.sessions import PASSWORD, LoggedIn, log_in
from tests.support.product import query

ROUTE = "PATCH /api/me"


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Container:
    """A board on which nobody stands yet."""
    made: Container = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:", PUBLIC_LEADERBOARD="true")
    open_limits(made)
    made.leaderboard.rebuild([])
    return made


@pytest.fixture
def client(deployed: Container) -> Any:
    with redis.Redis.from_url(deployed.settings.redis_url, decode_responses=True) as made:
        yield made


def change(who: Player | LoggedIn, name: object, **headers: str) -> HandlerReply:
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return call("update_me", ROUTE, headers={**who.authorization, **named}, body={"displayName": name})


def me(who: Player | LoggedIn) -> HandlerReply:
    return call("get_me", "GET /api/me", headers=who.authorization)


def shown(who: Player) -> str:
    """As the player's own place shows them."""
    path = {"user_id": who.user_id}
    reply = call("get_user_score", "GET /api/score/{user_id}", path_parameters=path, headers=who.authorization)
    return str(reply.data["displayName"])


def other_process(board: Container) -> Names:
    """The names that another process keeps."""
    return Names(Profiles(board._redis, board._shard), board.users, board.clock)


def test_an_account_is_shown_by_its_username_until_it_chooses_another_name(deployed: Container, database_url: str) -> None:
    player = new_player(deployed)
    account = {"userId": player.user_id, "username": player.username, "displayName": player.username, "role": "player"}
    assert me(player).data == account
    reply = change(player, "  Jose\u0301 ")
    assert (reply.status, reply.data) == (200, {**account, "displayName": "José"})
    assert me(player).data == reply.data
    assert change(player, None).data == account
    assert me(player).data == account
    stored = query(database_url, "SELECT display_name, display_name_folded FROM users WHERE user_id = :id", id=player.user_id)
    assert stored == [[None, None]]


def test_a_newcomer_may_choose_a_name_at_once(deployed: Container, database_url: str) -> None:
    username = f"Player-{secrets.token_hex(6)}"
    body = {"username": username, "password": PASSWORD, "displayName": "小明"}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    account = call("register_user", "POST /api/users", body=body, headers=key).data
    assert (account["username"], account["displayName"]) == (username, "小明")
    again = call("register_user", "POST /api/users", body=body, headers=key)
    assert (again.data, again.headers["Idempotency-Replayed"]) == (account, "true")
    other = call("register_user", "POST /api/users", body={**body, "displayName": "小红"}, headers=key)
    assert other.problem == (422, "idempotency_key_reused")
    assert log_in(username).status == 200
    [[detail]] = query(database_url, "SELECT detail FROM audit_log WHERE user_id = :id", id=account["userId"])
    assert detail == {"username": username, "role": "player", "displayName": "小明"}
    refused = call("register_user", "POST /api/users", body={**body, "username": f"x{username}", "displayName": "\u202e"})
    assert refused.problem == (422, "invalid_display_name")
    without = call("register_user", "POST /api/users", body={**body, "username": f"y{username}", "displayName": None})
    assert without.data["displayName"] == f"y{username}"


@pytest.mark.parametrize("name", ["", "x" * 51, "a\u202eb", "\u200b", 7, ["a"]])
def test_what_is_wrong_with_a_name_is_said(deployed: Container, name: object) -> None:
    player = new_player(deployed)
    reply = change(player, name)
    assert reply.problem == (422, "invalid_display_name")
    assert "`displayName`" in reply.json["detail"]
    assert me(player).data["displayName"] == player.username


def test_a_body_without_a_name_is_refused(deployed: Container) -> None:
    player = new_player(deployed)
    assert call("update_me", ROUTE, headers=player.authorization, body={"name": "Ada"}).problem == (422, "invalid_parameter")


def test_a_change_stands_in_the_audit_log_and_none_does_not(deployed: Container, database_url: str) -> None:
    player = new_player(deployed)
    for name in ("Ада", "Ада", None):
        assert change(player, name).status == 200
    rows = query(
        database_url,
        "SELECT actor, source_ip, request_id, detail FROM audit_log WHERE action = 'user_changed' AND user_id = :id ORDER BY id",
        id=player.user_id,
    )
    who = [player.user_id, SOURCE_IP, REQUEST_ID]
    assert rows == [
        [*who, {"displayName": {"from": None, "to": "Ада"}}],
        [*who, {"displayName": {"from": "Ада", "to": None}}],
    ]


def test_names_change_only_so_often(board: Container) -> None:
    player = new_player(board)
    limit_requests(board, "display_name_change", 2)
    assert [change(player, name).status for name in ("a", "b", "c")] == [200, 200, 429]
    assert change(new_player(board), "d").status == 200
    assert me(player).data["displayName"] == "b"


def test_whom_only_an_outside_provider_knows_has_no_account(deployed: Container) -> None:
    player = new_player(deployed)
    query(deployed.settings.migrations_database_url, "DELETE FROM users WHERE user_id = :id", id=player.user_id)
    assert me(player).problem == (404, "unknown_user")
    assert change(player, "Ada").problem == (404, "unknown_user")


def test_every_process_shows_a_new_name_with_the_next_place_it_reads(board: Container) -> None:
    player, rival = new_player(board), new_player(board)
    give(board, {player.user_id: 7, rival.user_id: 9})
    others = [other_process(board) for _ in range(2)]

    def seen() -> list[list[str]]:
        return [[line.display_name for line in names.of(board.leaderboard.top(10, names.since))] for names in others]

    assert [shown(player), *seen()] == [player.username, *[[rival.username, player.username]] * 2]
    assert change(player, "🦊 Ренар").status == 200
    assert [shown(player), *seen()] == ["🦊 Ренар", *[[rival.username, "🦊 Ренар"]] * 2]
    line = call("get_scores", "GET /api/scores").json["data"][1]
    assert (list(line), line["username"]) == (["userId", "username", "displayName", "rank", "score"], player.username)
    assert line["displayName"] == "🦊 Ренар"
    assert change(player, None).status == 200
    assert [shown(player), *seen()] == [player.username, *[[rival.username, player.username]] * 2]


def test_a_place_with_known_names_is_one_round_trip_after_a_change_of_names_too(board: Container, client: Any) -> None:
    player, rival = new_player(board), new_player(board)
    change(rival, "Rival")
    shown(player)
    client.config_resetstat()
    for _ in range(5):
        shown(player)
    stats = client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 10, "the check of the caller, and the place with the notes of changes"
    board._pool.close()
    shown(player)
    assert not board._pool._idle, "a name was looked up in PostgreSQL"


def test_viewers_are_sent_the_board_after_a_change_and_after_a_second_try(board: Container) -> None:
    player = new_player(board)
    with delivered(board, UPDATED) as taken:
        change(player, "Ada", Idempotency_Key="k-1")
        assert len(taken()) == 1
        assert change(player, "Ada", Idempotency_Key="k-1").headers["Idempotency-Replayed"] == "true"
        assert len(taken()) == 1
        change(player, "\u202e")
        assert taken() == []


def test_a_second_try_tells_of_the_change_when_the_first_one_died(board: Container) -> None:
    player = new_player(board)
    assert shown(player) == player.username
    killed(board, lambda: change(player, "Ada", Idempotency_Key="k-2"))
    assert shown(player) == player.username
    assert change(player, "Ada", Idempotency_Key="k-2").status == 200
    assert shown(player) == "Ada"


def test_a_profile_that_version_0_1_0_cached_shows_the_name(board: Container, client: Any) -> None:
    player = new_player(board)
    change(player, "Ada")
    key = board._shard.user(player.user_id).profile
    client.hdel(key, "display_name")
    assert [line.display_name for line in other_process(board).of(board.leaderboard.top(1))] == ["Ada"]
    assert client.hget(key, "display_name") == "Ada", "the next process need not ask the database"
    assert set(client.hgetall(key)) == {"username", "role", "api_key", "disabled", "display_name", "hidden_on"}
    assert 0 < client.ttl(key) <= 60


def test_no_more_notes_of_changes_are_kept_than_are_of_use(board: Container, client: Any) -> None:
    names = other_process(board)
    player = new_player(board)
    give(board, {player.user_id: 1})
    assert change(player, "one").status == 200
    assert [line.display_name for line in names.of(board.leaderboard.top(1, names.since))] == ["one"]
    assert change(player, "two").status == 200
    [other] = board.users.profiles([new_player(board).user_id]).values()
    for _ in range(1001):
        board.profiles.replace(other)
    assert client.xlen(board._shard.changed_profiles) == 1000
    assert client.ttl(board._shard.changed_profiles) == -1
    assert [line.display_name for line in names.of(board.leaderboard.top(1, names.since))] == ["two"]
