"""Server keys, and what games' servers write with them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from shared.accounts.server_key import mint
from shared.container import Container
from shared.stores.redis.connection import connect
from tests.handlers.boards import ADD_ENTRY, define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.events import SOURCE_IP, HandlerReply, call
from tests.handlers.players import Player, board_in_agreement, new_player
from tests.support.product import query
from tests.support.waiting import eventually

KEYS, KEY = "/api/admin/server-keys", "/api/admin/server-keys/{key_id}"


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


def manage(admin: Player, method: str, path: str, body: object = None, key_id: str = "", **headers: str) -> HandlerReply:
    functions = {
        f"POST {KEYS}": "create_server_key",
        f"GET {KEYS}": "list_server_keys",
        f"POST {KEY}/secret": "rotate_server_key",
        f"DELETE {KEY}": "revoke_server_key",
    }
    route = f"{method} {path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    options: dict[str, Any] = {"path_parameters": {"key_id": key_id}} if key_id else {}
    return call(functions[route], route, headers={**admin.authorization, **named}, body=body, **options)


def made(admin: Player, **body: Any) -> dict[str, Any]:
    reply = manage(admin, "POST", KEYS, {"name": "race server", **body})
    assert reply.status == 201
    data: dict[str, Any] = reply.data
    return data


def write(key: str, board_id: str, entries: object, **headers: str) -> HandlerReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(
        "add_entries",
        "POST /api/boards/{board}/scores",
        path_parameters={"board": board_id},
        headers={"Authorization": f"Bearer {key}", **named},
        body={"entries": entries},
    )


def write_one(key: str, board_id: str, user_id: str, value: int) -> HandlerReply:
    parameters = {"board": board_id, "user_id": user_id}
    headers = {"Authorization": f"Bearer {key}"}
    return call("add_entry", ADD_ENTRY, path_parameters=parameters, headers=headers, body={"value": value})


def test_a_server_writes_for_players_and_each_entry_stands_by_itself(deployed: Container, admin: Player) -> None:
    board_id = define_board(deployed, write="server", maxValue=100, updatesPerMinute=3)
    ada, bob, gone = new_player(deployed), new_player(deployed), new_player(deployed, disabled=True)
    reply = write(
        made(admin)["key"],
        board_id,
        [
            {"userId": ada.user_id.upper(), "value": 5, "idempotencyKey": "race-1"},
            {"userId": bob.user_id, "value": 101},
            {"userId": gone.user_id, "value": 1},
            {"userId": "nobody", "value": 1},
            "no object",
            {"value": 1},
            {"userId": ada.user_id, "value": 6, "idempotencyKey": "race-1"},
            {"userId": ada.user_id, "value": 5, "idempotencyKey": "race-1"},
            {"userId": bob.user_id, "value": 7},
            {"userId": ada.user_id, "value": 2},
            {"userId": ada.user_id, "value": 2},
            {"userId": ada.user_id, "value": 2},
        ],
    )
    assert reply.status == 200
    told = [(each["status"], each.get("code") or (each["score"], each["rank"], each["replayed"])) for each in reply.data]
    assert told == [
        (200, (5, 1, False)),
        (422, "value_out_of_bounds"),
        (403, "unknown_user"),
        (403, "unknown_user"),
        (422, "invalid_parameter"),
        (422, "invalid_parameter"),
        (422, "idempotency_key_reused"),
        (200, (5, 1, True)),
        (200, (7, 1, False)),
        (200, (7, 2, False)),
        (200, (9, 1, False)),
        (429, "rate_limited"),
    ]
    assert reply.data[-1]["retryAfterSeconds"] > 0
    assert write_one(made(admin)["key"], board_id, bob.user_id, 3).data["score"] == 10


def test_a_batch_that_is_sent_again_with_its_key_counts_once(deployed: Container, admin: Player) -> None:
    board_id, key = define_board(deployed, write="server"), made(admin)["key"]
    ada, bob = new_player(deployed), new_player(deployed)
    entries = [
        {"userId": ada.user_id, "value": 5},
        {"userId": ada.user_id, "value": 6, "idempotencyKey": "own"},
        {"userId": bob.user_id, "value": 7},
    ]
    told = [write(key, board_id, entries, Idempotency_Key="match-1").data for _ in range(2)]
    assert [[each["score"] for each in answer] for answer in told] == [[5, 11, 7]] * 2
    assert [[each["replayed"] for each in answer] for answer in told] == [[False] * 3, [True] * 3]
    assert [each["requestId"] for each in told[0]] == [each["requestId"] for each in told[1]]
    assert [each["replayed"] for each in write(key, board_id, entries, Idempotency_Key="match-2").data] == [False, True, False]
    other = [{"userId": ada.user_id, "value": 8}]
    assert write(key, board_id, other, Idempotency_Key="match-1").data[0]["code"] == "idempotency_key_reused"
    assert write(key, board_id, entries, Idempotency_Key="two words").problem == (422, "invalid_parameter")


def test_a_server_sees_the_boards_that_its_key_is_good_for(deployed: Container, admin: Player) -> None:
    mine, other, public = define_board(deployed), define_board(deployed), define_board(deployed, public=True)

    def seen(key: str) -> set[str]:
        reply = call("get_boards", "GET /api/boards", headers={"Authorization": f"Bearer {key}"})
        return {each["id"] for each in reply.data} & {mine, other, public, "main"}

    assert seen(made(admin, boards=[mine])["key"]) == {mine, public}
    assert seen(made(admin)["key"]) == {mine, other, public, "main"}
    wrong = call("get_boards", "GET /api/boards", headers={"Authorization": f"Bearer {mint().text}"})
    assert wrong.problem == (401, "invalid_server_key")


def test_a_key_of_an_entry_that_cannot_be_one_is_named_as_the_entry_names_it(deployed: Container, admin: Player) -> None:
    board_id = define_board(deployed, write="server")
    entries = [{"userId": "nobody", "value": 1, "idempotencyKey": wrong} for wrong in (5, "", "two words")]
    reply = write(made(admin)["key"], board_id, entries)
    assert {each["code"] for each in reply.data} == {"invalid_parameter"}
    assert all(each["detail"].startswith("`idempotencyKey` must be ") for each in reply.data)


def test_entries_of_a_player_count_in_their_order_though_the_ledger_is_asked_about_one(
    deployed: Container, admin: Player
) -> None:
    board_id, ada, key = define_board(deployed, write="server", updatesPerMinute=2), new_player(deployed), made(admin)["key"]
    with closing(connect(deployed.settings.redis_url)) as client:  # as after a rebuild
        prefix = deployed.settings.key_prefix
        before = client.get(f"{prefix}leaderboard:whole")
        client.set(f"{prefix}leaderboard:whole", int(deployed.clock.now().timestamp() * 1000))
        entries = [{"userId": ada.user_id, "value": n, "idempotencyKey": f"k-{n}"} for n in (1, 2)]
        reply = write(key, board_id, [*entries, {"userId": ada.user_id, "value": 4}])
        client.set(f"{prefix}leaderboard:whole", before or 0)
    assert [each.get("score") or each["code"] for each in reply.data] == [1, 3, "rate_limited"]


def test_a_hundred_entries_are_one_round_trip_and_one_publish(
    deployed: Container, admin: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    board_id, key = define_board(deployed, write="server"), made(admin)["key"]
    players = [new_player(deployed).user_id for _ in range(100)]
    entries = [{"userId": user_id, "value": place} for place, user_id in enumerate(players)]
    calls: list[str] = []

    def noted(name: str, whole: Callable[..., Any]) -> Callable[..., Any]:
        def call_it(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            return whole(*arguments, **named)

        return call_it

    monkeypatch.setattr(deployed.server_keys, "good", noted("key", deployed.server_keys.good))
    assert {each["status"] for each in write(key, board_id, entries).data} == {200}
    assert calls == ["key"], "it is asked for once"
    calls.clear()
    for name, store in (("add", deployed.entries), ("publish_accepted", deployed.publisher)):
        monkeypatch.setattr(store, name, noted(name, getattr(store, name)))
    reply = write(key, board_id, entries)
    assert [each["score"] for each in reply.data] == [2 * place for place in range(100)]
    assert calls == ["add", "publish_accepted"]


@pytest.mark.parametrize("entries", [None, {}, [], [{}] * 101])
def test_a_batch_is_a_list_of_1_to_100(deployed: Container, admin: Player, entries: object) -> None:
    board_id = define_board(deployed, write="server")
    assert write(made(admin)["key"], board_id, entries).problem == (422, "invalid_parameter")


def test_players_and_servers_write_each_to_their_own_boards(deployed: Container, admin: Player) -> None:
    of_players, of_servers, ada = define_board(deployed), define_board(deployed, write="server"), new_player(deployed)
    key = made(admin)["key"]
    assert write(key, of_players, [{"userId": ada.user_id, "value": 1}]).data[0]["code"] == "forbidden"
    assert write_one(key, of_players, ada.user_id, 1).problem == (403, "forbidden")
    assert write(ada.access_token, of_servers, [{"userId": ada.user_id, "value": 1}]).problem == (403, "forbidden")


def test_a_key_is_good_for_its_boards_alone(deployed: Container, admin: Player) -> None:
    own, other, ada = define_board(deployed, write="server"), define_board(deployed, write="server"), new_player(deployed)
    key = made(admin, boards=[own])["key"]
    assert write_one(key, own, ada.user_id, 1).status == 200
    assert write_one(key, other, ada.user_id, 1).problem == (403, "not_its_board")
    assert write(key, other, [{"userId": ada.user_id, "value": 1}]).problem == (403, "not_its_board")


def test_rotated_and_revoked_keys_are_refused_with_the_next_request(deployed: Container, admin: Player) -> None:
    board_id, ada, key = define_board(deployed, write="server"), new_player(deployed), made(admin)
    assert write_one(key["key"], board_id, ada.user_id, 1).status == 200
    rotated = manage(admin, "POST", f"{KEY}/secret", key_id=key["keyId"], Idempotency_Key="rotate-1")
    assert rotated.status == 201
    assert rotated.headers["Cache-Control"] == "no-store"
    assert write_one(key["key"], board_id, ada.user_id, 1).problem == (401, "invalid_server_key")
    again = manage(admin, "POST", f"{KEY}/secret", key_id=key["keyId"], Idempotency_Key="rotate-1")
    assert again.data == rotated.data
    assert write_one(rotated.data["key"], board_id, ada.user_id, 1).status == 200
    assert [manage(admin, "DELETE", KEY, key_id=key["keyId"]).status for _ in range(2)] == [204, 204]
    assert write(rotated.data["key"], board_id, [{"userId": ada.user_id, "value": 1}]).problem == (401, "invalid_server_key")
    assert manage(admin, "POST", f"{KEY}/secret", key_id=key["keyId"]).problem == (404, "unknown_server_key")


def test_a_server_reads_what_its_key_is_good_for(deployed: Container, admin: Player) -> None:
    own, other, ada = define_board(deployed, write="server"), define_board(deployed, write="server"), new_player(deployed)
    key = made(admin, boards=[own])
    assert write_one(key["key"], own, ada.user_id, 7).status == 200
    reads: list[tuple[str, str, dict[str, Any]]] = [
        ("get_board", "GET /api/boards/{board}", {}),
        ("get_board_scores", "GET /api/boards/{board}/scores", {}),
        ("get_board_place", "GET /api/boards/{board}/scores/{user_id}", {"user_id": ada.user_id}),
        ("get_seasons", "GET /api/boards/{board}/seasons", {}),
        ("query_board_scores", "POST /api/boards/{board}/scores/query", {}),
    ]

    def read(function: str, route: str, named: dict[str, Any], board_id: str) -> HandlerReply:
        body = {"userIds": [ada.user_id]} if route.startswith("POST") else None
        headers = {"Authorization": f"Bearer {key['key']}"}
        return call(function, route, path_parameters={"board": board_id, **named}, headers=headers, body=body)

    for each in reads:
        assert read(*each, own).status == 200, each
        assert read(*each, other).problem == (403, "not_its_board"), each
    manage(admin, "DELETE", KEY, key_id=key["keyId"])
    for each in reads:
        assert read(*each, own).problem == (401, "invalid_server_key"), each


def test_what_redis_forgot_of_a_key_is_asked_of_the_database(redeploy: Redeploy) -> None:
    with board_in_agreement(redeploy) as deployed:
        admin, board_id, ada = new_player(deployed, "admin"), define_board(deployed, write="server"), new_player(deployed)
        good, revoked = made(admin), made(admin)
        manage(admin, "DELETE", KEY, key_id=revoked["keyId"])
        assert write_one(good["key"], board_id, ada.user_id, 1).status == 200
        with closing(connect(deployed.settings.redis_url)) as client:
            assert client.delete(*client.scan_iter(f"{deployed.settings.key_prefix}server-key:*")) == 2
        assert write_one(good["key"], board_id, ada.user_id, 1).status == 200
        assert write_one(revoked["key"], board_id, ada.user_id, 1).problem == (401, "invalid_server_key")
        unknown = f"sk_{'0' * 16}_{'A' * 43}"
        assert write_one(unknown, board_id, ada.user_id, 1).problem == (401, "invalid_server_key")

        # The audit log says which server wrote.
        def actors() -> list[list[str]]:
            return query(
                deployed.settings.database_url,
                "SELECT actor, source_ip FROM audit_log WHERE user_id = :user_id AND action = 'score_accepted'",
                user_id=ada.user_id,
            )

        eventually(lambda: actors() == [[f"server:{good['keyId']}", SOURCE_IP]] * 2, 60, "both audit rows")


@pytest.mark.parametrize("text", ["sk_", "sk_short_" + "A" * 43, f"sk_{'0' * 16}_{'A' * 42}"])
def test_what_is_no_key_is_refused(deployed: Container, text: str) -> None:
    board_id = define_board(deployed, write="server")
    assert write_one(text, board_id, "somebody", 1).problem == (401, "invalid_server_key")


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": " "}, {"name": "x" * 51}, {"name": "a", "boards": []}, {"name": "a", "boards": ["A b"]}]
)
def test_a_key_needs_a_name_and_boards_that_can_be(admin: Player, body: dict[str, Any]) -> None:
    assert manage(admin, "POST", KEYS, body).problem == (422, "invalid_parameter")


def test_the_name_of_a_key_may_be_of_any_script(admin: Player) -> None:
    name = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # Persian, with a joiner
    key = made(admin, name=name)
    assert [each["name"] for each in manage(admin, "GET", KEYS).data if each["keyId"] == key["keyId"]] == [name]


def test_the_list_shows_no_secrets_and_every_change_is_audited(deployed: Container, admin: Player) -> None:
    key = made(admin, boards=["lap-times"])
    manage(admin, "DELETE", KEY, key_id=key["keyId"])
    reply = manage(admin, "GET", KEYS)
    [listed] = [each for each in reply.data if each["keyId"] == key["keyId"]]
    assert (listed["name"], listed["boards"], listed["createdBy"]) == ("race server", ["lap-times"], admin.user_id)
    assert listed["revokedAt"] is not None
    assert key["key"].split("_", 2)[2] not in reply.body
    url = deployed.settings.migrations_database_url
    actions = query(url, "SELECT action FROM audit_log WHERE actor = :admin ORDER BY id", admin=admin.user_id)
    assert actions[-2:] == [["server_key_created"], ["server_key_revoked"]]
    stored = query(url, "SELECT CAST(server_keys AS text) FROM server_keys WHERE key_id = :id", id=key["keyId"])
    assert key["key"].split("_", 2)[2] not in str(stored)
