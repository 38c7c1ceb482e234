"""Players whose accounts are disabled, on boards that operators defined: out of sight in every season, and back as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.boards.settle_places import settle_board_places
from shared.container import Container
from shared.core.errors import LeaderboardRebuilding, UnknownPlayer
from tests.handlers.defined_boards import DefinedBoard
from tests.handlers.dying import killed
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, new_player


@pytest.fixture
def cups(deps: Container, redis_url: str) -> Iterator[DefinedBoard]:
    with redis.Redis.from_url(redis_url) as client:
        yield DefinedBoard.make(deps, client)


@pytest.fixture
def admin(deps: Container) -> Player:
    return new_player(deps, "admin")


def change(admin: Player, player: Player, **body: object) -> HandlerReply:
    route = "PATCH /api/admin/users/{user_id}"
    reply = call("change_user", route, path_parameters={"user_id": player.user_id}, headers=admin.authorization, body=body)
    assert reply.status == 200
    return reply


def test_a_disabled_player_leaves_every_season_and_comes_back_as_before(cups: DefinedBoard, admin: Player) -> None:
    deps = cups.deployed
    player, other = new_player(deps).user_id, new_player(deps).user_id
    for user_id, value in ((player, 7), (other, 5)):
        cups.add(user_id, value)
    ended = deps.board_states.reset(cups.state, "weekly", "r-1")
    assert ended is not None
    cups.add(player, 3)
    seasons = [("all_time", 0), ("weekly", 0), ("weekly", 1)]
    before = [cups.standings(*season) for season in seasons]
    assert [standings[player].score for standings in before] == [10, 3, 7]

    invoke("change_users", {"userIds": [player], "disabled": True})
    hidden = [cups.standings(*season) for season in seasons]
    assert hidden == [{**each, player: each[player]._replace(is_hidden=True)} for each in before]
    with pytest.raises(UnknownPlayer):
        cups.add(player, 1)

    invoke("change_users", {"userIds": [player], "disabled": False})
    assert [cups.standings(*season) for season in seasons] == before
    assert [place.score for place in cups.add(player, 1).places] == [11, 4]


def test_an_account_that_may_not_play_any_more_is_hidden_too(cups: DefinedBoard, admin: Player) -> None:
    player = new_player(cups.deployed)
    cups.add(player.user_id, 7)
    change(admin, player, role="admin")
    change(admin, player, disabled=True)
    assert cups.scores(hidden=True) == {player.user_id: 7}


@pytest.mark.parametrize("mended_by", ["rebuild_leaderboard", "prepare_stores"])
@pytest.mark.parametrize("disabled", [True, False])
def test_a_change_whose_worker_died_between_the_stores_reaches_the_boards(
    cups: DefinedBoard, admin: Player, mended_by: str, disabled: bool
) -> None:
    player = new_player(cups.deployed)
    cups.add(player.user_id, 7)
    if not disabled:
        change(admin, player, disabled=True)
    killed(cups.deployed, lambda: change(admin, player, disabled=disabled))
    assert cups.scores(hidden=not disabled) == {player.user_id: 7}
    invoke(mended_by, {})
    assert cups.scores(hidden=disabled) == {player.user_id: 7}
    assert cups.scores("weekly", hidden=disabled) == {player.user_id: 7}


def test_who_is_enabled_again_enters_before_anybody_mends_the_board(cups: DefinedBoard, admin: Player) -> None:
    player = new_player(cups.deployed)
    cups.add(player.user_id, 7)
    change(admin, player, disabled=True)
    killed(cups.deployed, lambda: change(admin, player, disabled=False))
    cups.deployed.profiles.drop(player.user_id)
    assert [place.score for place in cups.add(player.user_id, 1).places] == [8, 8]
    assert cups.scores() == {player.user_id: 8}


def test_one_whose_cached_profile_is_older_than_the_change_is_refused(cups: DefinedBoard, admin: Player) -> None:
    player = new_player(cups.deployed)
    cups.add(player.user_id, 7)
    killed(cups.deployed, lambda: change(admin, player, disabled=True))
    settle_board_places([player.user_id], cups.deployed.board_stores)
    with pytest.raises(UnknownPlayer):
        cups.add(player.user_id, 1)


def test_a_score_that_is_lost_is_not_counted_on_from_nothing(cups: DefinedBoard) -> None:
    player = new_player(cups.deployed).user_id
    cups.add(player, 7)
    cups.client.delete(cups.keys.scores("all_time", 1))
    with pytest.raises(LeaderboardRebuilding):
        cups.add(player, 1)
    assert player in cups.deployed.board_check.suspects()
