"""Players whom a moderator has hidden: nobody else finds them, they go on playing, and are back with everything."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pika
import pytest
import redis

from local_runtime.hosting.events.queue import QueueDelivery, queue_event
from shared.container import Container
from shared.core.errors import UnknownUser
from shared.ledger.events import EVERY_BOARD, ScoresRecorded
from tests.handlers.boards import add_entry, define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.dying import killed
from tests.handlers.events import SOURCE_IP, HandlerReply, call, invoke, websocket_event
from tests.handlers.players import Player, board_in_agreement, new_player
from tests.support.product import query
from tests.support.waiting import eventually

MODERATION = "/api/admin/boards/{board}/moderation"
PERIODS = [{"name": "all_time"}, {"name": "cup"}]


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Iterator[Container]:
    """With nobody on it: the players of other tests are out of sight meanwhile."""
    url = deployed.settings.migrations_database_url
    others = [row[0] for row in query(url, "UPDATE users SET disabled = TRUE WHERE NOT disabled RETURNING user_id")]
    with board_in_agreement(redeploy) as made:
        yield made
    query(url, "UPDATE users SET disabled = FALSE WHERE user_id = ANY(CAST(:others AS text[]))", others=others)


@pytest.fixture
def admin(board: Container) -> Player:
    return new_player(board, "admin")


def moderate(moderator: Player | str, board_id: str, body: object, **headers: str) -> HandlerReply:
    """By an admin, or with a server key."""
    proof = {"Authorization": f"Bearer {moderator}"} if isinstance(moderator, str) else moderator.authorization
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    route, parameters = f"POST {MODERATION}", {"board": board_id}
    return call("moderate_players", route, path_parameters=parameters, headers={**proof, **named}, body=body)


def decide(admin: Player, board_id: str, action: str, player: Player) -> Any:
    reply = moderate(admin, board_id, {"action": action, "userId": player.user_id, "reason": "bots"})
    assert reply.status == 200, reply.body
    return reply.data


def entries_of(moderator: Player, board_id: str, **parameters: str) -> HandlerReply:
    route = f"GET {MODERATION}"
    asked: dict[str, Any] = {"path_parameters": {"board": board_id}, "query": parameters}
    return call("list_moderation", route, headers=moderator.authorization, **asked)


def reconcile(**options: bool) -> Any:
    return invoke("reconcile_scores", options)


class Stage:
    """Three players with equal scores in the order of their names on `main` and on a board of two periods, one of which had a
    season that is closed; the second of them is going to be hidden. A fourth one looks.
    """

    def __init__(self, deployed: Container, redis_url: str) -> None:
        self.deployed, self.redis_url = deployed, redis_url
        self.players = sorted((new_player(deployed) for _ in range(3)), key=lambda player: player.user_id, reverse=True)
        self.cheater = self.players[1]
        self.reader = new_player(deployed)
        self.board_id = define_board(deployed, public=True, periods=PERIODS)
        for _ in range(20):
            for player in self.players:
                assert player.score(5).status == 200
        for player in self.players:
            assert add_entry(self.board_id, player, {"value": 7}).status == 200
        deployed.board_states.reset(deployed.known_boards.get(self.board_id), "cup", "r-1")
        for player in self.players:
            assert add_entry(self.board_id, player, {"value": 5}).status == 200
        self.arrived()
        invoke("turn_seasons", {})

    def arrived(self) -> None:
        """All of what was accepted is in the ledger."""
        eventually(lambda: not self.deployed.outbox.pending(0, 1), 60, "all of it in the ledger")

    def scores(self, board_id: str, **parameters: str) -> HandlerReply:
        route, headers = "GET /api/boards/{board}/scores", self.reader.authorization
        asked: dict[str, Any] = {"path_parameters": {"board": board_id}, "query": parameters}
        return call("get_board_scores", route, headers=headers, **asked)

    def place(self, board_id: str, player: Player, reader: Player | None = None) -> HandlerReply:
        route = "GET /api/boards/{board}/scores/{user_id}"
        asked: dict[str, Any] = {"path_parameters": {"board": board_id, "user_id": player.user_id}, "query": {"neighbours": "50"}}
        return call("get_board_place", route, headers=(reader or self.reader).authorization, **asked)

    def main_place(self, player: Player, reader: Player | None = None) -> HandlerReply:
        asked: dict[str, Any] = {"path_parameters": {"user_id": player.user_id}, "query": {"neighbours": "50"}}
        headers = (reader or self.reader).authorization
        return call("get_user_score", "GET /api/score/{user_id}", headers=headers, **asked)

    def query(self, board_id: str, **members: object) -> HandlerReply:
        body = {"userIds": [player.user_id for player in self.players], **members}
        route, parameters = "POST /api/boards/{board}/scores/query", {"board": board_id}
        return call("query_board_scores", route, path_parameters=parameters, headers=self.reader.authorization, body=body)

    def seasons(self) -> list[Any]:
        route, parameters = "GET /api/boards/{board}/seasons", {"board": self.board_id}
        found: list[Any] = call("get_seasons", route, path_parameters=parameters, headers=self.reader.authorization).data
        return found

    def frames(self, tell: Sequence[str], view: str = "") -> list[Any]:
        """What those who watch are sent when these boards have changed."""
        channel = self.deployed.settings.broadcast_channel + view
        bodies = [self.deployed.event_codec.recorded(ScoresRecorded(1, self.deployed.clock.now(), boards=tuple(tell)))]
        batch = [QueueDelivery(tag, False, pika.BasicProperties(), body) for tag, body in enumerate(bodies, 1)]
        with redis.Redis.from_url(self.redis_url) as client:
            subscription = cast("Any", client).pubsub(ignore_subscribe_messages=True)
            subscription.subscribe(channel)
            subscription.get_message(ignore_subscribe_messages=False, timeout=60)
            invoke("broadcast_scores", queue_event("arn", "score_updated_queue", "/", batch))
            frame = json.loads(subscription.get_message(timeout=60)["data"])
            subscription.close()
        rows: list[Any] = frame["data"]
        return rows

    def view(self) -> str:
        message = {"type": "subscribe", "id": "1", "board": self.board_id, "period": "all_time", "view": {"top": 100}}
        event = websocket_event("$default", body=json.dumps(message))
        event["requestContext"]["authorizer"] = {"principalId": self.reader.user_id, "subscriptions": ""}
        return ":" + str(invoke("ws_message", event)["headers"]["X-Subscribe"]).partition(" ")[2]


@pytest.fixture
def stage(board: Container, redis_url: str) -> Stage:
    return Stage(board, redis_url)


def all_pages(stage: Stage, board_id: str, **parameters: str) -> list[Any]:
    rows: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        page = stage.scores(board_id, limit="1", **parameters, **more).json
        rows += page["data"]
        cursor = page["nextCursor"]
    return rows


# Whom everybody else finds, by every read there is.
READS: dict[str, Callable[[Stage], list[Any]]] = {
    "the top of main": lambda stage: (
        call("get_scores", "GET /api/scores", query={"limit": "100"}, headers=stage.reader.authorization).data
    ),
    "the first places of main": lambda stage: call("get_scores", "GET /api/scores", headers=stage.reader.authorization).data,
    "neighbours on main": lambda stage: stage.main_place(stage.players[2]).data["neighbours"],
    "a list of main": lambda stage: stage.scores("main", limit="100").data,
    "pages of main": lambda stage: all_pages(stage, "main"),
    "around another one on main": lambda stage: stage.scores("main", around=stage.players[2].user_id, limit="100").data,
    "friends on main": lambda stage: stage.query("main").data,
    "places around another one on main": lambda stage: stage.place("main", stage.players[2]).data["places"][0]["neighbours"],
    "a frame of main": lambda stage: stage.frames(["main"]),
    "a list": lambda stage: stage.scores(stage.board_id, limit="100").data,
    "a list of another period": lambda stage: stage.scores(stage.board_id, period="cup").data,
    "pages": lambda stage: all_pages(stage, stage.board_id),
    "pages of a closed season": lambda stage: all_pages(stage, stage.board_id, period="cup", season="1"),
    "around another one": lambda stage: stage.scores(stage.board_id, around=stage.players[2].user_id).data,
    "around another one in a closed season": lambda stage: (
        stage.scores(stage.board_id, period="cup", season="1", around=stage.players[2].user_id).data
    ),
    "friends": lambda stage: stage.query(stage.board_id).data,
    "friends in a closed season": lambda stage: stage.query(stage.board_id, period="cup", season=1).data,
    "places around another one": lambda stage: stage.place(stage.board_id, stage.players[2]).data["places"][0]["neighbours"],
    "a frame of a view": lambda stage: stage.frames([stage.board_id], stage.view()),
    "a frame after every board has changed": lambda stage: stage.frames([EVERY_BOARD], stage.view()),
}


@pytest.mark.parametrize("where", ["there", "everywhere"])
def test_nobody_else_finds_a_hidden_player(stage: Stage, admin: Player, where: str) -> None:
    def found() -> dict[str, set[str]]:
        return {name: {row["userId"] for row in read(stage)} for name, read in READS.items()}

    before, cheater = found(), stage.cheater.user_id
    assert [name for name, players in before.items() if cheater not in players] == []
    boards = ["*"] if where == "everywhere" else ["main", stage.board_id]
    for board_id in boards:
        assert decide(admin, board_id, "hide", stage.cheater)["changed"] is True
    assert found() == {name: players - {cheater} for name, players in before.items()}
    for board_id in boards:
        decide(admin, board_id, "show", stage.cheater)
    assert found() == before


def test_hidden_on_one_board_a_player_is_found_on_others(stage: Stage, admin: Player) -> None:
    decide(admin, stage.board_id, "hide", stage.cheater)
    found = {name: stage.cheater.user_id in {row["userId"] for row in read(stage)} for name, read in READS.items()}
    assert found == {name: "main" in name for name in READS}


def test_a_hidden_player_is_no_place_and_no_page_of_others(stage: Stage, admin: Player) -> None:
    cheater, board_id = stage.cheater, stage.board_id
    decide(admin, "*", "hide", cheater)
    assert stage.main_place(cheater).problem == (404, "unknown_user")
    for each in ("main", board_id):
        assert stage.place(each, cheater).data["places"] == []
        assert stage.scores(each, around=cheater.user_id).problem == (404, "unknown_user")
    final = stage.scores(board_id, period="cup", season="1", around=cheater.user_id)
    assert final.problem == (404, "unknown_user")


def test_a_walk_that_began_before_goes_on_without_the_hidden_player(stage: Stage, admin: Player) -> None:
    """On `main`, on a board, and in a closed season whose ranks are made once more meanwhile."""
    walks: list[tuple[str, dict[str, str]]] = [
        ("main", {}),
        (stage.board_id, {}),
        (stage.board_id, {"period": "cup", "season": "1"}),
    ]
    first = [stage.scores(board_id, limit="1", **asked).json for board_id, asked in walks]
    assert [page["data"][0]["userId"] for page in first] == 3 * [stage.players[0].user_id]
    decide(admin, "*", "hide", stage.cheater)
    for closes_again in (False, True):
        if closes_again:
            assert invoke("turn_seasons", {})["closed"] >= 1
        for (board_id, _), page in zip(walks, first, strict=True):
            following = stage.scores(board_id, limit="100", cursor=page["nextCursor"]).data
            assert following[0]["userId"] == stage.players[2].user_id, board_id


def test_counts_do_not_have_the_hidden_player(stage: Stage, admin: Player) -> None:
    def counts() -> list[int]:
        totals = [stage.scores(each).json["total"] for each in ("main", stage.board_id)]
        open_seasons = [season["players"] for season in stage.seasons() if season["state"] == "open"]
        return [*totals, *open_seasons, stage.deployed.board_gauge.read().players]

    before = counts()
    decide(admin, "*", "hide", stage.cheater)
    assert counts() == [count - 1 for count in before]
    decide(admin, "*", "show", stage.cheater)
    assert counts() == before


def test_a_closed_season_gets_another_version_without_and_another_one_with_the_player(stage: Stage, admin: Player) -> None:
    asked = {"period": "cup", "season": "1"}
    assert [row["rank"] for row in stage.scores(stage.board_id, **asked).data] == [1, 2, 3]
    decide(admin, stage.board_id, "hide", stage.cheater)
    assert [row["rank"] for row in stage.scores(stage.board_id, **asked).data] == [1, 3], "at once, with the ranks as they were"
    assert invoke("turn_seasons", {})["closed"] >= 1
    without = stage.scores(stage.board_id, **asked).json
    assert ([row["rank"] for row in without["data"]], without["total"], without["version"]) == ([1, 2], 2, "final-00000002")
    assert [season["players"] for season in stage.seasons() if season["state"] == "closed"] == [2]
    decide(admin, stage.board_id, "show", stage.cheater)
    assert invoke("turn_seasons", {})["closed"] >= 1
    back = stage.scores(stage.board_id, **asked).json
    assert [row["userId"] for row in back["data"]] == [player.user_id for player in stage.players]
    assert back["version"] == "final-00000003"


def test_a_hidden_player_sees_themself_as_if_they_stood_there(stage: Stage, admin: Player) -> None:
    first, cheater, third = stage.players
    told = stage.main_place(cheater, cheater).data
    on_board = stage.place(stage.board_id, cheater, cheater).data
    decide(admin, "*", "hide", cheater)
    assert stage.main_place(cheater, cheater).data == told
    assert stage.place(stage.board_id, cheater, cheater).data == on_board
    assert stage.place("main", cheater, cheater).data["places"][0]["rank"] == told["rank"]
    assert [line["userId"] for line in told["neighbours"][:2]] == [first.user_id, third.user_id]
    history = call(
        "get_score_history",
        "GET /api/score/{user_id}/history",
        path_parameters={"user_id": cheater.user_id},
        headers=cheater.authorization,
    )
    assert history.status == 200
    assert history.data
    anonymous = call(
        "get_board_place",
        "GET /api/boards/{board}/scores/{user_id}",
        path_parameters={"board": stage.board_id, "user_id": cheater.user_id},
    )
    assert anonymous.data["places"] == [], "the board is public"


def test_what_a_hidden_player_scores_counts_and_the_receipt_says_where_they_would_stand(stage: Stage, admin: Player) -> None:
    first, cheater, third = stage.players
    decide(admin, "*", "hide", cheater)
    receipt = cheater.score(2).data
    assert (receipt["score"], receipt["rank"]) == (102, 1)
    entry = add_entry(stage.board_id, cheater, {"value": 1}).data
    periods = [(place["period"], place["score"], place["rank"]) for place in entry["periods"]]
    assert periods == [("all_time", 13, 1), ("cup", 6, 1)]
    assert third.score(3).data["rank"] == 1
    assert cheater.score(1).data["rank"] == 1, "of equal scores who registered earlier stands first"
    assert stage.place(stage.board_id, first).data["places"][0]["rank"] == 1
    stage.arrived()
    assert reconcile(full=True)["found"] == 0
    decide(admin, "*", "show", cheater)
    assert stage.main_place(cheater).data["score"] == 103
    assert stage.place(stage.board_id, cheater).data["places"][0]["score"] == 13
    assert reconcile(full=True)["found"] == 0


def test_who_is_hidden_enters_a_new_season_out_of_sight(stage: Stage, admin: Player) -> None:
    decide(admin, stage.board_id, "hide", stage.cheater)
    deployed, board_id = stage.deployed, stage.board_id
    state = deployed.known_boards.renewed(board_id, deployed.board_states.now())
    deployed.board_states.reset(state, "cup", "r-2")
    entry = add_entry(board_id, stage.cheater, {"value": 4}).data
    assert entry["periods"][1] == {"period": "cup", "season": 3, "score": 4, "rank": 1, "improved": True}
    assert stage.scores(board_id, period="cup").data == []
    assert add_entry(board_id, stage.players[0], {"value": 2}).data["periods"][1]["rank"] == 1
    stage.arrived()
    assert reconcile(full=True)["found"] == 0
    decide(admin, board_id, "show", stage.cheater)
    assert [row["score"] for row in stage.scores(board_id, period="cup").data] == [4, 2]


@pytest.mark.parametrize("kind", ["ascending", "second", "shared", "best", "latest"])
def test_the_receipt_is_right_on_every_kind_of_board(board: Container, admin: Player, kind: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "ascending": {"order": "ascending"},
        "second": {"secondColumn": True},
        "shared": {"ties": "shared"},
        "best": {"operator": "best"},
        "latest": {"operator": "latest"},
    }
    board_id, players = define_board(board, **kinds[kind]), [new_player(board) for _ in range(3)]
    second = {"second": 0} if kind == "second" else {}
    for player in players:
        add_entry(board_id, player, {"value": 5, **second})
    cheater = players[1]

    def place() -> Any:
        route = "GET /api/boards/{board}/scores/{user_id}"
        asked: dict[str, Any] = {"path_parameters": {"board": board_id, "user_id": cheater.user_id}}
        return call("get_board_place", route, headers=cheater.authorization, **asked).data["places"][0]

    shown = [add_entry(board_id, cheater, {"value": value, **second}).data for value in (3, 9)]
    decide(admin, board_id, "hide", cheater)
    hidden = add_entry(board_id, cheater, {"value": 0, **second}).data
    out_of_sight = place()
    assert (hidden["score"], hidden["rank"]) == (out_of_sight["score"], out_of_sight["rank"])
    decide(admin, board_id, "show", cheater)
    assert place() == out_of_sight
    assert shown[1]["score"] == {"ascending": 17, "second": 17, "shared": 17, "best": 9, "latest": 9}[kind]


def test_hidden_stays_hidden_when_redis_has_lost_everything(stage: Stage, admin: Player) -> None:
    cheater, deployed = stage.cheater, stage.deployed
    decide(admin, "main", "hide", cheater)
    decide(admin, stage.board_id, "hide", stage.players[2])
    cheater.score(1)
    add_entry(stage.board_id, stage.players[2], {"value": 1})
    with redis.Redis.from_url(stage.redis_url) as client:
        client.delete(*client.scan_iter(f"{deployed.settings.key_prefix}*"))
    assert invoke("rebuild_leaderboard", {})["rebuilt"] is True
    assert deployed.board_check.read([cheater.user_id]).hidden == {cheater.user_id: 101}
    assert [row["userId"] for row in stage.scores(stage.board_id).data] == [stage.players[0].user_id, cheater.user_id]
    assert cheater.score(1).data["score"] == 102
    assert add_entry(stage.board_id, stage.players[2], {"value": 1}).data["score"] == 14
    stage.arrived()
    assert reconcile(full=True)["found"] == 0


@pytest.mark.parametrize("damage", ["raised", "deleted", "shown"])
def test_what_was_spoiled_of_a_hidden_player_is_repaired_out_of_sight(stage: Stage, admin: Player, damage: str) -> None:
    cheater, deployed = stage.cheater, stage.deployed
    decide(admin, "*", "hide", cheater)
    main = deployed._board_keys
    ours = deployed._shard.defined(stage.board_id)
    with redis.Redis.from_url(stage.redis_url) as client:
        member = client.hget(ours.members("all_time", 1), cheater.user_id)
        pairs: list[tuple[str, str, Any]] = [
            (main.hidden, main.leaderboard, deployed.board.member(cheater.user_id)),
            (ours.hidden("all_time", 1), ours.scores("all_time", 1), member),
        ]
        for hidden, shown, name in pairs:
            match damage:
                case "raised":
                    client.zincrby(hidden, 7, name)
                case "deleted":
                    client.zrem(hidden, name)
                case _:
                    client.zadd(shown, {name: cast("Any", client.zscore(hidden, name))})
                    client.zrem(hidden, name)
    assert cheater.user_id in {entry["userId"] for entry in reconcile(full=True)["discrepancies"]}
    assert deployed.board_check.read([cheater.user_id]).hidden == {cheater.user_id: 100}
    assert cheater.user_id not in {row["userId"] for row in stage.scores(stage.board_id).data}
    assert add_entry(stage.board_id, cheater, {"value": 1}).data["score"] == 13
    assert reconcile(full=True)["found"] == 0


def test_a_hidden_player_whose_points_were_lost_does_not_begin_again(stage: Stage, admin: Player) -> None:
    decide(admin, "main", "hide", stage.cheater)
    with redis.Redis.from_url(stage.redis_url) as client:
        client.zrem(stage.deployed._board_keys.hidden, stage.deployed.board.member(stage.cheater.user_id))
    assert stage.cheater.score(1).problem == (503, "leaderboard_rebuilding")
    invoke("rebuild_leaderboard", {})
    assert stage.cheater.score(1).data["score"] == 101


@pytest.mark.parametrize("action", ["hide", "show"])
@pytest.mark.parametrize("mended_by", ["rebuild_leaderboard", "reconcile_scores", "prepare_stores"])
def test_a_decision_whose_worker_died_before_redis_learnt_of_it_counts(
    stage: Stage, admin: Player, action: str, mended_by: str
) -> None:
    cheater = stage.cheater
    if action == "show":
        decide(admin, "*", "hide", cheater)
    killed(stage.deployed, lambda: moderate(admin, "*", {"action": action, "userId": cheater.user_id, "reason": "x"}))
    invoke(mended_by, {"full": True} if mended_by == "reconcile_scores" else {})
    is_hidden = cheater.user_id in stage.deployed.board_check.read([cheater.user_id]).hidden
    rows = {row["userId"] for row in stage.scores(stage.board_id).data}
    assert (is_hidden, cheater.user_id not in rows) == (action == "hide", action == "hide")


def test_players_are_hidden_and_shown_while_they_score_and_no_point_is_lost(stage: Stage, admin: Player) -> None:
    """The books balance to the point."""
    cheater = stage.cheater

    def play() -> tuple[int, int]:
        on_main = sum(cheater.score(1).status == 200 for _ in range(40))
        entries = sum(add_entry(stage.board_id, cheater, {"value": 1}).status == 200 for _ in range(40))
        return on_main, entries

    def hide_and_show() -> None:
        for _ in range(12):
            decide(admin, "*", "hide", cheater)
            decide(admin, "*", "show", cheater)

    with ThreadPoolExecutor(4) as threads:
        deciding = [threads.submit(hide_and_show) for _ in range(2)]
        playing = [threads.submit(play) for _ in range(2)]
        for each in deciding:
            each.result()
        counted = [each.result() for each in playing]
    assert stage.main_place(cheater).data["score"] == 100 + sum(one for one, _ in counted)
    assert stage.place(stage.board_id, cheater).data["places"][0]["score"] == 12 + sum(other for _, other in counted)
    stage.arrived()
    assert invoke("check_balance", {})["gaps"] == []
    assert reconcile(full=True)["found"] == 0


def test_a_disabled_account_is_refused_even_where_it_was_hidden_before(stage: Stage, admin: Player) -> None:
    cheater = stage.cheater
    decide(admin, "*", "hide", cheater)
    invoke("change_users", {"userIds": [cheater.user_id], "disabled": True})
    assert cheater.score(1).problem == (403, "unknown_user")
    invoke("change_users", {"userIds": [cheater.user_id], "disabled": False})
    assert cheater.user_id not in {row["userId"] for row in stage.scores("main", limit="100").data}, "the decision holds"
    assert cheater.score(1).status == 200


# Decisions


def test_a_decision_is_an_entry_with_its_audit_row(stage: Stage, admin: Player) -> None:
    cheater, board_id = stage.cheater, stage.board_id
    first = decide(admin, board_id, "hide", cheater)
    assert {name: first["entry"][name] for name in ("board", "userId", "action", "reason", "moderator", "undoneBy")} == {
        "board": board_id,
        "userId": cheater.user_id,
        "action": "hide",
        "reason": "bots",
        "moderator": admin.user_id,
        "undoneBy": None,
    }
    assert decide(admin, board_id, "hide", cheater)["changed"] is False
    rows = query(
        stage.deployed.settings.database_url,
        "SELECT action, actor, source_ip, detail FROM audit_log WHERE user_id = :id AND action = 'player_hidden'"
        " ORDER BY id LIMIT 1",
        id=cheater.user_id,
    )
    detail = {"board": board_id, "entry": first["entry"]["id"], "reason": "bots"}
    assert rows == [["player_hidden", admin.user_id, SOURCE_IP, detail]]


def test_an_undo_takes_one_decision_back_and_only_once(stage: Stage, admin: Player) -> None:
    cheater, board_id = stage.cheater, stage.board_id
    hidden = decide(admin, board_id, "hide", cheater)["entry"]["id"]
    undo = {"action": "undo", "entryId": hidden, "reason": "the wrong one"}
    assert moderate(admin, "main", undo).problem == (404, "unknown_decision")
    reply = moderate(admin, board_id, undo)
    assert (reply.data["changed"], reply.data["entry"]["undoes"]) == (True, hidden)
    assert cheater.user_id in {row["userId"] for row in stage.scores(board_id).data}
    assert moderate(admin, board_id, undo).problem == (409, "already_undone")
    again = {**undo, "entryId": reply.data["entry"]["id"]}
    assert moderate(admin, board_id, again).problem == (422, "invalid_parameter")
    shown = decide(admin, board_id, "show", cheater)["entry"]["id"]
    assert moderate(admin, board_id, {**undo, "entryId": shown}).data["changed"] is False


def test_entries_are_listed_newest_first_with_where_the_player_is_hidden(stage: Stage, admin: Player) -> None:
    cheater, board_id = stage.cheater, stage.board_id
    ids = [decide(admin, each, "hide", cheater)["entry"]["id"] for each in (board_id, "main", "*")]
    of_board = entries_of(admin, board_id, userId=cheater.user_id).json
    assert [entry["id"] for entry in of_board["data"]] == [ids[2], ids[0]]
    assert set(of_board["hiddenOn"]) == {"*", board_id, "main"}
    page = entries_of(admin, "*", userId=cheater.user_id, limit="2").json
    assert [entry["id"] for entry in page["data"]] == ids[:0:-1]
    assert [entry["id"] for entry in entries_of(admin, "*", userId=cheater.user_id, cursor=page["nextCursor"]).data] == ids[:1]
    assert entries_of(admin, "no-such-board").problem == (404, "unknown_board")
    assert entries_of(stage.reader, board_id).problem == (403, "forbidden")


def test_shown_on_a_board_who_is_hidden_everywhere_stays_hidden(stage: Stage, admin: Player) -> None:
    decide(admin, "*", "hide", stage.cheater)
    assert decide(admin, stage.board_id, "show", stage.cheater)["changed"] is False
    assert stage.cheater.user_id not in {row["userId"] for row in stage.scores(stage.board_id).data}


NO_DECISIONS: list[dict[str, Any]] = [
    {},
    {"action": "ban", "userId": "u", "reason": "x"},
    {"action": "hide", "reason": "x"},
    {"action": "hide", "userId": "u"},
    {"action": "hide", "userId": "u", "reason": ""},
    {"action": "hide", "userId": "u", "reason": "x" * 501},
    {"action": "hide", "userId": "u", "reason": "two\nlines"},
    {"action": "hide", "userId": 5, "reason": "x"},
    {"action": "hide", "userId": "u", "players": {"simulated": True}, "reason": "x"},
    {"action": "undo", "userId": "u", "reason": "x"},
    {"action": "undo", "entryId": "1", "reason": "x"},
    {"action": "undo", "entryId": 2**63, "reason": "x"},
    {"action": "hide", "players": {"simulated": False}, "reason": "x"},
    {"action": "hide", "players": {"network": "203.0.113.5/24"}, "reason": "x"},
    {"action": "hide", "players": {"network": 1}, "reason": "x"},
    {"action": "hide", "players": {"network": "203.0.113.0/24", "since": "yesterday"}, "reason": "x"},
    {"action": "hide", "players": {"network": "203.0.113.0/24", "since": "2026-12-01T18:00:00"}, "reason": "x"},
    {"action": "hide", "players": {"network": "203.0.113.0/24", "since": "9999-12-31T23:59:59-23:59"}, "reason": "x"},
    {"action": "hide", "players": {"userIds": []}, "reason": "x"},
    {"action": "hide", "players": {"userIds": ["\0"]}, "reason": "x"},
    {"action": "hide", "userId": "\0", "reason": "x"},
    {"action": "adjust", "userId": "\0", "value": 1, "reason": "x"},
    {"action": "hide", "players": {"userIds": ["u"]}, "preview": "yes", "reason": "x"},
]


def test_what_is_no_decision_is_refused(board: Container, admin: Player) -> None:
    for body in NO_DECISIONS:
        assert moderate(admin, "main", body).problem == (422, "invalid_parameter"), body


def test_a_reason_may_be_of_any_script(stage: Stage, admin: Player) -> None:
    body = {"action": "hide", "userId": stage.cheater.user_id, "reason": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"}
    assert moderate(admin, stage.board_id, body).data["entry"]["reason"] == body["reason"]
    assert entries_of(admin, stage.board_id).data[0]["reason"] == body["reason"]


def test_an_id_that_can_be_nobodys_is_named_as_the_request_names_it(board: Container, admin: Player) -> None:
    one = [{"action": "hide", "userId": wrong, "reason": "x"} for wrong in (5, "\0")]
    one.append({"action": "adjust", "userId": 5, "value": 1, "reason": "x"})
    refused = [moderate(admin, "main", body) for body in one] + [entries_of(admin, "main", userId="\0")]
    assert {reply.problem for reply in refused} == {(422, "invalid_parameter")}
    assert {reply.json["detail"] for reply in refused} == {"`userId` must be the id of a user."}
    several = moderate(admin, "main", {"action": "hide", "players": {"userIds": [5]}, "reason": "x"})
    assert several.json["detail"] == "`userIds` must be a list of ids of users."


def test_nobody_and_nothing_that_there_is_not_is_moderated(board: Container, admin: Player) -> None:
    body = {"action": "hide", "userId": "nobody", "reason": "x"}
    assert moderate(admin, "main", body).problem == (404, "unknown_user")
    assert moderate(admin, "no-such-board", body).problem == (404, "unknown_board")
    assert moderate(new_player(board), "main", body).problem == (403, "forbidden")


# Operators


def test_an_operator_names_a_player_sees_entries_and_decides(stage: Stage) -> None:
    def operate(**event: object) -> Any:
        return invoke("manage_moderation", event)

    cheater, board_id = stage.cheater, stage.board_id
    hidden = operate(action="hide", board=board_id, user=cheater.username, reason="bots")
    assert (hidden["changed"], hidden["entry"]["moderator"]) == (True, "operator")
    assert cheater.user_id not in [row["userId"] for row in stage.scores(board_id).data]
    undone = operate(action="undo", board=board_id, entryId=hidden["entry"]["id"], reason="no bots")
    assert undone["changed"] is True
    entries = operate(action="entries", board=board_id, user=cheater.user_id)["data"]
    assert [entry["value"] for entry in entries] == [5, 7]
    struck = operate(action="strike", board=board_id, user=cheater.user_id, requestId=entries[0]["requestId"], reason="x")
    assert {(score["period"], score["score"]) for score in struck["scores"]} == {("all_time", 7), ("cup", None)}
    updates = operate(action="entries", board="main", user=cheater.username)["data"]
    assert [update["newScore"] for update in updates[:2]] == [100, 95]
    decisions = operate(action="list", board=board_id, user=cheater.username)
    assert [entry["action"] for entry in decisions["data"]] == ["strike", "undo", "hide"]
    assert decisions["usernames"] == {cheater.user_id: cheater.username}
    for name in ("nobody-of-this-name", "", "x" * 51, "a\0b"):
        with pytest.raises(UnknownUser):
            operate(action="hide", board=board_id, user=name, reason="x")


# Games' servers


def key(admin: Player, **members: Any) -> Any:
    body = {"name": "referee", **members}
    return call("create_server_key", "POST /api/admin/server-keys", headers=admin.authorization, body=body).data


def test_a_server_key_moderates_with_the_scope_and_on_its_boards(stage: Stage, admin: Player) -> None:
    body = {"action": "hide", "userId": stage.cheater.user_id, "reason": "x"}
    usual, referee = key(admin), key(admin, scopes=["moderate"], boards=[stage.board_id])
    assert usual["scopes"] == ["read", "write"]
    assert moderate(usual["key"], stage.board_id, body).problem == (403, "not_its_scope")
    assert moderate(referee["key"], "main", body).problem == (403, "not_its_board")
    assert moderate(referee["key"], "*", body).problem == (403, "not_its_board")
    assert moderate(referee["key"], stage.board_id, body).data["entry"]["moderator"] == f"server:{referee['keyId']}"
    league = define_board(stage.deployed, write="server")
    only = key(admin, scopes=["moderate"])
    written = call(
        "add_entries",
        "POST /api/boards/{board}/scores",
        path_parameters={"board": league},
        headers={"Authorization": f"Bearer {only['key']}"},
        body={"entries": [{"userId": stage.cheater.user_id, "value": 1}]},
    )
    assert written.problem == (403, "not_its_scope")
    read = call(
        "get_board_scores",
        "GET /api/boards/{board}/scores",
        path_parameters={"board": league},
        headers={"Authorization": f"Bearer {only['key']}"},
    )
    assert read.problem == (403, "not_its_scope")
    everything = key(admin, scopes=["moderate", "write", "read"])
    rotated = call(
        "rotate_server_key",
        "POST /api/admin/server-keys/{key_id}/secret",
        path_parameters={"key_id": everything["keyId"]},
        headers=admin.authorization,
    ).data["key"]
    assert moderate(rotated, "*", body).data["changed"] is True, "the scopes stay"
    listed = call("list_server_keys", "GET /api/admin/server-keys", headers=admin.authorization).data
    assert listed[0]["scopes"] == ["read", "write", "moderate"]


def test_a_server_key_defines_boards_with_the_scope_and_its_own_alone(board: Container, admin: Player) -> None:
    mine, other = f"board-{secrets.token_hex(6)}", f"board-{secrets.token_hex(6)}"
    writer, maker = key(admin), key(admin, scopes=["boards"], boards=[mine])
    definition = {"periods": [{"name": "cup"}]}

    def asked(function: str, route: str, text: str, board_id: str, body: object = None) -> HandlerReply:
        headers = {"Authorization": f"Bearer {text}"}
        return call(function, route, path_parameters={"board": board_id}, headers=headers, body=body)

    path = "/api/boards/{board}"
    requests: list[tuple[str, str, object]] = [
        ("put_board", f"PUT {path}", definition),
        ("reset_board", f"POST {path}/reset", {"period": "cup"}),
        ("delete_board", f"DELETE {path}", None),
    ]
    for function, route, body in requests:
        assert asked(function, route, writer["key"], mine, body).problem == (403, "not_its_scope"), function
        assert asked(function, route, maker["key"], other, body).problem == (403, "not_its_board"), function
    done = [asked(function, route, maker["key"], mine, body).status for function, route, body in requests]
    assert done == [201, 200, 204]
    url = board.settings.migrations_database_url
    audited = query(url, "SELECT DISTINCT actor FROM audit_log WHERE detail->>'board' = :board", board=mine)
    assert audited == [[f"server:{maker['keyId']}"]]


@pytest.mark.parametrize("scopes", [[], ["rule"], "moderate", [["read"]]])
def test_a_scope_that_there_is_not_is_refused(board: Container, admin: Player, scopes: object) -> None:
    body = {"name": "referee", "scopes": scopes}
    reply = call("create_server_key", "POST /api/admin/server-keys", headers=admin.authorization, body=body)
    assert reply.problem == (422, "invalid_parameter")


# Several players


def test_players_of_a_simulation_are_previewed_hidden_and_shown(stage: Stage, admin: Player) -> None:
    first, cheater, third = stage.players
    query(stage.deployed.settings.migrations_database_url, "UPDATE users SET simulated = FALSE")
    invoke("change_users", {"userIds": [first.user_id, third.user_id], "simulated": True})
    body = {"action": "hide", "players": {"simulated": True}, "reason": "a show is over"}
    preview = moderate(admin, stage.board_id, {**body, "preview": True}).data
    assert (preview["preview"], preview["players"]) == (True, 2)
    assert [each["userId"] for each in preview["first"]] == sorted([first.user_id, third.user_id])
    assert len(stage.scores(stage.board_id).data) == 3, "a preview changes nothing"
    assert not [entry for entry in entries_of(admin, stage.board_id).data if entry["board"] == stage.board_id]
    assert moderate(admin, stage.board_id, body).data == {**preview, "preview": False}
    assert [row["userId"] for row in stage.scores(stage.board_id).data] == [cheater.user_id]
    assert len([entry for entry in entries_of(admin, stage.board_id).data if entry["board"] == stage.board_id]) == 2
    assert moderate(admin, stage.board_id, body).data["players"] == 0, "they are hidden already"
    assert moderate(admin, stage.board_id, {**body, "action": "show"}).data["players"] == 2
    assert [row["userId"] for row in stage.scores(stage.board_id).data] == [player.user_id for player in stage.players]
    assert reconcile(full=True)["found"] == 0


def test_players_are_found_by_the_network_that_they_came_from(stage: Stage, admin: Player) -> None:
    moment = stage.deployed.clock.now().isoformat()
    for player, address in zip(stage.players, ("203.0.113.7", "203.0.113.200", "2001:db8::7"), strict=True):
        call(
            "update_score",
            "POST /api/score/{user_id}",
            path_parameters={"user_id": player.user_id},
            headers=player.authorization,
            source_ip=address,
            body={"increment": 1},
        )
    stage.arrived()

    def found(**players: str) -> list[str]:
        body = {"action": "hide", "players": players, "reason": "x", "preview": True}
        return [each["userId"] for each in moderate(admin, "main", body).data["first"]]

    first, second, third = (player.user_id for player in stage.players)
    assert found(network="203.0.113.0/24", since=moment) == sorted([first, second])
    assert found(network="203.0.113.200", since=moment) == [second]
    assert found(network="2001:db8::/32", since=moment) == [third]
    assert found(network="203.0.113.0/24", until=moment) == []


def test_players_by_ids_must_all_be_there_and_go_in_one_transaction(stage: Stage, admin: Player) -> None:
    ids = [player.user_id for player in stage.players]
    body = {"action": "hide", "players": {"userIds": [*ids, "nobody"]}, "reason": "x"}
    assert moderate(admin, "*", body).data["players"] == 3, "who is none is not found"
    assert stage.scores(stage.board_id).data == []
    assert [row["userId"] for row in stage.scores("main").data] == [stage.reader.user_id]


def test_a_request_that_is_sent_again_decides_once(stage: Stage, admin: Player) -> None:
    body = {"action": "hide", "players": {"userIds": [stage.cheater.user_id]}, "reason": "x"}
    first = moderate(admin, stage.board_id, body, Idempotency_Key="m-1")
    again = moderate(admin, stage.board_id, body, Idempotency_Key="m-1")
    assert (first.data, again.headers.get("Idempotency-Replayed")) == (again.data, "true")
    assert len(entries_of(admin, stage.board_id, userId=stage.cheater.user_id).data) == 1
