"""Players whose accounts are disabled: off everything that is read of the board, and back with every point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.container import Container
from shared.core.errors import InvalidParameter
from shared.ledger.events import ScoreAccepted
from tests.handlers.conftest import Redeploy
from tests.handlers.dying import killed
from tests.handlers.events import SOURCE_IP, HandlerReply, call, invoke
from tests.handlers.players import Player, board_in_agreement, delivered, give, new_player
from tests.support.product import query
from tests.support.waiting import eventually


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Iterator[Container]:
    with board_in_agreement(redeploy) as made:
        yield made


@pytest.fixture
def admin(board: Container) -> Player:
    return new_player(board, "admin")


@pytest.fixture
def players(board: Container) -> list[Player]:
    """The first two of the board, with 15 and 10 points in the ledger, and more than anybody else."""
    made = [new_player(board), new_player(board)]
    best = max((place.score for place in board.leaderboard.top(1).positions), default=0)
    earlier = best // 5 + 1  # more than the limit allows now
    for player, updates in zip(made, (3, 2), strict=True):
        events = [
            ScoreAccepted(str(uuid4()), player.user_id, 5, 5 * n, board.clock.now(), SOURCE_IP) for n in range(1, earlier + 1)
        ]
        board.ledger.record(events)
        give(board, {player.user_id: 5 * earlier})
        for _ in range(updates):
            assert player.score(5).status == 200
    arrived(board, made)
    return made


def arrived(board: Container, players: list[Player]) -> None:
    """All of what they scored is in the ledger."""
    ids = [player.user_id for player in players]
    scored = {**board.board_check.read(ids).shown, **board.board_check.read(ids).hidden}
    eventually(lambda: board.ledger.totals(ids) == scored, 60, "all of it in the ledger")


def change(admin: Player, player: Player, *, disabled: bool) -> HandlerReply:
    route = "PATCH /api/admin/users/{user_id}"
    path, body = {"user_id": player.user_id}, {"disabled": disabled}
    return call("change_user", route, path_parameters=path, headers=admin.authorization, body=body)


def top(reader: Player) -> list[str]:
    """Whom GET /api/scores shows."""
    data = call("get_scores", "GET /api/scores", query={"limit": "100"}, headers=reader.authorization).data
    return [line["userId"] for line in data]


def place(reader: Player, player: Player) -> HandlerReply:
    path = {"user_id": player.user_id}
    return call("get_user_score", "GET /api/score/{user_id}", path_parameters=path, headers=reader.authorization)


def is_hidden(board: Container, player: Player) -> bool:
    reading = board.board_check.read([player.user_id])
    assert set(reading.shown).isdisjoint(reading.hidden)
    return player.user_id in reading.hidden


def reconcile(**options: bool) -> Any:
    return invoke("reconcile_scores", options)


def test_a_disabled_player_is_off_every_read_and_back_with_every_point(
    board: Container, admin: Player, players: list[Player]
) -> None:
    first, second = players
    score = place(second, first).data["score"]
    counted, rows = board.board_gauge.read().players, history(board, first)
    assert top(second)[:2] == [first.user_id, second.user_id]
    with delivered(board, "score_updated_queue") as changes:
        change(admin, first, disabled=True)
        assert len(changes()) == 1, "those who watch are told"
    assert first.user_id not in top(second), "the prepared board is another one"
    shown = place(second, second).data
    assert shown["rank"] == 1
    assert first.user_id not in {line["userId"] for line in shown["neighbours"]}
    assert place(second, first).problem == (404, "unknown_user")
    assert first.score().problem == (403, "unknown_user")
    assert board.board_gauge.read().players == counted - 1
    assert reconcile(full=True)["found"] == 0
    assert (history(board, first), invoke("check_balance", {})["gaps"]) == (rows, [])
    change(admin, first, disabled=False)
    assert top(second)[:2] == [first.user_id, second.user_id]
    assert place(second, first).data["score"] == score
    assert first.score(2).data["score"] == score + 2
    arrived(board, players)
    assert reconcile(full=True)["found"] == 0


def history(board: Container, player: Player) -> Any:
    """What the ledger and the audit log have of a player."""
    return query(
        board.settings.database_url,
        "SELECT (SELECT count(*) FROM score_history WHERE user_id = :id),"
        " (SELECT count(*) FROM audit_log WHERE user_id = :id AND action = 'score_accepted')",
        id=player.user_id,
    )


def test_points_that_arrive_in_the_ledger_meanwhile_are_kept(board: Container, admin: Player, players: list[Player]) -> None:
    player = players[0]
    score = player.score(5).data["score"]
    change(admin, player, disabled=True)
    arrived(board, players)
    assert board.ledger.totals([player.user_id]) == {player.user_id: score}
    change(admin, player, disabled=False)
    assert player.score(1).data["score"] == score + 1


@pytest.mark.parametrize("mended_by", ["rebuild_leaderboard", "reconcile_scores", "prepare_stores"])
@pytest.mark.parametrize("disabled", [True, False])
def test_a_change_whose_worker_died_between_the_stores_reaches_the_board(
    board: Container, admin: Player, players: list[Player], mended_by: str, disabled: bool
) -> None:
    player = players[0]
    if not disabled:
        change(admin, player, disabled=True)
    killed(board, lambda: change(admin, player, disabled=disabled))
    assert is_hidden(board, player) is not disabled
    dry = reconcile(dryRun=True)
    assert [(entry["userId"], entry["difference"], entry["misplaced"]) for entry in dry["discrepancies"]] == [
        (player.user_id, 0, True)
    ]
    assert is_hidden(board, player) is not disabled, "a dry run moves nobody"
    invoke(mended_by, {})
    assert is_hidden(board, player) is disabled
    assert reconcile(full=True)["found"] == 0


def test_a_player_who_is_enabled_again_scores_before_anybody_mends_the_board(
    board: Container, admin: Player, players: list[Player]
) -> None:
    player = players[0]
    score = board.board_check.read([player.user_id]).shown[player.user_id]
    change(admin, player, disabled=True)
    killed(board, lambda: change(admin, player, disabled=False))
    board.profiles.drop(player.user_id)
    assert player.score(1).data["score"] == score + 1
    assert not is_hidden(board, player)


def test_a_board_that_redis_lost_comes_back_with_its_disabled_players_hidden(
    board: Container, admin: Player, players: list[Player], redis_url: str
) -> None:
    player = players[0]
    score = board.board_check.read([player.user_id]).shown[player.user_id]
    change(admin, player, disabled=True)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(*client.scan_iter(f"{board.settings.key_prefix}*"))
    assert invoke("rebuild_leaderboard", {})["rebuilt"] is True
    assert board.board_check.read([player.user_id]).hidden == {player.user_id: score}
    assert reconcile(full=True)["found"] == 0


@pytest.mark.parametrize("tampering", ["raised", "deleted", "on both"])
def test_what_was_spoiled_of_a_hidden_player_is_found_and_repaired_out_of_sight(
    board: Container, admin: Player, players: list[Player], redis_url: str, tampering: str
) -> None:
    player, keys = players[0], board._board_keys
    score = board.board_check.read([player.user_id]).shown[player.user_id]
    change(admin, player, disabled=True)
    member = board.board.member(player.user_id)
    with redis.Redis.from_url(redis_url) as client:
        match tampering:
            case "raised":
                client.zincrby(keys.hidden, 7, member)
            case "deleted":
                client.zrem(keys.hidden, member)
            case _:
                client.zadd(keys.leaderboard, {member: score})
    assert [entry["userId"] for entry in reconcile()["discrepancies"]] == [player.user_id]
    reading = board.board_check.read([player.user_id])
    assert (reading.shown, reading.hidden) == ({}, {player.user_id: score})
    assert reconcile(full=True)["found"] == 0


@pytest.mark.parametrize("where", ["leaderboard", "hidden"])
def test_names_that_nobody_of_ours_wrote_are_taken_off_and_told(board: Container, redis_url: str, where: str) -> None:
    foreign = [b"user:\xff\xfe", b"\x00", b"user:\x00", b"user:nobody", b"x" * 200]
    with redis.Redis.from_url(redis_url) as client:
        key = getattr(board._board_keys, where)
        client.zadd(key, dict.fromkeys(foreign, 7.0))
        invoke("prepare_stores", {})
        run = reconcile()
        assert run["found"] == len(foreign)
        assert client.zmscore(key, foreign) == [None] * len(foreign)
    told = "SELECT detail ->> 'name' FROM audit_log WHERE action = 'score_repaired' AND user_id IS NULL ORDER BY id DESC LIMIT 4"
    assert repr("\x00") in {name for [name] in query(board.settings.database_url, told)}


def test_an_operator_marks_and_disables_several_at_once(board: Container, admin: Player, players: list[Player]) -> None:
    ids = [player.user_id for player in players]
    scored = board.board_check.read(ids).shown
    assert invoke("change_users", {"userIds": ids, "simulated": True}) == {"changed": 2}
    found = call("find_users", "GET /api/admin/users", query={"userId": ids[0]}, headers=admin.authorization).data
    assert [(account["simulated"], account["disabled"]) for account in found] == [(True, False)]
    with delivered(board, "score_updated_queue") as changes:
        assert invoke("change_users", {"userIds": ids, "disabled": True}) == {"changed": 2}
        assert len(changes()) == 1, "one frame for all"
    assert board.board_check.read(ids).hidden == scored
    rows = query(
        board.settings.database_url,
        "SELECT actor, detail FROM audit_log WHERE user_id = :id AND action = 'user_changed' ORDER BY id",
        id=ids[0],
    )
    assert [[actor, sorted(detail)] for actor, detail in rows] == [["operator", ["simulated"]], ["operator", ["disabled"]]]


def test_nobody_marks_themself_as_simulated(board: Container, players: list[Player]) -> None:
    player = players[0]
    path, headers = {"user_id": player.user_id}, player.authorization
    reply = call(
        "change_user", "PATCH /api/admin/users/{user_id}", path_parameters=path, headers=headers, body={"simulated": True}
    )
    assert reply.problem == (403, "forbidden")


@pytest.mark.parametrize("user_ids", [None, [], "u-1", [5]])
def test_users_who_are_none_are_refused(deployed: Container, user_ids: object) -> None:
    with pytest.raises(InvalidParameter):
        invoke("change_users", {"userIds": user_ids, "disabled": True})
