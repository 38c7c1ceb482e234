"""GET, PUT and DELETE of /api/boards, and what operators do with boards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from shared.container import Container
from shared.core.config import Settings
from shared.reconciliation.moderate_scores import Moderation
from shared.stores.actor import Actor
from tests.handlers.boards import add_entry
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, consuming, new_player
from tests.support.product import query
from tests.support.waiting import eventually

BOARD = "/api/boards/{board}"
WEEKLY = {"name": "weekly", "cron": "0 0 * * MON", "timeZone": "Europe/Berlin"}
SPRINTS = {"title": "Sprints", "order": "ascending", "operator": "best", "periods": [WEEKLY, {"name": "all_time"}]}


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


@pytest.fixture
def board_id(deployed: Container) -> Iterator[str]:
    """One that nobody else has; gone in the end."""
    made = f"b{secrets.token_hex(8)}"
    yield made
    query(deployed.settings.migrations_database_url, "UPDATE boards SET deleted_at = now() WHERE board_id = :id", id=made)


def put(admin: Player, board_id: str, body: dict[str, Any], **headers: str) -> HandlerReply:
    sent = {**admin.authorization, **headers}
    return call("put_board", f"PUT {BOARD}", path_parameters={"board": board_id}, headers=sent, body=body)


def get(board_id: str, player: Player | None = None) -> HandlerReply:
    headers = player.authorization if player else {}
    return call("get_board", f"GET {BOARD}", path_parameters={"board": board_id}, headers=headers)


def delete(admin: Player, board_id: str, **headers: str) -> HandlerReply:
    sent = {**admin.authorization, **headers}
    return call("delete_board", f"DELETE {BOARD}", path_parameters={"board": board_id}, headers=sent)


def listed(player: Player | None = None) -> list[dict[str, Any]]:
    headers = player.authorization if player else {}
    data: list[dict[str, Any]] = call("get_boards", "GET /api/boards", headers=headers).data
    return data


def test_a_board_is_made_shown_changed_and_deleted(deployed: Container, admin: Player, board_id: str) -> None:
    made = put(admin, board_id, SPRINTS)
    assert made.status == 201
    weekly, total = made.data["seasons"]
    assert (weekly["period"], weekly["season"], total["period"], total["season"]) == ("weekly", 1, "all_time", 1)
    assert weekly["startsAt"] < weekly["endsAt"]
    assert total["endsAt"] is None
    board = made.data
    assert {name: board[name] for name in SPRINTS} == SPRINTS
    assert (board["id"], board["minValue"], board["public"]) == (board_id, 0, False)
    player = new_player(deployed)
    assert get(board_id, player).data == board
    assert board in listed(player)
    same = put(admin, board_id, SPRINTS)
    assert (same.status, same.data) == (200, board)
    changed = put(admin, board_id, board | {"title": "Dashes"})
    assert (changed.status, changed.data) == (200, board | {"title": "Dashes"})
    assert get(board_id, player).data["title"] == "Dashes"
    assert delete(admin, board_id).status == 204
    assert get(board_id, player).problem == (404, "unknown_board")
    assert delete(admin, board_id).problem == (404, "unknown_board")
    assert board_id not in [one["id"] for one in listed(player)]


def test_what_one_process_changes_all_others_know_at_once(
    deployed: Container, function_environment: dict[str, str], admin: Player, board_id: str
) -> None:
    other = Container(Settings.from_environment(function_environment))
    put(admin, board_id, SPRINTS)
    before = other.known_boards.get(board_id)
    put(admin, board_id, SPRINTS | {"title": "Dashes"})
    held = other.board_states.load(board_id)
    assert held is not None
    assert held.state.version != before.version, "a script tells the other process"
    assert held.state.definition.title == "Dashes"
    assert held.state.seasons == before.seasons
    delete(admin, board_id)
    assert other.board_states.load(board_id) is None
    other.close()


def test_main_comes_first_and_looks_like_the_others(admin: Player) -> None:
    main = listed(admin)[0]
    assert main == get("main", admin).data
    assert (main["id"], main["operator"], main["minValue"], main["maxValue"]) == ("main", "add", 1, 5)
    assert main["ties"] == "first_registered"
    assert main["seasons"] == [{"period": "all_time", "season": 1, "startsAt": None, "endsAt": None}]


def test_main_is_neither_defined_nor_deleted(admin: Player) -> None:
    assert put(admin, "main", {}).problem == (422, "invalid_board")
    assert delete(admin, "main").problem == (422, "invalid_board")


def test_without_a_token_public_boards_are_seen_and_no_others(admin: Player, board_id: str) -> None:
    put(admin, board_id, SPRINTS)
    assert get(board_id).problem == get("b-unknown").problem == get("main").problem == (401, "missing_token")
    assert board_id not in [board["id"] for board in listed()]
    put(admin, board_id, SPRINTS | {"public": True})
    assert get(board_id).data["title"] == "Sprints"
    assert board_id in [board["id"] for board in listed()]
    assert "main" not in [board["id"] for board in listed()]


def test_main_is_as_public_as_the_setting_says(redeploy: Redeploy) -> None:
    redeploy(PUBLIC_LEADERBOARD="true")
    assert [get("main").data["public"], listed()[0]["id"]] == [True, "main"]


def test_what_cannot_be_a_board_is_told(admin: Player, board_id: str) -> None:
    refused = put(admin, board_id, SPRINTS | {"order": "up"})
    assert refused.problem == (422, "invalid_board")
    assert refused.json["member"] == "order"
    assert put(admin, "No", SPRINTS).problem == (422, "invalid_board")
    assert put(admin, board_id, {"id": "another"}).problem == (422, "invalid_board")
    assert get(board_id, admin).problem == (404, "unknown_board")


def test_a_player_on_the_board_holds_its_meaning_before_the_ledger_knows(
    deployed: Container, admin: Player, board_id: str
) -> None:
    put(admin, board_id, SPRINTS)
    keys = deployed.leaderboard._shard.defined(board_id)
    client: Any = deployed._redis
    client.hset(keys.members("weekly", 1), "somebody", "hidden or not")
    refused = put(admin, board_id, SPRINTS | {"order": "descending"})
    assert refused.problem == (409, "board_in_use")
    assert refused.json["member"] == "order"
    assert put(admin, board_id, SPRINTS | {"periods": [WEEKLY]}).status == 200, "nobody is in all_time"
    client.delete(keys.members("weekly", 1))
    assert put(admin, board_id, SPRINTS | {"order": "descending"}).status == 200


def test_what_was_struck_holds_the_meaning_too(deployed: Container, admin: Player, board_id: str) -> None:
    put(admin, board_id, SPRINTS)
    ada = new_player(deployed)
    with consuming(deployed):
        entered = add_entry(board_id, ada, {"value": 7}).data["requestId"]
        eventually(lambda: deployed.boards.has_entries(board_id), 60, "the entry in the ledger")
    deployed.score_moderation.strike(board_id, ada.user_id, entered, Moderation(Actor("test"), "x"))
    assert put(admin, board_id, SPRINTS | {"order": "descending"}).problem == (409, "board_in_use")


def test_entries_of_a_deleted_board_that_are_on_their_way_keep_its_id(deployed: Container, admin: Player, board_id: str) -> None:
    put(admin, board_id, SPRINTS)
    assert add_entry(board_id, new_player(deployed), {"value": 7}).status == 200
    assert delete(admin, board_id).status == 204
    with consuming(deployed):
        assert put(admin, board_id, SPRINTS | {"order": "descending"}).problem == (409, "board_in_use")


def test_a_request_that_is_sent_again_is_answered_as_before(admin: Player, board_id: str) -> None:
    first = put(admin, board_id, SPRINTS, **{"Idempotency-Key": "k-1"})
    again = put(admin, board_id, SPRINTS, **{"Idempotency-Key": "k-1"})
    assert (again.status, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    gone = [delete(admin, board_id, **{"Idempotency-Key": "k-2"}).status for _ in range(2)]
    assert gone == [204, 204]


def test_an_operator_plans_applies_shows_and_deletes(board_id: str, deployed: Container) -> None:
    boards: dict[str, Any] = {board_id: SPRINTS}
    plan = invoke("manage_boards", {"action": "plan", "boards": boards})
    assert [(step["id"], step["change"]) for step in plan["boards"]] == [(board_id, "create")]
    assert plan["boards"][0]["differences"]["order"] == {"from": None, "to": "ascending"}
    assert board_id not in [one["id"] for one in invoke("manage_boards", {"action": "list"})["data"]]
    applied = invoke("manage_boards", {"action": "apply", "boards": boards})
    assert applied["boards"] == plan["boards"]
    assert invoke("manage_boards", {"action": "apply", "boards": boards})["boards"][0]["change"] == "none"
    assert invoke("manage_boards", {"action": "show", "id": board_id})["title"] == "Sprints"
    boards[board_id] = SPRINTS | {"title": "Dashes"}
    assert invoke("manage_boards", {"action": "apply", "boards": boards})["boards"] == [
        {"id": board_id, "change": "change", "differences": {"title": {"from": "Sprints", "to": "Dashes"}}}
    ]
    assert board_id in invoke("manage_boards", {"action": "plan", "boards": {}})["others"]
    invoke("manage_boards", {"action": "delete", "id": board_id})
    assert board_id not in [one["id"] for one in invoke("manage_boards", {"action": "list"})["data"]]


def test_of_a_file_with_a_board_that_is_refused_none_is_made(board_id: str, deployed: Container) -> None:
    boards = {board_id: {}, "bad": {"periods": [{"name": "p", "cron": "never"}]}, "worse": 7}
    done = invoke("manage_boards", {"action": "apply", "boards": boards})
    assert [(step["id"], step["change"]) for step in done["boards"]] == [
        (board_id, "create"),
        ("bad", "refused"),
        ("worse", "refused"),
    ]
    assert "`periods[0].cron` must be" in done["boards"][1]["detail"]
    assert board_id not in [one["id"] for one in invoke("manage_boards", {"action": "list"})["data"]]
