"""GET /api/boards/{board}/scores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.container import Container
from shared.ledger.events import Number
from tests.contract.read_boards import Entrant, Oracle
from tests.handlers.board_rows import RowBoard, Standing
from tests.handlers.boards import add_entry, define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, board_in_agreement, give, new_player
from tests.support.product import query
from tests.support.waiting import eventually

KINDS = [
    {"order": order, **kind} for order in ("descending", "ascending") for kind in ({}, {"secondColumn": True}, {"ties": "shared"})
]
PERIODS = [{"name": "all_time"}, {"name": "week", "cron": "0 0 * * 1"}]


def get(board: str, reader: Player | None, **wanted: Any) -> HandlerReply:
    return call(
        "get_board_scores",
        "GET /api/boards/{board}/scores",
        path_parameters={"board": board},
        query={name: str(value) for name, value in wanted.items()},
        headers={} if reader is None else reader.authorization,
    )


def walk(board: str, reader: Player | None, **wanted: Any) -> list[Any]:
    """Pages, to the end."""
    pages = [get(board, reader, **wanted).json]
    while pages[-1]["nextCursor"]:
        pages.append(get(board, reader, limit=wanted.get("limit", 10), cursor=pages[-1]["nextCursor"]).json)
    return pages


def ids(pages: list[Any]) -> list[str]:
    return [row["userId"] for page in pages for row in page["data"]]


@pytest.fixture
def players(deployed: Container) -> list[Player]:
    return [new_player(deployed) for _ in range(7)]


@pytest.fixture
def board(deployed: Container, players: list[Player]) -> RowBoard:
    """The players in their order, from 70 points down to 10."""
    made = RowBoard(deployed, periods=PERIODS)
    made.put(*(Standing(player.user_id, 70 - 10 * place) for place, player in enumerate(players)))
    return made


def test_a_page_has_rows_and_says_of_when_and_of_how_many(board: RowBoard, players: list[Player]) -> None:
    page = get(board.board_id, players[0], limit=2).json
    assert page["data"] == [
        {"userId": one.user_id, "username": one.username, "displayName": one.username, "rank": place, "score": 80 - 10 * place}
        for place, one in enumerate(players[:2], 1)
    ]
    assert page.keys() == {"data", "nextCursor", "total", "asOf", "version", "period", "season"}
    assert (page["total"], page["period"], page["season"]) == (7, "all_time", 1)
    assert abs(datetime.fromisoformat(page["asOf"]) - datetime.now(UTC)) < timedelta(seconds=60)


def test_the_version_is_greater_as_text_after_an_accepted_entry(board: RowBoard, players: list[Player]) -> None:
    first, same = (get(board.board_id, players[0]).json["version"] for _ in range(2))
    assert players[1].score().status == 200
    assert first == same < get(board.board_id, players[0]).json["version"]


def test_a_row_has_the_metadata_of_the_entry_that_made_its_score(deps: Container) -> None:
    board_id, ada, ben, cleo = define_board(deps, operator="best", metadataBytes=50), *(new_player(deps) for _ in range(3))
    entered = [(ada, 5, "red"), (ada, 3, "blue"), (ben, 7, ""), (cleo, 2, "green")]
    for player, value, car in entered:
        assert add_entry(board_id, player, {"value": value, **({"metadata": {"car": car}} if car else {})}).status == 200
    eventually(lambda: len(deps.boards.metadata_of(board_id, "all_time", 1, [ada.user_id, cleo.user_id])) == 2, 60, "recorded")
    rows = get(board_id, ada, metadata="true").data
    assert [(row["userId"], row["metadata"]) for row in rows] == [
        (ben.user_id, None),
        (ada.user_id, {"car": "red"}),
        (cleo.user_id, {"car": "green"}),
    ]
    assert all("metadata" not in row for row in get(board_id, ada).data)
    assert get(board_id, ada, metadata="yes").problem == (422, "invalid_parameter")
    assert all(row["metadata"] is None for row in get("main", ada, metadata="true").data)
    query(
        deps.settings.migrations_database_url,
        "UPDATE season_totals SET sequence = sequence - 1 WHERE board_id = :id AND user_id = :ada",
        id=board_id,
        ada=ada.user_id,
    )
    assert get(board_id, ada, metadata="true").data[1]["metadata"] is None, "that of another entry than the one that is shown"


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_a_walk_shows_everybody_once(board: RowBoard, players: list[Player], limit: int) -> None:
    pages = walk(board.board_id, players[0], limit=limit)
    assert ids(pages) == [player.user_id for player in players]
    assert [row["rank"] for page in pages for row in page["data"]] == [1, 2, 3, 4, 5, 6, 7]
    assert all(len(page["data"]) == limit for page in pages[:-1])


def test_a_page_begins_at_a_rank_or_around_a_player(board: RowBoard, players: list[Player]) -> None:
    in_order = [player.user_id for player in players]
    assert ids([get(board.board_id, players[0], rank=6).json]) == in_order[5:]
    assert ids([get(board.board_id, players[0], rank=8).json]) == []
    assert ids([get(board.board_id, players[0], around=in_order[3], limit=3).json]) == in_order[2:5]
    assert ids([get(board.board_id, players[0], around=in_order[6].upper(), limit=3).json]) == in_order[4:]
    assert ids([get(board.board_id, players[0], around=in_order[0], limit=3).json]) == in_order[:3]
    assert ids([get(board.board_id, players[0], around=in_order[3], limit=4).json]) == in_order[1:5], "one more above"
    assert ids([get(board.board_id, players[0], around=in_order[1], limit=100).json]) == in_order
    assert get(board.board_id, players[0], around=str(uuid4())).problem == (404, "unknown_user")


def test_a_second_column_is_shown_and_ties_share_a_rank_where_the_board_says_so(
    deployed: Container, players: list[Player]
) -> None:
    ada, ben, cleo = players[:3]
    raced = RowBoard(deployed, order="ascending", secondColumn=True)
    raced.put(Standing(ada.user_id, 9, 5), Standing(ben.user_id, 9, -2), Standing(cleo.user_id, 3, 8))
    rows = get(raced.board_id, ada).data
    assert [(row["userId"], row["rank"], row["score"], row["second"]) for row in rows] == [
        (cleo.user_id, 1, 3, 8),
        (ben.user_id, 2, 9, -2),
        (ada.user_id, 3, 9, 5),
    ]
    shared = RowBoard(deployed, ties="shared")
    shared.put(Standing(ada.user_id, 5), Standing(ben.user_id, 5), Standing(cleo.user_id, 1))
    assert [(row["userId"], row["rank"]) for row in get(shared.board_id, ada).data] == [
        (ada.user_id, 1),
        (ben.user_id, 1),
        (cleo.user_id, 3),
    ]


def test_a_period_is_read_by_its_name(board: RowBoard, players: list[Player]) -> None:
    board.put(Standing(players[4].user_id, 3), period="week")
    page = get(board.board_id, players[0], period="week").json
    assert (ids([page]), page["period"]) == ([players[4].user_id], "week")
    assert get(board.board_id, players[0], period="month").problem == (422, "invalid_parameter")


@pytest.mark.parametrize(
    "wanted",
    [
        {"limit": 0},
        {"limit": 101},
        {"rank": 0},
        {"season": 0},
        {"season": "x"},
        {"cursor": "nonsense"},
        {"rank": 1, "around": "somebody"},
        {"around": "\0"},
    ],
)
def test_what_makes_no_sense_is_refused(board: RowBoard, players: list[Player], wanted: dict[str, Any]) -> None:
    assert get(board.board_id, players[0], **wanted).problem == (422, "invalid_parameter")


def test_a_cursor_belongs_to_its_period_and_season(board: RowBoard, players: list[Player]) -> None:
    cursor = get(board.board_id, players[0], limit=2).json["nextCursor"]
    assert get(board.board_id, players[0], cursor=cursor, period="all_time", season=1).status == 200
    for other in ({"period": "week"}, {"season": 2}):
        assert get(board.board_id, players[0], cursor=cursor, **other).problem == (422, "invalid_parameter")


def test_boards_and_seasons_that_never_were_are_not_found(board: RowBoard, players: list[Player]) -> None:
    assert get("never-was", players[0]).problem == (404, "unknown_board")
    assert get("never-was", None).problem == (401, "missing_token")
    for part in ("all_time:1", "all_time:1:members", "all_time:1:hidden"):
        assert get(f"{board.board_id}:{part}", players[0]).problem == (404, "unknown_board")
    assert get(board.board_id, players[0], season=2).problem == (404, "unknown_season")


def test_a_board_before_its_first_season_has_none(deployed: Container, players: list[Player]) -> None:
    board = RowBoard(deployed, periods=[{"name": "all_time", "startsAt": "2999-01-01T00:00:00Z"}])
    assert get(board.board_id, players[0]).problem == (404, "unknown_season")


def test_a_board_is_private_unless_it_is_public(board: RowBoard, players: list[Player]) -> None:
    assert get(board.board_id, None).problem == (401, "missing_token")
    board.define(periods=PERIODS, public=True)
    assert len(get(board.board_id, None).data) == 7
    board.define(periods=PERIODS)
    assert get(board.board_id, None).problem == (401, "missing_token")


def test_another_process_sees_at_once_what_was_changed(board: RowBoard, players: list[Player], redeploy: Redeploy) -> None:
    assert get(board.board_id, players[0]).status == 200
    known = board.deployed
    redeploy()  # the handlers' own process
    get(board.board_id, players[0])
    board.deployed = known
    board.end()
    page = get(board.board_id, players[0]).json
    assert (page["season"], page["data"]) == (2, [])
    board.define(periods=PERIODS, public=True)
    assert get(board.board_id, None).status == 200


def test_a_season_that_ended_is_read_from_redis_and_then_from_its_final_ranks(board: RowBoard, players: list[Player]) -> None:
    in_order = [player.user_id for player in players]
    first = get(board.board_id, players[0], limit=2).json
    board.end()
    assert ids(walk(board.board_id, players[0], season=1, limit=3)) == in_order
    second = get(board.board_id, players[0], limit=2, cursor=first["nextCursor"]).json
    board.record(1, closed=True)
    pages = walk(board.board_id, players[0], season=1, limit=3)
    assert ids(pages) == in_order
    assert [row["score"] for page in pages for row in page["data"]] == [70, 60, 50, 40, 30, 20, 10]
    assert {page["total"] for page in pages} == {7}
    assert {page["version"] for page in pages} == {"final-00000001"}
    assert pages[0]["version"] > first["version"]
    third = get(board.board_id, players[0], limit=2, cursor=second["nextCursor"]).json
    fourth = get(board.board_id, players[0], limit=2, cursor=third["nextCursor"]).json
    assert ids([first, second, third, fourth]) == in_order
    assert fourth["nextCursor"] is None
    assert ids([get(board.board_id, players[0], season=1, rank=6).json]) == in_order[5:]
    assert ids([get(board.board_id, players[0], season=1, around=in_order[3], limit=3).json]) == in_order[2:5]
    assert ids([get(board.board_id, players[0], season=1, around=in_order[6], limit=3).json]) == in_order[4:]
    assert get(board.board_id, players[0], season=1, around=str(uuid4())).problem == (404, "unknown_user")
    assert get(board.board_id, players[0]).json["data"] == []


def test_a_walk_goes_on_in_final_ranks_from_which_its_last_row_is_gone(board: RowBoard, players: list[Player]) -> None:
    first = get(board.board_id, players[0], limit=3).json
    board.redis.zremrangebyrank(board.keys.scores("all_time", 1), 4, 4)  # the third
    board.end()
    board.record(1, closed=True)
    assert ids([get(board.board_id, players[0], cursor=first["nextCursor"]).json]) == [one.user_id for one in players[3:]]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_walk_begins_in_an_open_season_and_ends_in_its_final_ranks(redeploy: Redeploy, kind: dict[str, Any]) -> None:
    second = {"second": 0} if "secondColumn" in kind else {}
    with board_in_agreement(redeploy) as made:
        board_id, players = define_board(made, operator="latest", periods=[{"name": "cup"}], **kind), []
        for value in (5, 4, 4, 4, 3, 3, 2):
            players.append(new_player(made))
            assert add_entry(board_id, players[-1], {"value": value, **second}).status == 200
        reader = players[0]
        before = ids(walk(board_id, reader))
        page = get(board_id, reader, limit=2).json
        shown = ids([page])
        changed = {before[0], before[3]}  # one whom the walk has shown, and one who is before it
        for player in players:
            if player.user_id in changed:
                add_entry(board_id, player, {"value": 3, **second})
        made.board_states.reset(made.known_boards.current(board_id), "cup", "r-1")
        page = get(board_id, reader, limit=2, cursor=page["nextCursor"]).json
        shown += ids([page])
        ended = [{name: row[name] for name in ("userId", "rank", "score")} for row in get(board_id, reader, season=1).data]
        assert invoke("turn_seasons", {})["closed"] >= 1
        assert not made._redis.exists(made._shard.defined(board_id).scores("cup", 1))
        final = get(board_id, reader, season=1).json
        assert [{name: row[name] for name in ("userId", "rank", "score")} for row in final["data"]] == ended
        assert final["version"].startswith("final-")
        while page["nextCursor"]:
            page = get(board_id, reader, limit=2, cursor=page["nextCursor"]).json
            shown += ids([page])
        assert shown == [user_id for user_id in before if user_id != before[3]]


def test_final_ranks_show_no_disabled_account(board: RowBoard, players: list[Player]) -> None:
    board.end()
    board.record(1, closed=True)
    url = board.deployed.settings.migrations_database_url
    query(url, "UPDATE users SET disabled = true WHERE user_id = :id", id=players[1].user_id)
    rows = get(board.board_id, players[0], season=1).data
    assert [row["rank"] for row in rows] == [1, 3, 4, 5, 6, 7]


def test_an_ended_season_that_redis_lost_is_told_of_when_it_is_closed(board: RowBoard, players: list[Player]) -> None:
    board.end()
    assert get(board.board_id, players[0], season=1).json["total"] == 7
    board.record(1)
    board.redis.unlink(board.keys.scores("all_time", 1), board.keys.members("all_time", 1))
    assert get(board.board_id, players[0], season=1).problem == (503, "leaderboard_rebuilding")


def test_a_season_in_which_nobody_scored_is_empty(board: RowBoard, players: list[Player]) -> None:
    board.end("week")
    page = get(board.board_id, players[0], period="week", season=1).json
    assert (page["data"], page["total"], page["nextCursor"]) == ([], 0, None)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_entries_made_is_read_in_the_order_in_which_they_were_accepted(
    deployed: Container, players: list[Player], kind: dict[str, Any]
) -> None:
    board_id = define_board(deployed, operator="latest", minValue=-9, **kind)
    oracle = Oracle(deployed.boards.get(board_id), {})
    for n in range(15):
        player, value, second = players[n * n % 7], n % 4 - 2, n % 3 if "secondColumn" in kind else 0
        assert (
            add_entry(board_id, player, {"value": value, **({"second": second} if "secondColumn" in kind else {})}).status == 200
        )
        oracle.entrants[player.user_id] = Entrant(player.user_id, value, second, Number(1, n))
    rows = [row for page in walk(board_id, players[0], limit=2) for row in page["data"]]
    assert [(row["userId"], row["rank"], row["score"], row.get("second", 0)) for row in rows] == [
        (row.user_id, row.rank, row.score, row.second) for row in oracle.rows()
    ]


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_a_walk_leaves_out_who_got_another_score_meanwhile(deployed: Container, players: list[Player], order: str) -> None:
    board_id = define_board(deployed, operator="latest", order=order)
    for n, player in enumerate(players):
        add_entry(board_id, player, {"value": 10 * n})
    in_order = players if order == "ascending" else players[::-1]
    seen, behind = in_order[0], in_order[4]
    page = get(board_id, players[0], limit=2).json
    shown = ids([page])
    for value in (1, 65):  # to either end, and past the place of the cursor
        add_entry(board_id, seen, {"value": value})
        add_entry(board_id, behind, {"value": 66 - value})
        add_entry(board_id, new_player(deployed), {"value": 31 + value // 2})
        page = get(board_id, players[0], limit=2, cursor=page["nextCursor"]).json
        shown += ids([page])
    shown += ids([get(board_id, players[0], cursor=page["nextCursor"]).json] if page["nextCursor"] else [])
    assert shown == [player.user_id for player in in_order if player is not behind]


def test_main_is_read_in_the_same_way(players: list[Player], deployed: Container) -> None:
    best = max([0, *(position.score for position in deployed.leaderboard.top(1).positions)])
    give(deployed, {player.user_id: best + 70 - 10 * place for place, player in enumerate(players)})
    page = get("main", players[0], limit=3).json
    following = get("main", players[0], limit=3, cursor=page["nextCursor"]).json
    assert ids([page, following]) == [player.user_id for player in players[:6]]
    assert [row["rank"] for row in page["data"] + following["data"]] == [1, 2, 3, 4, 5, 6]
    assert (page["period"], page["season"]) == ("all_time", 1)
    assert ids([get("main", players[0], around=players[4].user_id, limit=1).json]) == [players[4].user_id]
    assert get("main", players[0], season=2).problem == (404, "unknown_season")
    assert get("main", players[0], period="week").problem == (422, "invalid_parameter")


def test_main_is_public_when_the_operator_says_so(players: list[Player], redeploy: Redeploy) -> None:
    assert get("main", None).problem == (401, "missing_token")
    redeploy(PUBLIC_LEADERBOARD="true")
    assert get("main", None).status == 200


def test_a_redis_that_is_away_is_told_so(board: RowBoard, players: list[Player], redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    for board_id in (board.board_id, "main"):
        assert get(board_id, players[0]).problem == (503, "leaderboard_unavailable")
