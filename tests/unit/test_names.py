"""Names are asked for once, and those that nobody knows again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from shared.accounts.player import Profile
from shared.boards import read_board as names
from shared.boards.ranking import Position
from shared.boards.read_board import Names


def profile(user_id: str) -> Profile:
    return Profile(user_id, user_id.upper(), "player", "")


class Cache:
    """Redis, which has some."""

    def __init__(self, *user_ids: str) -> None:
        self.has = set(user_ids)
        self.asked: list[list[str]] = []

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        self.asked.append(list(user_ids))
        return {user_id: profile(user_id) for user_id in user_ids if user_id in self.has}

    def put_many(self, profiles: Iterable[Profile]) -> None:
        self.has.update(each.user_id for each in profiles)


class Database:
    """PostgreSQL, which has all but one."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        self.asked.append(list(user_ids))
        return {user_id: profile(user_id) for user_id in user_ids if user_id != "nobody"}


def positions(*user_ids: str) -> list[Position]:
    return [Position(user_id, place, 9) for place, user_id in enumerate(user_ids, 1)]


def test_a_name_is_asked_for_once_and_in_the_database_only_where_it_is_not_cached() -> None:
    cache, database = Cache("a"), Database()
    known = Names(cast("Any", cache), cast("Any", database))
    assert [(line.username, line.rank) for line in known.of(positions("a", "b"))] == [("A", 1), ("B", 2)]
    assert [line.username for line in known.of(positions("b", "a"))] == ["B", "A"]
    assert [line.username for line in known.of(positions("a", "c"))] == ["A", "C"]
    assert known.of([]) == []
    assert (cache.asked, database.asked) == ([["a", "b"], ["c"]], [["b"], ["c"]])
    assert cache.has == {"a", "b", "c"}


def test_whom_nobody_knows_shows_the_id_and_may_be_known_tomorrow() -> None:
    cache, database = Cache(), Database()
    known = Names(cast("Any", cache), cast("Any", database))
    assert [line.username for line in known.of(positions("a", "nobody"))] == ["A", "nobody"]
    cache.has.add("nobody")
    assert [line.username for line in known.of(positions("a", "nobody"))] == ["A", "NOBODY"]


def test_no_more_is_kept_than_a_process_has_room_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(names, "MAX_KEPT", 2)
    cache = Cache("a", "b", "c")
    known = Names(cast("Any", cache), cast("Any", Database()))
    for user_id in "abca":
        assert [line.username for line in known.of(positions(user_id))] == [user_id.upper()]
    assert cache.asked == [["a"], ["b"], ["c"], ["a"]]
    assert [line.username for line in known.of(positions("a", "b"))] == ["A", "B"]
    assert cache.asked[4:] == [["b"]]
