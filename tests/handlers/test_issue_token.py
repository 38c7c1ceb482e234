"""POST /api/tokens."""

from __future__ import annotations

import hashlib
import secrets
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.accounts.argon2 import PasswordHasher
from shared.container import Container
from shared.core.errors import BadMessage
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.limits import limit_requests
from tests.support.product import query

PASSWORD = "correct horse battery staple"
REFUSED = (401, "invalid_credentials")


def tokens(source_ip: str = "198.51.100.7", **body: object) -> HandlerReply:
    return call("issue_token", "POST /api/tokens", body=body, source_ip=source_ip)


@pytest.fixture
def account(deployed: Container) -> dict[str, str]:
    body = {"username": f"Player-{secrets.token_hex(6)}", "password": PASSWORD}
    created: dict[str, str] = call("register_user", "POST /api/users", body=body).data
    return created


def test_a_log_in_answers_a_token_pair(deployed: Container, account: dict[str, str]) -> None:
    reply = tokens(username=account["username"], password=PASSWORD)
    assert set(reply.data) == {"userId", "accessToken", "tokenType", "expiresIn", "refreshToken"}
    assert (reply.data["tokenType"], reply.data["expiresIn"]) == ("Bearer", 900)
    assert reply.headers["Cache-Control"] == "no-store"
    caller = deployed.authenticate(reply.data["accessToken"])
    assert (caller.user_id, caller.role) == (account["userId"], "player")
    assert reply.data["userId"] == tokens(refreshToken=reply.data["refreshToken"]).data["userId"] == account["userId"]


def test_capital_letters_in_the_name_do_not_matter(account: dict[str, str]) -> None:
    assert tokens(username=account["username"].upper(), password=PASSWORD).status == 200


def test_a_refresh_token_keeps_somebody_logged_in(deployed: Container, account: dict[str, str]) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data
    second = tokens(refreshToken=first["refreshToken"]).data
    assert second["refreshToken"] != first["refreshToken"]
    assert deployed.authenticate(second["accessToken"]).user_id == account["userId"]
    assert tokens(refreshToken=second["refreshToken"]).status == 200


def is_over(pair: dict[str, str]) -> bool:
    """Whether the access token is refused: at once, not when it expires."""
    return call("get_scores", "GET /api/scores", headers={"Authorization": f"Bearer {pair['accessToken']}"}).status == 401


def test_a_spent_refresh_token_ends_all_that_came_from_it(account: dict[str, str]) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data
    elsewhere = tokens(username=account["username"], password=PASSWORD).data
    second = tokens(refreshToken=first["refreshToken"]).data
    third = tokens(refreshToken=second["refreshToken"]).data
    assert tokens(refreshToken=first["refreshToken"]).problem == REFUSED
    assert tokens(refreshToken=third["refreshToken"]).problem == REFUSED
    assert tokens(refreshToken=elsewhere["refreshToken"]).status == 200
    assert [is_over(pair) for pair in (first, second, third, elsewhere)] == [True, True, True, False]


def test_a_refresh_token_whose_answer_was_lost_gives_the_same_successor(account: dict[str, str]) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data
    second = tokens(refreshToken=first["refreshToken"])
    again = tokens(refreshToken=first["refreshToken"])
    assert again.data["refreshToken"] == second.data["refreshToken"]
    assert not is_over(again.data)
    assert "Idempotency-Replayed" not in again.headers, "no key was sent"
    assert tokens(refreshToken=second.data["refreshToken"]).status == 200


def test_a_refresh_token_shown_many_times_at_once_gives_one_successor(account: dict[str, str], database_url: str) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: tokens(refreshToken=first["refreshToken"]), range(8)))
    assert len({reply.data["refreshToken"] for reply in replies}) == 1
    rows = query(database_url, "SELECT spent_at FROM refresh_tokens WHERE user_id = :id", id=account["userId"])
    assert len(rows) == 2
    assert tokens(refreshToken=replies[0].data["refreshToken"]).status == 200


def spent_before(database_url: str, seconds: int) -> None:
    """As if so much time had passed since each token was spent."""
    query(database_url, "UPDATE refresh_tokens SET spent_at = spent_at - CAST(:ago AS interval)", ago=f"{seconds} seconds")


def test_after_the_grace_a_spent_refresh_token_is_a_stolen_one(account: dict[str, str], database_url: str) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data
    second = tokens(refreshToken=first["refreshToken"]).data
    spent_before(database_url, 31)
    assert tokens(refreshToken=first["refreshToken"]).problem == REFUSED
    assert tokens(refreshToken=second["refreshToken"]).problem == REFUSED
    assert is_over(second)


def test_with_the_key_of_its_first_use_a_refresh_token_gives_the_same_successor_for_a_day(
    account: dict[str, str], database_url: str
) -> None:
    def keyed(key: str) -> HandlerReply:
        return call("issue_token", "POST /api/tokens", body={"refreshToken": first}, headers={"Idempotency-Key": key})

    first = tokens(username=account["username"], password=PASSWORD).data["refreshToken"]
    second = keyed("renewal-1")
    assert (second.status, second.headers.get("Idempotency-Replayed")) == (200, None)
    spent_before(database_url, 3600)
    query(
        database_url,
        "UPDATE refresh_tokens SET issued_at = issued_at - interval '1 hour' WHERE user_id = :id",
        id=account["userId"],
    )
    again = keyed("renewal-1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.data["refreshToken"] == second.data["refreshToken"]
    everywhere = tokens(username=account["username"], password=PASSWORD).data
    call(
        "log_out",
        "DELETE /api/tokens",
        headers={"Authorization": f"Bearer {everywhere['accessToken']}"},
        query={"everywhere": "true"},
    )
    assert is_over(again.data), "its access token is young, whenever the session's last renewal was"


def test_another_key_is_no_proof_that_the_first_answer_was_lost(account: dict[str, str], database_url: str) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data["refreshToken"]
    headers = {"Idempotency-Key": "renewal-1"}
    second = call("issue_token", "POST /api/tokens", body={"refreshToken": first}, headers=headers).data["refreshToken"]
    spent_before(database_url, 31)
    other = {"Idempotency-Key": "renewal-2"}
    assert call("issue_token", "POST /api/tokens", body={"refreshToken": first}, headers=other).problem == REFUSED
    assert tokens(refreshToken=second).problem == REFUSED


def test_the_database_alone_gives_no_successor_away(deployed: Container, account: dict[str, str], database_url: str) -> None:
    first = tokens(username=account["username"], password=PASSWORD).data["refreshToken"]
    second = tokens(refreshToken=first).data["refreshToken"]
    rows = query(database_url, "SELECT * FROM refresh_tokens WHERE user_id = :id", id=account["userId"])
    assert first not in str(rows)
    assert second not in str(rows)
    (sealed,) = (
        row[0]
        for row in query(
            database_url,
            "SELECT sealed_successor FROM refresh_tokens WHERE user_id = :id AND spent_at IS NOT NULL",
            id=account["userId"],
        )
    )
    associated = f"successor of {hashlib.sha256(first.encode()).hexdigest()}".encode()
    assert deployed.sealer_under(first).open(sealed, associated).decode() == second
    for sealer in (deployed.sealer, deployed.sealer_under(second)):
        with pytest.raises(BadMessage):
            sealer.open(sealed, associated)
    assert tokens(refreshToken=second).status == 200
    kept = query(database_url, "SELECT count(sealed_successor) FROM refresh_tokens WHERE user_id = :id", id=account["userId"])
    assert kept == [[1]], "only that of the last one that was spent"


def test_refresh_tokens_are_kept_hashed_for_thirty_days(account: dict[str, str], database_url: str) -> None:
    refresh_token = tokens(username=account["username"], password=PASSWORD).data["refreshToken"]
    rows = query(
        database_url,
        "SELECT token_hash, extract(epoch FROM expires_at - now()) / 86400 FROM refresh_tokens WHERE user_id = :user_id",
        user_id=account["userId"],
    )
    assert refresh_token not in str(rows)
    assert round(float(rows[0][1])) == 30


@pytest.mark.parametrize("username", ["nobody-has-this-name", "no name at all", "nul\x00nul", "", "-", "x" * 5000])
def test_an_unknown_name_is_answered_like_a_wrong_password(account: dict[str, str], username: str) -> None:
    wrong = tokens(username=account["username"], password="not the password")
    unknown = tokens(username=username, password="not the password", source_ip=secrets.token_hex(4))
    assert wrong.problem == unknown.problem == REFUSED
    assert wrong.json == unknown.json
    assert unknown.headers["WWW-Authenticate"].startswith("Bearer")


class CountingHasher(PasswordHasher):
    """The hasher, and how many hashes it computed against one that somebody has, and against none."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._real = hasher
        self.of_accounts = self.of_nobody = 0

    def hash(self, password: str) -> str:
        return self._real.hash(password)

    def verify(self, hashed: str | None, password: str) -> bool:
        if hashed is None:
            self.of_nobody += 1
        else:
            self.of_accounts += 1
        return self._real.verify(hashed, password)


@pytest.mark.parametrize("username", ["nobody-has-this-name", "no name at all", "x" * 5000])
def test_an_unknown_name_costs_a_hash_as_a_known_one_does(
    deployed: Container, account: dict[str, str], username: str, database_url: str
) -> None:
    counting = CountingHasher(deployed.password_hasher)
    deployed.password_hasher = counting
    assert tokens(username=account["username"], password="not the password").problem == REFUSED
    assert (counting.of_accounts, counting.of_nobody) == (1, 0)
    assert tokens(username=username, password="not the password", source_ip=secrets.token_hex(4)).problem == REFUSED
    assert (counting.of_accounts, counting.of_nobody) == (1, 1)
    query(database_url, "UPDATE users SET disabled = TRUE WHERE user_id = :user_id", user_id=account["userId"])
    assert tokens(username=account["username"], password=PASSWORD).problem == REFUSED
    assert (counting.of_accounts, counting.of_nobody) == (2, 1)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(account: dict[str, str]) -> None:
    """In turns, by CPU time, and by medians; tests/benchmarks prints the ratio."""

    def seconds(username: str) -> float:
        began = time.thread_time()
        assert tokens(username=username, password="not the password", source_ip=secrets.token_hex(4)).problem == REFUSED
        return time.thread_time() - began

    pairs = [(seconds(account["username"]), seconds("nobody-has-this-name")) for _ in range(9)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert known / 2 < unknown < known * 2


def test_a_password_longer_than_any_is_no_password(account: dict[str, str]) -> None:
    long = "correct horse battery staple " * 5
    body = {"username": f"Player-{secrets.token_hex(6)}", "password": long[:128]}
    assert call("register_user", "POST /api/users", body=body).status == 201
    assert tokens(**body).status == 200
    assert tokens(username=body["username"], password=long).problem == REFUSED


def test_a_disabled_account_gets_nothing(account: dict[str, str], database_url: str) -> None:
    refresh_token = tokens(username=account["username"], password=PASSWORD).data["refreshToken"]
    query(database_url, "UPDATE users SET disabled = TRUE WHERE user_id = :user_id", user_id=account["userId"])
    assert tokens(username=account["username"], password=PASSWORD).problem == REFUSED
    assert tokens(refreshToken=refresh_token).problem == REFUSED


@pytest.mark.usefixtures("time_stands")
def test_after_five_failures_one_has_to_wait_but_only_there(account: dict[str, str]) -> None:
    here, elsewhere = secrets.token_hex(4), secrets.token_hex(4)
    name = account["username"]
    replies = [tokens(here, username=name, password="not the password") for _ in range(6)]
    assert [reply.status for reply in replies] == [401] * 5 + [429]
    assert replies[-1].problem == (429, "too_many_attempts")
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 2
    assert tokens(here, username=name, password=PASSWORD).status == 429, "the right password has to wait, too"
    assert tokens(elsewhere, username=name, password=PASSWORD).status == 200


@pytest.mark.usefixtures("time_stands")
def test_after_a_lost_redis_a_guesser_gets_one_attempt_and_its_owner_gets_in(
    deployed: Container, account: dict[str, str], redeploy: Redeploy
) -> None:
    here, home, name = "203.0.113.66", "198.51.100.99", account["username"]
    while tokens(here, username=name, password="not the password").status == 401:
        pass
    redeploy(KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:")  # an empty Redis, the same database
    assert tokens(home, username=name, password=PASSWORD).status == 200
    guesses = [tokens(here, username=name, password="not the password") for _ in range(3)]
    assert [guess.status for guess in guesses] == [401, 429, 429]
    assert 10 <= int(guesses[1].headers["Retry-After"]) <= 16


def test_an_outage_is_no_failure_of_those_who_try_again(deployed: Container, account: dict[str, str], redeploy: Redeploy) -> None:
    here, name, database_url = secrets.token_hex(4), account["username"], deployed.settings.database_url
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/scoreboard")
    assert [tokens(here, username=name, password=PASSWORD).status for _ in range(8)] == [503] * 8
    redeploy(DATABASE_URL=database_url)
    assert tokens(here, username=name, password=PASSWORD).status == 200


@pytest.mark.usefixtures("time_stands")
def test_a_hammered_account_is_open_to_its_owner(account: dict[str, str]) -> None:
    home, name = "2001:db8:1:2::3", account["username"]
    assert tokens(home, username=name, password=PASSWORD).status == 200
    statuses = [tokens(f"203.0.113.{number}", username=name, password="not the password").status for number in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    assert tokens("2001:db8:1:2:9::9", username=name, password=PASSWORD).status == 200
    assert tokens("203.0.113.99", username=name, password=PASSWORD).status == 429


def test_refreshing_is_limited_for_each_network(deployed: Container, account: dict[str, str]) -> None:
    limit_requests(deployed, "token_refresh", 2)
    here, elsewhere = "203.0.113.200", "203.0.113.201"
    refresh_token = tokens(username=account["username"], password=PASSWORD).data["refreshToken"]
    for _ in range(2):
        refresh_token = tokens(here, refreshToken=refresh_token).data["refreshToken"]
    refused = tokens(here, refreshToken=refresh_token)
    assert refused.problem == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) > 35_000
    assert tokens(elsewhere, refreshToken=refresh_token).status == 200, "what was refused spent nothing"


def test_checking_passwords_is_limited_for_each_network_and_what_was_refused_is_no_failure(
    deployed: Container, account: dict[str, str]
) -> None:
    limit_requests(deployed, "password_check", 2)
    here, elsewhere, name = "203.0.113.210", "203.0.113.211", account["username"]
    replies = [tokens(here, username=name, password=PASSWORD) for _ in range(9)]
    assert [reply.status for reply in replies] == [200] * 2 + [429] * 7
    assert {reply.problem for reply in replies[2:]} == {(429, "too_many_requests")}
    assert tokens(elsewhere, username=name, password=PASSWORD).status == 200


def test_an_account_begins_so_many_sessions_and_nobody_else_uses_them_up(deployed: Container, account: dict[str, str]) -> None:
    limit_requests(deployed, "session", 2)
    name = account["username"]
    for number in range(3):
        assert tokens(f"203.0.113.{220 + number}", username=name, password="not the password").status == 401
    statuses = [tokens(f"203.0.113.{220 + number}", username=name, password=PASSWORD).status for number in range(3)]
    assert statuses == [200, 200, 429]


def test_a_log_in_that_succeeds_forgets_the_failures(account: dict[str, str]) -> None:
    here, name = secrets.token_hex(4), account["username"]
    for _ in range(3):
        for _ in range(4):
            assert tokens(here, username=name, password="not the password").status == 401
        assert tokens(here, username=name, password=PASSWORD).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "ada"},
        {"password": PASSWORD},
        {"username": 7, "password": PASSWORD},
        {"username": "ada", "password": None},
        {"refreshToken": 7},
        {"refreshToken": "x", "username": "ada", "password": PASSWORD},
    ],
)
def test_a_request_that_is_neither_is_refused(deployed: Container, body: dict[str, Any]) -> None:
    assert tokens(**body).problem == (422, "invalid_parameter")


def test_a_made_up_refresh_token_is_refused(deployed: Container) -> None:
    assert tokens(refreshToken="made-up").problem == REFUSED


@pytest.mark.parametrize(
    ("name", "url", "code"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0", "leaderboard_unavailable"),
        ("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/scoreboard", "database_unavailable"),
    ],
)
def test_a_store_that_is_away_is_told_so(deployed: Container, redeploy: Redeploy, name: str, url: str, code: str) -> None:
    redeploy(**{name: url})
    assert tokens(secrets.token_hex(4), username="ada", password=PASSWORD).problem == (503, code)
