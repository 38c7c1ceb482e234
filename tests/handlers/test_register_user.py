"""POST /api/users."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import pytest

from shared.container import Container
from shared.core.errors import RedisUnavailable
from shared.ledger.queues import UPDATED
from tests.handlers.conftest import Redeploy
from tests.handlers.events import SOURCE_IP, HandlerReply, call, invoke
from tests.handlers.players import delivered, new_board

PASSWORD = "correct horse battery staple"


def register(source_ip: str = SOURCE_IP, **body: object) -> HandlerReply:
    return call("register_user", "POST /api/users", body=body, source_ip=source_ip)


def unique_name() -> str:
    return f"Player-{secrets.token_hex(6)}"


def test_a_newcomer_becomes_a_player_on_the_board_with_zero(deployed: Container) -> None:
    username = unique_name()
    reply = register(username=username, password=PASSWORD)
    assert reply.status == 201
    assert set(reply.data) == {"userId", "username", "displayName", "role", "apiKey"}
    assert (reply.data["username"], reply.data["role"]) == (username, "player")
    assert reply.headers["Location"] == f"/api/score/{reply.data['userId']}"
    assert deployed.leaderboard.scores([reply.data["userId"]]) == {reply.data["userId"]: 0}


@pytest.mark.parametrize("by_operator", [True, False])
def test_viewers_are_sent_the_board_with_a_newcomer_on_it(deployed: Container, by_operator: bool) -> None:
    with delivered(deployed, UPDATED) as taken:
        if by_operator:
            invoke("create_user", {"username": unique_name(), "password": PASSWORD, "role": "player"})
        else:
            register(username=unique_name(), password=PASSWORD)
        assert len(taken()) == 1


def test_password_and_api_key_are_kept_as_hashes_only(deployed: Container) -> None:
    reply = register(username=unique_name(), password=PASSWORD)
    account = deployed.users.by_id(reply.data["userId"])
    assert account is not None
    assert account.api_key_hash == hashlib.sha256(reply.data["apiKey"].encode()).hexdigest()
    assert account.hashed_password.startswith("$argon2id$")
    assert len(reply.data["apiKey"]) >= 43


def test_a_role_in_the_body_is_not_listened_to(deployed: Container) -> None:
    assert register(username=unique_name(), password=PASSWORD, role="admin").data["role"] == "player"


def test_of_equal_scores_the_earlier_registered_stands_first(deployed: Container) -> None:
    ids = [register(username=unique_name(), password=PASSWORD).data["userId"] for _ in range(3)]
    assert ids == sorted(ids, reverse=True)


def test_registration_is_audited(deployed: Container, database_url: str) -> None:
    from tests.support.product import query

    user_id = register(username=unique_name(), password=PASSWORD).data["userId"]
    rows = query(database_url, "SELECT action, actor, source_ip FROM audit_log WHERE user_id = :user_id", user_id=user_id)
    assert rows == [["user_registered", user_id, SOURCE_IP]]


@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_a_taken_name_is_refused_however_capitalised(deployed: Container, change: type[str]) -> None:
    username = unique_name()
    assert register(username=username, password=PASSWORD).status == 201
    assert register(username=change(username), password=PASSWORD).problem == (409, "username_taken")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_username"),
        ({"username": None, "password": PASSWORD}, "invalid_username"),
        ({"username": ["abc"], "password": PASSWORD}, "invalid_username"),
        ({"username": "no spaces", "password": PASSWORD}, "invalid_username"),
        ({"username": "nul\x00nul", "password": PASSWORD}, "invalid_username"),
        ({"username": "abc"}, "weak_password"),
        ({"username": "abc", "password": 123456789012}, "weak_password"),
        ({"username": "abc", "password": "short"}, "weak_password"),
        ({"username": "abcdefghijkl", "password": "ABCDEFGHIJKL"}, "weak_password"),
    ],
)
def test_a_bad_registration_is_refused(deployed: Container, body: dict[str, Any], code: str) -> None:
    assert register(**body).problem == (422, code)


@pytest.mark.parametrize("password", ["P@ssword2026!", "qwertyuiopasdf", "scoreboard-2026", "\ud83d"])
def test_a_password_that_is_tried_first_is_refused(deployed: Container, password: str) -> None:
    assert register(username=unique_name(), password=password).status in (400, 422)


def test_registrations_are_limited_for_each_network_and_in_all(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REGISTRATIONS_PER_HOUR="2", NETWORK_REGISTRATIONS_PER_HOUR="1")
    limited = new_board(redeploy)

    def register_from(source_ip: str) -> HandlerReply:
        return register(source_ip, username=unique_name(), password=PASSWORD)

    assert register_from("2001:db8:7:7::1").status == 201
    of_the_network = register_from("2001:db8:7:7::2")
    assert of_the_network.problem == (429, "too_many_requests")
    assert int(of_the_network.headers["Retry-After"]) > 3000
    assert register_from("2001:db8:7:8::1").status == 201
    assert register_from("2001:db8:7:9::1").problem == (429, "too_many_requests"), "two were all there may be"
    noted = limited.refusals.take()
    assert noted is not None
    assert {(group.action, group.reason) for group in noted.groups} == {("registration_refused", "too_many_requests")}
    assert sum(group.count for group in noted.groups) == 2


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        ("{", {}, (400, "malformed_json")),
        ("[]", {}, (400, "malformed_json")),
        ('{"username": "\\ud800"}', {}, (400, "malformed_json")),
        ("{}", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (f'{{"username": "{"x" * 65536}"}}', {}, (413, "payload_too_large")),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    deployed: Container, body: str, headers: dict[str, str], problem: tuple[int, str]
) -> None:
    assert call("register_user", "POST /api/users", body=body, headers=headers).problem == problem


def test_a_board_that_is_away_does_not_take_the_account_back(deployed: Container) -> None:
    class BoardThatIsAway:
        def enter(self, user_id: str) -> None:
            raise RedisUnavailable

    deployed.leaderboard = BoardThatIsAway()  # type: ignore[assignment]
    username = unique_name()
    assert register(username=username, password=PASSWORD).status == 201
    assert deployed.users.by_username(username) is not None


def test_what_cannot_be_counted_is_refused(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    username = unique_name()
    reply = register(username=username, password=PASSWORD)
    assert (reply.problem, reply.headers["Retry-After"]) == ((503, "leaderboard_unavailable"), "1")
    assert deployed.users.by_username(username) is None


def test_after_a_lost_redis_the_registrations_of_the_last_hour_still_count(deployed: Container, redeploy: Redeploy) -> None:
    register(username=unique_name(), password=PASSWORD)
    made = deployed.users.registered_of_late(10_000)
    assert made
    redeploy(REGISTRATIONS_PER_HOUR=str(made + 1), KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:")  # an empty Redis, the same database
    replies = [register("127.0.0.1", username=unique_name(), password=PASSWORD) for _ in range(2)]
    assert replies[0].status == 201
    assert replies[1].problem == (429, "too_many_requests")


def test_a_database_that_is_away_is_told_so(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/scoreboard")
    reply = register(username=unique_name(), password=PASSWORD)
    assert reply.problem == (503, "database_unavailable")
    assert reply.headers["Retry-After"] == "1"
