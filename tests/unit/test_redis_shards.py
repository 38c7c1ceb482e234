"""REDIS_SHARDS as it is read, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from shared.boards.board_shards import BoardShards
from shared.boards.definition import BoardDefinition
from shared.boards.postgresql import PlacedBoard
from shared.core.errors import BoardElsewhere, InvalidBoard, RedisUnavailable, UnknownBoard
from shared.core.redis_shards import ShardPlace, check_places, shard_places

URL = "redis://:pw@one:6379/0"


def test_shards_are_separated_by_white_space() -> None:
    raw = "blue=redis://:p%23w@two:6380/1?ssl_cert_reqs=none#{b}:\n  green=#{g}:  red=rediss://three\n"
    assert shard_places(raw) == (
        ShardPlace("blue", "redis://:p%23w@two:6380/1?ssl_cert_reqs=none", "{b}:"),
        ShardPlace("green", "", "{g}:"),
        ShardPlace("red", "rediss://three", ""),
    )
    assert shard_places(" ") == ()
    assert shard_places(raw)[1].of(URL).url == URL
    assert "p%23w" not in repr(shard_places(raw))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("redis://:pw@two", "no name .* of its shard 1"),
        ("blue=#b: Green=#g:", "no name .* of its shard 2"),
        (f"{'x' * 21}=#b:", "at most 20 characters"),
        ("main=#b:", "choose another name"),
        ("blue=#b: blue=#c:", "`blue` twice"),
        ("blue=", "where the shard `blue` is"),
    ],
)
def test_what_cannot_be_read_is_told(raw: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        shard_places(raw)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "key_prefix", "says"),
    [
        ("blue=#{one}:", "{one}:", ["`main` and `blue` are one place"]),
        ("blue=redis://two green=redis://:other@two:6379/0", "", ["`blue` and `green` are one place"]),
        ("blue=http://two", "", ["the shard `blue` in REDIS_SHARDS must begin with redis://"]),
        (
            "blue=redis+cluster://two:6379#b:",
            "",
            ["the shard `blue` in REDIS_SHARDS names a Redis Cluster", "hash tag behind a #"],
        ),
        ("blue=redis+sentinel://two:26379", "", ["must name Sentinels"]),
        ("blue=redis+cluster://two:6379/3#{b}:", "", ["must name nodes of the cluster"]),
        ("blue=redis://one,two", "", ["names several servers"]),
    ],
)
def test_places_that_cannot_be_are_told(raw: str, key_prefix: str, says: list[str]) -> None:
    [problem] = check_places(shard_places(raw), URL, key_prefix)
    assert all(part in problem for part in says)


def test_a_cluster_of_the_first_shard_takes_others_with_hash_tags() -> None:
    cluster = "redis+cluster://:pw@one:6379,two:6379"
    assert check_places(shard_places("blue=#{b}: green=#{g}:"), cluster, "{a}:") == []
    [problem] = check_places(shard_places("blue=#b:"), cluster, "{a}:")
    assert "hash tag" in problem


class Shard:
    """One that has nothing but a name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Places:
    """What the database says."""

    def __init__(self, **places: tuple[str, str | None]) -> None:
        self.places, self.asked = places, 0

    def placed(self, board_id: str) -> PlacedBoard:
        self.asked += 1
        if board_id not in self.places:
            raise UnknownBoard
        return PlacedBoard(BoardDefinition(board_id, board_id), *self.places[board_id])


def shards(places: Any, *names: str) -> BoardShards[Shard]:
    return BoardShards([Shard(name) for name in names], places)


def test_a_board_is_looked_for_once() -> None:
    places = Places(cups=("blue", None))
    found = shards(places, "main", "blue")
    assert [found.of("cups").name for _ in range(3)] == ["blue"] * 3
    assert places.asked == 1
    assert found.of("main").name == "main"
    assert places.asked == 1


def test_with_one_shard_nobody_looks() -> None:
    places = Places(cups=("blue", None))
    assert shards(places, "main").of("cups").name == "main"
    assert places.asked == 0


def test_a_board_that_has_left_is_followed() -> None:
    places = Places(cups=("blue", None))
    found = shards(places, "main", "blue", "green")
    assert found.of("cups").name == "blue"
    places.places["cups"] = ("green", None)
    visited: list[str] = []

    def enter(shard: Shard) -> str:
        visited.append(shard.name)
        if shard.name != "green":
            raise BoardElsewhere
        return shard.name

    assert found.at("cups", enter) == "green"
    assert found.at("cups", enter) == "green"
    assert visited == ["blue", "green", "green"]


def test_a_board_on_its_way_or_of_an_unknown_shard_is_nowhere() -> None:
    found = shards(Places(cups=("blue", "main"), laps=("red", None)), "main", "blue")
    for board_id in ("cups", "laps"):
        with pytest.raises(BoardElsewhere):
            found.of(board_id)


def test_a_shard_that_is_away_is_not_believed_in() -> None:
    """The board may have moved while nobody could say so."""
    places = Places(cups=("blue", None))
    found = shards(places, "main", "blue")

    def away(_: Shard) -> None:
        raise RedisUnavailable

    for _ in range(2):
        with pytest.raises(RedisUnavailable):
            found.at("cups", away)
    assert places.asked == 2


def test_new_boards_stay_where_they_are_chosen_when_a_shard_is_added() -> None:
    few, more = shards(Places(), "main", "blue"), shards(Places(), "main", "blue", "green")
    ids = [f"board-{number}" for number in range(300)]
    changed = [board_id for board_id in ids if few.of(board_id).name != more.of(board_id).name]
    assert {more.of(board_id).name for board_id in changed} == {"green"}
    assert 60 <= len(changed) <= 140


def test_a_shard_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(InvalidBoard, match="only `main`, `blue`"):
        shards(Places(), "main", "blue").named("red")
