"""GET /api/boards/{board}/seasons and POST /api/boards/{board}/reset."""

from __future__ import annotations

from typing import Any

import pytest

from shared.container import Container
from shared.stores.idempotency import key_hash
from tests.handlers.boards import add_entry, define_board
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, new_player
from tests.support.product import query

SEASONS, RESET = "GET /api/boards/{board}/seasons", "POST /api/boards/{board}/reset"
A_DAY = 86_400_000
CUP = [{"name": "cup"}, {"name": "all_time"}]
DAILY = {"name": "daily", "cron": "0 0 * * *"}


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


def seasons(board_id: str, player: Player | None = None, **query: str) -> HandlerReply:
    headers = player.authorization if player else {}
    return call("get_seasons", SEASONS, path_parameters={"board": board_id}, headers=headers, query=query)


def reset(board_id: str, admin: Player, body: object, **headers: str) -> HandlerReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**admin.authorization, **named}
    return call("reset_board", RESET, path_parameters={"board": board_id}, headers=sent, body=body)


def close(deployed: Container, board_id: str) -> None:
    """What turn_seasons does for a board that nothing is on its way to."""
    held = deployed.board_states.load(board_id)
    assert held is not None
    deployed.board_seasons.note({board_id: held.ended})
    for due in deployed.board_seasons.due(deployed.board_states.now()):
        if due.board_id == board_id:
            deployed.board_seasons.close(due)
    deployed.board_states.forget(board_id, deployed.board_seasons.closed(board_id, held.ended))


def names(data: list[dict[str, Any]]) -> list[tuple[str, int, str, int]]:
    return [(one["period"], one["season"], one["state"], one["players"]) for one in data]


def test_a_season_is_ended_now_and_everybody_begins_anew(deployed: Container, admin: Player) -> None:
    board_id, ada = define_board(deployed, periods=CUP), new_player(deployed)
    add_entry(board_id, ada, {"value": 5})
    done = reset(board_id, admin, {})
    assert done.status == 200
    ended, began = done.data["ended"], done.data["began"]
    assert (done.data["board"], ended["period"], ended["season"], began["season"]) == (board_id, "cup", 1, 2)
    assert ended["endsAt"] == began["startsAt"]
    assert began["endsAt"] is None
    places = {place["period"]: place for place in add_entry(board_id, ada, {"value": 3}).data["periods"]}
    assert (places["cup"]["season"], places["cup"]["score"], places["all_time"]["score"]) == (2, 3, 8)
    listed = seasons(board_id, ada)
    assert names(listed.data) == [("cup", 2, "open", 1), ("all_time", 1, "open", 1), ("cup", 1, "ended", 1)]
    assert {name: listed.data[2][name] for name in ended} == ended
    close(deployed, board_id)
    assert names(seasons(board_id, ada, period="cup").data) == [
        ("cup", 2, "open", 1),
        ("cup", 1, "closed", 0),
    ]  # no consumer runs
    audited = query(
        deployed.settings.database_url,
        "SELECT actor, detail FROM audit_log WHERE action = 'board_reset' AND detail ->> 'board' = :id",
        id=board_id,
    )
    assert audited == [[admin.user_id, {"board": board_id, "period": "cup", "ended": 1, "began": 2}]]


def test_a_key_ends_one_season_however_often_it_is_sent(deployed: Container, admin: Player) -> None:
    board_id = define_board(deployed, periods=CUP)
    first, again = (reset(board_id, admin, {"period": "cup"}, idempotency_key="k-1") for _ in range(2))
    assert again.data == first.data
    assert again.headers["Idempotency-Replayed"] == "true"
    query(deployed.settings.database_url, "DELETE FROM kept_answers WHERE key_hash = :name", name=key_hash(admin.user_id, "k-1"))
    third = reset(board_id, admin, {"period": "cup"}, idempotency_key="k-1")  # the first try died between the stores
    assert ("Idempotency-Replayed" in third.headers, third.data) == (False, first.data)
    assert reset(board_id, admin, {}, idempotency_key="k-1").problem == (422, "idempotency_key_reused")
    assert reset(board_id, admin, {"period": "cup"}, idempotency_key="k-2").data["ended"]["season"] == 2


@pytest.mark.parametrize(
    ("periods", "body", "problem"),
    [
        ([{"name": "all_time"}], {}, (409, "never_reset")),
        (CUP, {"period": "all_time"}, (409, "never_reset")),
        (CUP, {"period": "week"}, (422, "invalid_parameter")),
        (CUP, {"period": 7}, (422, "invalid_parameter")),
        ([*CUP, DAILY], {}, (422, "invalid_parameter")),
        ([{"name": "cup", "endsAt": "2020-01-01T00:00:00Z"}], {}, (409, "no_open_season")),
    ],
)
def test_what_cannot_be_reset_is_told(
    deployed: Container, admin: Player, periods: list[dict[str, str]], body: object, problem: tuple[int, str]
) -> None:
    assert reset(define_board(deployed, periods=periods), admin, body).problem == problem


def test_the_specifications_board_has_one_season_and_is_never_reset(deployed: Container, admin: Player) -> None:
    assert reset("main", admin, {}).problem == (409, "never_reset")
    [season] = seasons("main", admin).data
    assert (season["period"], season["season"], season["state"], season["startsAt"]) == ("all_time", 1, "open", None)
    assert season["players"] >= 0


def test_seasons_are_read_page_by_page(deployed: Container) -> None:
    board_id, player = define_board(deployed, periods=[DAILY, {"name": "cup"}]), new_player(deployed)
    now = deployed.board_states.now()
    for day in range(5, -1, -1):
        deployed.known_boards.renewed(board_id, now - day * A_DAY)
    whole = seasons(board_id, player).data
    assert [one["season"] for one in whole if one["period"] == "daily"] == [6, 5, 4, 3, 2, 1]
    close(deployed, board_id)
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = seasons(board_id, player, limit="2", **({"cursor": cursor} if cursor else {}))
        assert len(page.data) <= 2
        found += page.data
        cursor = page.json["nextCursor"]
        if cursor is None:
            break
    assert [(one["period"], one["season"]) for one in found] == [(one["period"], one["season"]) for one in whole]
    assert {one["state"] for one in found if one["period"] == "daily"} == {"open", "closed"}
    starts = [one["startsAt"] for one in found]
    assert starts == sorted(starts, reverse=True)


def test_who_may_read_them(deployed: Container) -> None:
    public, closed = define_board(deployed, public=True), define_board(deployed)
    assert seasons(public).status == 200
    assert seasons(closed).status == 401
    assert seasons("nothing").status == 401
    player = new_player(deployed)
    assert seasons("nothing", player).problem == (404, "unknown_board")
    assert seasons(public, period="week").problem == (422, "invalid_parameter")
    assert seasons(public, cursor="nonsense").problem == (422, "invalid_parameter")
