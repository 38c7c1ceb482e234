"""Idempotency-Key: each change of state is carried out once, however often it is sent, and gives its first answer again."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from infra.documents.openapi import template_routes
from shared.container import Container
from shared.core.errors import RabbitUnavailable
from shared.ledger.dead_letter import PARKED
from shared.ledger.events import RefusedMessage
from tests.handlers.boards import define_board
from tests.handlers.dying import killed
from tests.handlers.events import ROOT, HandlerReply, call
from tests.handlers.players import new_player
from tests.handlers.sessions import PASSWORD, LoggedIn, newcomer
from tests.support.product import query

ROUTES = template_routes()
NEW = "staple an honest mule"
REUSED, IN_PROGRESS = (422, "idempotency_key_reused"), (409, "request_in_progress")
# What changes nothing that lasts: a ticket that nobody spends is worth nothing soon, and a second one does no harm.
TICKETS = {"POST /api/score/{user_id}/tickets", "POST /api/ws-tickets"}
# What has a way of its own: the script of an update, and what becomes of a refresh token (tests/handlers/test_issue_token.py).
UPDATE = "POST /api/score/{user_id}"


@dataclass(frozen=True)
class Change:
    """A request that changes something: `send` gets headers and what it says otherwise than usual."""

    send: Callable[..., HandlerReply]
    other: dict[str, Any]
    audited: str = ""
    about: str = ""
    user: Any = field(default=None)


def a_registration(deployed: Container) -> Change:
    name = f"Player-{secrets.token_hex(6)}"

    def send(headers: dict[str, str], password: str = PASSWORD, **request: Any) -> HandlerReply:
        body = {"username": name, "password": password}
        return call("register_user", "POST /api/users", headers=headers, body=body, **request)

    return Change(send, {"password": NEW}, "user_registered", name)


def a_log_in(deployed: Container) -> Change:
    user = newcomer()

    def send(headers: dict[str, str], password: str = PASSWORD, **request: Any) -> HandlerReply:
        body = {"username": user.username, "password": password}
        return call("issue_token", "POST /api/tokens", headers=headers, body=body, **request)

    return Change(send, {}, about=user.user_id, user=user)


def a_log_out(deployed: Container) -> Change:
    user = newcomer()

    def send(headers: dict[str, str], everywhere: str = "false", **request: Any) -> HandlerReply:
        return user.call("log_out", "DELETE /api/tokens", headers=headers, query={"everywhere": everywhere}, **request)

    return Change(send, {"everywhere": "true"}, "logged_out", user.user_id, user)


def a_new_password(deployed: Container) -> Change:
    user = newcomer()

    def send(headers: dict[str, str], new: str = NEW, **request: Any) -> HandlerReply:
        body = {"currentPassword": PASSWORD, "newPassword": new}
        return user.call("change_password", "PUT /api/users/{user_id}/password", headers=headers, body=body, **request)

    return Change(send, {"new": "another honest mule"}, "password_changed", user.user_id, user)


def a_new_api_key(deployed: Container) -> Change:
    return a_new_api_key_of(newcomer())


def a_new_api_key_of(user: LoggedIn) -> Change:
    send = partial(user.call, "rotate_api_key", "POST /api/users/{user_id}/api-key")
    return Change(lambda headers, **request: send(headers=headers, **request), {}, "api_key_rotated", user.user_id, user)


def a_change_of_an_account(deployed: Container) -> Change:
    admin, user = new_player(deployed, "admin"), newcomer()

    def send(headers: dict[str, str], disabled: bool = True, **request: Any) -> HandlerReply:
        return call(
            "change_user",
            "PATCH /api/admin/users/{user_id}",
            path_parameters={"user_id": user.user_id},
            headers={**admin.authorization, **headers},
            body={"disabled": disabled},
            **request,
        )

    return Change(send, {"disabled": False}, "user_changed", user.user_id, user)


def another_display_name(deployed: Container) -> Change:
    user = newcomer()

    def send(headers: dict[str, str], name: str = "Ада", **request: Any) -> HandlerReply:
        return user.call("update_me", "PATCH /api/me", headers=headers, body={"displayName": name}, **request)

    return Change(send, {"name": "Ada"}, "user_changed", user.user_id, user)


def a_redrive(deployed: Container) -> Change:
    admin = new_player(deployed, "admin")

    def send(headers: dict[str, str], limit: int = 1, **request: Any) -> HandlerReply:
        route = "POST /api/admin/dead-letters/redrive"
        body = {"limit": limit, "requestIds": [admin.user_id]}  # none: those of other tests are nobody's business here
        return call("redrive_dead_letters", route, headers={**admin.authorization, **headers}, body=body, **request)

    return Change(send, {"limit": 2}, "dead_letters_redriven", admin.user_id, admin)


def a_discard(deployed: Container) -> Change:
    admin = new_player(deployed, "admin")
    refused = RefusedMessage(secrets.token_bytes(16), "not a message", 1)
    deployed.ledger.record([], unreadable=[refused])
    newest = deployed.dead_letters.page([PARKED], 10_000)[-1]

    def send(headers: dict[str, str], reason: str = "a test", **request: Any) -> HandlerReply:
        route, body = "POST /api/admin/dead-letters/discard", {"ids": [newest.id], "reason": reason}
        return call("discard_dead_letters", route, headers={**admin.authorization, **headers}, body=body, **request)

    return Change(send, {"reason": "another"}, "dead_letter_discarded", admin.user_id, admin)


def a_board(deployed: Container) -> Change:
    admin, board_id = new_player(deployed, "admin"), f"board-{secrets.token_hex(6)}"

    def send(headers: dict[str, str], title: str = "Sprints", **request: Any) -> HandlerReply:
        return call(
            "put_board",
            "PUT /api/boards/{board}",
            path_parameters={"board": board_id},
            headers={**admin.authorization, **headers},
            body={"title": title},
            **request,
        )

    return Change(send, {"title": "Dashes"}, "board_defined", admin.user_id, admin)


def a_board_less(deployed: Container) -> Change:
    admin, board_id = new_player(deployed, "admin"), define_board(deployed)

    def send(headers: dict[str, str], **request: Any) -> HandlerReply:
        route, sent = "DELETE /api/boards/{board}", {**admin.authorization, **headers}
        return call("delete_board", route, path_parameters={"board": board_id}, headers=sent, **request)

    return Change(send, {}, "board_deleted", admin.user_id, admin)


def a_server_key(deployed: Container) -> Change:
    admin = new_player(deployed, "admin")

    def send(headers: dict[str, str], name: str = "arena", **request: Any) -> HandlerReply:
        route, sent = "POST /api/admin/server-keys", {**admin.authorization, **headers}
        return call("create_server_key", route, headers=sent, body={"name": name}, **request)

    return Change(send, {"name": "arcade"}, "server_key_created", admin.user_id, admin)


def another_secret(deployed: Container) -> Change:
    admin, maker = new_player(deployed, "admin"), a_server_key(deployed)
    named = {"key_id": maker.send({}).data["keyId"]}

    def send(headers: dict[str, str], **request: Any) -> HandlerReply:
        route, sent = "POST /api/admin/server-keys/{key_id}/secret", {**admin.authorization, **headers}
        return call("rotate_server_key", route, path_parameters=named, headers=sent, **request)

    return Change(send, {}, "server_key_rotated", admin.user_id, admin)


def a_decision(deployed: Container) -> Change:
    admin, player = new_player(deployed, "admin"), new_player(deployed)

    def send(headers: dict[str, str], reason: str = "bots", **request: Any) -> HandlerReply:
        route, sent = "POST /api/admin/boards/{board}/moderation", {**admin.authorization, **headers}
        body = {"action": "hide", "userId": player.user_id, "reason": reason}
        return call("moderate_players", route, path_parameters={"board": "main"}, headers=sent, body=body, **request)

    return Change(send, {"reason": "a quarrel"}, "player_hidden", player.user_id, player)


CHANGES: dict[str, Callable[[Container], Change]] = {
    "POST /api/users": a_registration,
    "POST /api/tokens": a_log_in,
    "DELETE /api/tokens": a_log_out,
    "PUT /api/users/{user_id}/password": a_new_password,
    "POST /api/users/{user_id}/api-key": a_new_api_key,
    "PATCH /api/me": another_display_name,
    "PATCH /api/admin/users/{user_id}": a_change_of_an_account,
    "POST /api/admin/dead-letters/redrive": a_redrive,
    "POST /api/admin/dead-letters/discard": a_discard,
    "PUT /api/boards/{board}": a_board,
    "DELETE /api/boards/{board}": a_board_less,
    "POST /api/admin/boards/{board}/moderation": a_decision,
    "POST /api/admin/server-keys": a_server_key,
    "POST /api/admin/server-keys/{key_id}/secret": another_secret,
}
# In tests/handlers: test_start_reconciliation.py (needs a consumer), test_add_entry.py (is an update), test_seasons.py.
ELSEWHERE = {
    "POST /api/admin/reconciliations",
    "POST /api/boards/{board}/scores/{user_id}",
    "POST /api/boards/{board}/reset",
}
# They change nothing, or nothing when sent again, or have a key in each entry.
WITHOUT = {
    "POST /api/boards/{board}/scores/query",
    "DELETE /api/admin/server-keys/{key_id}",
    "POST /api/boards/{board}/scores",
}
every_change = pytest.mark.parametrize("route", CHANGES)


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": f"key-{secrets.token_hex(8)}"}


def times(database_url: str, change: Change) -> int:
    """How often it has been carried out, as the audit log says, or the sessions that were begun."""
    if not change.audited:
        families = "SELECT count(DISTINCT family_id) - 1 FROM refresh_tokens WHERE user_id = :about"
        return int(query(database_url, families, about=change.about)[0][0])
    sql = """SELECT count(*) FROM audit_log
             WHERE action = :action AND :about IN (user_id, detail->>'username', CASE WHEN user_id IS NULL THEN actor END)"""
    return int(query(database_url, sql, action=change.audited, about=change.about)[0][0])


def essence(reply: HandlerReply) -> Any:
    """What a first answer and its repetition must have in common: all but an access token that is made anew."""
    if not reply.body:
        return reply.status
    body = json.loads(reply.body)
    body["data"].pop("accessToken", None)
    return reply.status, body


def test_every_route_that_changes_something_takes_a_key_and_says_so() -> None:
    changing = {route for route in ROUTES if route.split()[0] in ("POST", "PUT", "PATCH", "DELETE")}
    assert changing == {*CHANGES, *ELSEWHERE, *TICKETS, *WITHOUT, UPDATE}
    document = json.loads((ROOT / "functions" / "get_openapi" / "openapi.json").read_text(encoding="utf-8"))
    for route in changing - TICKETS - WITHOUT:
        method, path = route.split(" ", 1)
        operation = document["paths"][path][method.lower()]
        names = {one.get("name", one.get("$ref", "").rpartition("/")[2]).lower() for one in operation["parameters"]}
        assert names & {"idempotencykey", "idempotency-key"}, route
        successes = [response for status, response in operation["responses"].items() if status.startswith("2")]
        assert all("Idempotency-Replayed" in response["headers"] for response in successes), route


@every_change
def test_the_same_request_under_the_same_key_is_carried_out_once(deployed: Container, database_url: str, route: str) -> None:
    change, key = CHANGES[route](deployed), new_key()
    first = change.send(key)
    assert first.status < 300
    assert "Idempotency-Replayed" not in first.headers
    for _ in range(2):
        again = change.send(key)
        assert essence(again) == essence(first)
        assert again.headers["Idempotency-Replayed"] == "true"
    assert times(database_url, change) == 1


@every_change
def test_the_same_request_at_once_is_carried_out_once(deployed: Container, database_url: str, route: str) -> None:
    change, key = CHANGES[route](deployed), new_key()
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda _: change.send(key), range(4)))
    answered = [reply for reply in replies if reply.status < 300]
    assert answered
    assert all(essence(reply) == essence(answered[0]) for reply in answered)
    assert [reply.problem for reply in replies if reply not in answered] in (
        [IN_PROGRESS] * (4 - len(answered)),
        [(429, "too_many_attempts")] * (4 - len(answered)),
        # A log-out that looked for its answer just before another one wrote it down, and at the session just after.
        [(401, "session_ended")] * (4 - len(answered)),
    )
    assert times(database_url, change) == 1


@every_change
def test_another_request_under_the_same_key_is_refused(deployed: Container, database_url: str, route: str) -> None:
    change, key = CHANGES[route](deployed), new_key()
    assert change.send(key).status < 300
    if change.other:
        assert change.send(key, **change.other).problem == REUSED
    if route in ("POST /api/tokens", "PUT /api/users/{user_id}/password"):
        assert a_new_api_key_of(change.user).send(key).problem == REUSED, "a key belongs to the account, whatever the route"
    assert times(database_url, change) == 1


@every_change
def test_after_a_day_a_key_is_a_new_one_and_nothing_is_left_of_it(deployed: Container, database_url: str, route: str) -> None:
    change, key = CHANGES[route](deployed), new_key()
    assert change.send(key).status < 300
    query(database_url, "UPDATE kept_answers SET expires_at = now() - interval '1 second'")
    again = change.send(key)
    assert "Idempotency-Replayed" not in again.headers
    query(database_url, "UPDATE kept_answers SET expires_at = now() - interval '1 second'")
    assert deployed.kept_answers.forget() >= 1
    assert query(database_url, "SELECT count(*) FROM kept_answers") == [[0]]


@pytest.mark.parametrize("key", ["", " ", "with spaces", "k" * 256, "ключ"])
def test_what_is_no_key_is_refused(deployed: Container, key: str) -> None:
    for make in CHANGES.values():
        if make is not a_log_in:  # a header that is there and empty: the same check
            assert make(deployed).send({"Idempotency-Key": key}).problem == (422, "invalid_parameter")


@every_change
def test_what_is_kept_is_hashed_and_sealed(deployed: Container, database_url: str, route: str) -> None:
    query(database_url, "DELETE FROM kept_answers")
    change, key = CHANGES[route](deployed), new_key()
    first = change.send(key)
    rows = str(query(database_url, "SELECT * FROM kept_answers"))
    assert key["Idempotency-Key"] not in rows
    assert hashlib.sha256(key["Idempotency-Key"].encode()).hexdigest() not in rows, "the scope is hashed with it"
    for secret in ("apiKey", "refreshToken"):
        if first.body and secret in first.data:
            assert first.data[secret] not in rows
    (sealed,) = (row[0] for row in query(database_url, "SELECT answer FROM kept_answers"))
    for sealer in (deployed.sealer, deployed.sealer_under("another key")):
        with pytest.raises(Exception, match="does not decrypt"):
            sealer.open(sealed, b"")


# Registration: there is no account yet that a key could belong to, so the request itself is its scope


def test_a_lost_answer_to_a_registration_does_not_lose_the_api_key(deployed: Container) -> None:
    registration, key = a_registration(deployed), new_key()
    kept = deployed.leaderboard

    class DyingBoard:
        def enter(self, user_id: str) -> None:
            raise KeyboardInterrupt  # the worker is killed between PostgreSQL and Redis

    deployed.leaderboard = DyingBoard()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        registration.send(key)
    deployed.leaderboard = kept
    again = registration.send(key)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    account = deployed.users.by_id(again.data["userId"])
    assert account is not None
    assert account.api_key_hash == hashlib.sha256(again.data["apiKey"].encode()).hexdigest()
    assert deployed.leaderboard.scores([account.user_id]) == {account.user_id: 0}


def test_another_newcomer_may_have_the_same_key(deployed: Container) -> None:
    key, first, second = new_key(), a_registration(deployed), a_registration(deployed)
    replies = [one.send(key) for one in (first, second)]
    assert [reply.status for reply in replies] == [201, 201]
    assert replies[0].data["apiKey"] != replies[1].data["apiKey"]


@pytest.mark.usefixtures("time_stands")
def test_whoever_has_a_newcomers_key_has_to_prove_the_password_and_guesses_no_faster(deployed: Container) -> None:
    registration, key, here = a_registration(deployed), new_key(), "203.0.113.77"
    registration.send(key)
    guesses = [registration.send(key, password=f"a guess, number {number}", source_ip=here).status for number in range(6)]
    assert guesses == [422] * 5 + [429]
    assert registration.send(key).status == 201


def test_a_refusal_is_not_kept(deployed: Container) -> None:
    registration, key = a_registration(deployed), new_key()
    assert registration.send(key, password="short").problem == (422, "weak_password")
    assert registration.send(key).status == 201
    taken = new_key()
    assert registration.send(taken).problem == registration.send(taken).problem == (409, "username_taken")


# Log-in


def test_a_log_in_whose_answer_arrived_is_another_log_in(deployed: Container) -> None:
    change, key = a_log_in(deployed), new_key()
    first = change.send(key).data["refreshToken"]
    assert call("issue_token", "POST /api/tokens", body={"refreshToken": first}).status == 200
    again = change.send(key)
    assert again.status == 200
    assert "Idempotency-Replayed" not in again.headers
    assert again.data["refreshToken"] != first


def test_a_log_in_is_not_given_again_when_its_session_ended(deployed: Container) -> None:
    change, key = a_log_in(deployed), new_key()
    first = change.send(key).data
    call("log_out", "DELETE /api/tokens", headers={"Authorization": f"Bearer {first['accessToken']}"})
    assert change.send(key).data["refreshToken"] != first["refreshToken"]


def test_a_log_in_has_to_prove_the_password_each_time(deployed: Container) -> None:
    change, key = a_log_in(deployed), new_key()
    assert change.send(key).status == 200
    assert change.send(key, password="not the password").problem == (401, "invalid_credentials")


# What a first try began a second one completes in every store


@pytest.mark.parametrize("route", ["DELETE /api/tokens", "PUT /api/users/{user_id}/password", "PATCH /api/admin/users/{user_id}"])
def test_a_second_try_ends_what_the_first_one_should_have_ended(deployed: Container, database_url: str, route: str) -> None:
    change, key = CHANGES[route](deployed), new_key()
    user = change.user
    elsewhere = user.again()
    ended = user if route.startswith("DELETE") else elsewhere
    assert ended.is_in()
    killed(deployed, lambda: change.send(key))
    assert ended.is_in(), "Redis does not know yet"
    again = change.send(key)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (200 if route.startswith("PATCH") else 204, "true")
    assert not ended.is_in()
    assert times(database_url, change) == 1


def test_a_second_try_gives_the_api_key_that_the_first_one_made(deployed: Container, database_url: str) -> None:
    change, key = a_new_api_key(deployed), new_key()
    assert change.user.score(X_API_Key=change.user.api_key).status == 200
    killed(deployed, lambda: change.send(key))
    assert change.user.score(X_API_Key=change.user.api_key).status == 200, "Redis does not know yet"
    again = change.send(key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert change.user.score(X_API_Key=change.user.api_key).problem == (401, "invalid_api_key")
    assert change.user.score(X_API_Key=again.data["apiKey"]).status == 200
    assert times(database_url, change) == 1


def test_a_change_that_was_rolled_back_has_kept_no_answer(deployed: Container, database_url: str) -> None:
    change, key = a_new_password(deployed), new_key()
    query(database_url, "UPDATE users SET hashed_password = 'changed meanwhile' WHERE user_id = :id", id=change.about)
    assert change.send(key).problem == (403, "wrong_password")
    query(
        database_url,
        "UPDATE users SET hashed_password = :hashed WHERE user_id = :id",
        hashed=deployed.password_hasher.hash(PASSWORD),
        id=change.about,
    )
    assert change.send(key).status == 204


def test_an_answer_with_a_secret_is_not_given_to_a_session_that_ended(deployed: Container) -> None:
    change, key = a_new_api_key(deployed), new_key()
    assert change.send(key).status == 201
    change.user.call("log_out", "DELETE /api/tokens")
    assert change.send(key).problem == (401, "session_ended")


def test_a_log_out_that_is_given_again_ends_nothing_that_was_begun_since(deployed: Container) -> None:
    change, key = a_log_out(deployed), new_key()
    assert change.send(key, everywhere="true").status == 204
    later = change.user.again()
    assert change.send(key, everywhere="true").headers["Idempotency-Replayed"] == "true"
    assert later.is_in()
    assert later.can_stay()


# What is claimed: no single transaction holds it


def test_a_request_whose_worker_died_is_tried_again_when_it_cannot_be_running_any_more(
    deployed: Container, database_url: str
) -> None:
    change, key = a_redrive(deployed), new_key()
    kept = deployed.ledger

    class DyingLedger:
        def audit(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    deployed.ledger = DyingLedger()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        change.send(key)
    deployed.ledger = kept
    refused = change.send(key)
    assert refused.problem == IN_PROGRESS
    assert refused.headers["Retry-After"] == "1", "most requests are answered long before the claim ends"
    query(database_url, "UPDATE kept_answers SET expires_at = now() WHERE answer IS NULL")
    assert change.send(key).status == 200
    assert change.send(key).headers["Idempotency-Replayed"] == "true"


def test_a_request_that_was_refused_may_be_tried_again_at_once(deployed: Container) -> None:
    change, key = a_redrive(deployed), new_key()
    kept = deployed.dead_letter_queue

    class DeafQueue:
        def sift(self, *_: object) -> None:
            raise RabbitUnavailable

    deployed.dead_letter_queue = DeafQueue()  # type: ignore[assignment]
    assert change.send(key).problem == (503, "broker_unavailable")
    deployed.dead_letter_queue = kept
    assert change.send(key).status == 200
