"""GET /api/boards/{board}/scores/{user_id}/entries."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.container import Container
from shared.reconciliation.moderate_scores import Moderation
from shared.stores.actor import Actor
from tests.handlers.boards import add_entry, define_board
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, new_player
from tests.support.product import query
from tests.support.waiting import eventually


def get(board_id: str, user_id: str, reader: Player, **query: str) -> HandlerReply:
    return call(
        "get_board_entries",
        "GET /api/boards/{board}/scores/{user_id}/entries",
        path_parameters={"board": board_id, "user_id": user_id},
        query=query,
        headers=reader.authorization,
    )


@pytest.fixture
def player(deps: Container) -> Player:
    return new_player(deps)


def entered(deps: Container, player: Player, values: list[int], **members: object) -> str:
    """A board on which a player entered, all of it in the ledger."""
    board_id = define_board(deps, metadataBytes=100, **members)
    for value in values:
        body = {"value": value, **({"second": -value} if members.get("secondColumn") else {"metadata": {"lap": value}})}
        assert add_entry(board_id, player, body).status == 200
    sql = "SELECT count(*) FROM score_entries WHERE board_id = :id"
    eventually(lambda: query(deps.settings.database_url, sql, id=board_id) == [[len(values)]], 60, "all of them recorded")
    return board_id


def test_entries_come_newest_first_with_what_they_came_to(deps: Container, player: Player) -> None:
    board_id = entered(deps, player, [5, 9, 2], operator="best")
    document = get(board_id, player.user_id, player).json
    assert document["nextCursor"] is None
    assert [(entry["value"], entry["metadata"], entry["struckBy"]) for entry in document["data"]] == [
        (2, {"lap": 2}, None),
        (9, {"lap": 9}, None),
        (5, {"lap": 5}, None),
    ]
    place = {"period": "all_time", "season": 1, "score": 9, "rank": 1}
    assert [entry["periods"] for entry in document["data"][:2]] == [[{**place, "improved": False}], [{**place, "improved": True}]]
    assert set(document["data"][0]) == {"requestId", "value", "metadata", "acceptedAt", "struckBy", "periods"}


def test_a_second_column_is_told(deps: Container, player: Player) -> None:
    [entry] = get(entered(deps, player, [5], secondColumn=True), player.user_id, player).data
    assert (entry["value"], entry["second"], entry["periods"][0]["second"]) == (5, -5, -5)
    assert "metadata" not in entry


def test_what_is_struck_out_says_by_which_decision(deps: Container, player: Player) -> None:
    board_id, admin = entered(deps, player, [5, 9]), new_player(deps, "admin")
    newest = get(board_id, player.user_id, admin, limit="1").data[0]["requestId"]
    by = Moderation(Actor(admin.user_id, None, str(uuid4())), "too good")
    told = deps.score_moderation.strike(board_id, player.user_id, newest, by)
    entry_id = query(deps.settings.database_url, "SELECT id FROM moderation_entries WHERE struck = :id", id=newest)[0][0]
    assert [entry["struckBy"] for entry in get(board_id, player.user_id, player).data] == [entry_id, None]
    assert told["scores"][0]["score"] == 5
    deps.score_moderation.undo(board_id, entry_id, Moderation(Actor("a", None, str(uuid4())), "it was not"))
    assert [entry["struckBy"] for entry in get(board_id, player.user_id, player).data] == [None, None]


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_pages_join_without_gap_or_repetition(deps: Container, player: Player, limit: int) -> None:
    board_id = entered(deps, player, [1, 2, 3, 4, 5])
    seen: list[int] = []
    cursor = ""
    while True:
        page = get(board_id, player.user_id, player, limit=str(limit), **({"cursor": cursor} if cursor else {})).json
        seen += [entry["value"] for entry in page["data"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]


def test_only_the_player_and_admins_read_entries(deps: Container, player: Player) -> None:
    board_id, other = entered(deps, player, [5]), new_player(deps)
    refused = get(board_id, player.user_id, other)
    assert refused.problem == (403, "not_your_score")
    assert "only that player and admins may read" in refused.json["detail"]
    admin = new_player(deps, "admin")
    assert len(get(board_id, player.user_id, admin).data) == 1
    assert get(board_id, other.user_id, admin).data == []
    assert get(board_id, str(uuid4()), admin).problem == (404, "unknown_user")
    assert get("no-such", player.user_id, admin).problem == (404, "unknown_board")
    assert get("main", player.user_id, admin).problem == (404, "unknown_board")
    assert get(board_id, player.user_id, player, cursor="x").problem == (422, "invalid_parameter")
    assert get(board_id, player.user_id, player, limit="201").problem == (422, "invalid_parameter")
