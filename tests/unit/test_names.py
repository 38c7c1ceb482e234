"""Names are asked for once until they change, and those that nobody knows again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from shared.accounts.player import Profile
from shared.boards import read_board as names
from shared.boards.ranking import Places, Position, Standing
from shared.boards.read_board import Names


class Cache:
    """Redis, which has some; the display name of somebody is the user id in capitals, with how often it was changed."""

    def __init__(self, *user_ids: str) -> None:
        self.has = set(user_ids)
        self.asked: list[list[str]] = []
        self.changes: list[tuple[str, str]] = []
        self.meanwhile: Callable[[], object] = list

    def profile(self, user_id: str) -> Profile:
        times = sum(user_id == changed for _, changed in self.changes)
        return Profile(user_id, user_id, "player", "", display_name=user_id.upper() + "'" * times)

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        self.asked.append(list(user_ids))
        found = {user_id: self.profile(user_id) for user_id in user_ids if user_id in self.has}
        self.meanwhile()
        return found

    def put_many(self, profiles: Iterable[Profile]) -> None:
        self.has.update(each.user_id for each in profiles)

    def change(self, user_id: str) -> None:
        self.changes.append((f"{len(self.changes) + 1}-0", user_id))

    def places(self, since: str, *user_ids: str) -> Places:
        positions = [Position(user_id, place, 9) for place, user_id in enumerate(user_ids, 1)]
        return Places(positions, since, [change for change in self.changes if not since or change[0] >= since])


class Database:
    """PostgreSQL, which has all but one."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        self.asked.append(list(user_ids))
        return {user_id: Profile(user_id, user_id, "player", "") for user_id in user_ids if user_id != "nobody"}


class Process:
    """A process that keeps names, and its clock."""

    def __init__(self, cache: Cache) -> None:
        self.cache, self.database, self.seconds = cache, Database(), 0.0
        self.names = Names(cast("Any", cache), cast("Any", self.database), cast("Any", self))

    def monotonic(self) -> float:
        return self.seconds

    def standings(self, *user_ids: str) -> list[Standing]:
        return self.names.of(self.cache.places(self.names.since, *user_ids))

    def shown(self, *user_ids: str) -> list[str]:
        return [line.display_name for line in self.standings(*user_ids)]


def test_a_name_is_asked_for_once_and_in_the_database_only_where_it_is_not_cached() -> None:
    cache = Cache("a")
    process = Process(cache)
    assert process.standings("a", "b") == [Standing("a", "a", "A", 1, 9), Standing("b", "b", "b", 2, 9)]
    assert process.shown("b", "a") == ["b", "A"]
    assert process.shown("a", "c") == ["A", "c"]
    assert process.shown() == []
    assert (cache.asked, process.database.asked) == ([["a", "b"], ["c"]], [["b"], ["c"]])
    assert cache.has == {"a", "b", "c"}


def test_whom_nobody_knows_shows_the_id_and_may_be_known_tomorrow() -> None:
    cache = Cache()
    process = Process(cache)
    assert process.shown("a", "nobody") == ["a", "nobody"]
    cache.has.add("nobody")
    assert process.shown("a", "nobody") == ["a", "NOBODY"]


def test_no_more_is_kept_than_a_process_has_room_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(names, "MAX_KEPT", 2)
    cache = Cache("a", "b", "c")
    process = Process(cache)
    for user_id in "abca":
        assert process.shown(user_id) == [user_id.upper()]
    assert cache.asked == [["a"], ["b"], ["c"], ["a"]]
    assert process.shown("a", "b") == ["A", "B"]
    assert cache.asked[4:] == [["b"]]


def test_a_change_is_seen_with_the_next_places_by_every_process_and_nobody_else_is_asked_for_again() -> None:
    cache = Cache("a", "b")
    cache.change("b")
    processes = [Process(cache) for _ in range(3)]
    assert [process.shown("a", "b") for process in processes] == [["A", "B'"]] * 3
    cache.change("a")
    cache.asked.clear()
    assert [process.shown("a", "b") for process in processes] == [["A'", "B'"]] * 3
    assert [process.shown("a", "b") for process in processes] == [["A'", "B'"]] * 3
    assert cache.asked == [["a"]] * 3


def test_when_the_note_of_a_change_is_gone_all_names_are_asked_for_again() -> None:
    for notes_left in (0, 1):  # another Redis; too many changes
        cache = Cache("a", "b")
        cache.change("b")
        process = Process(cache)
        assert process.shown("a", "b") == ["A", "B'"]
        cache.changes = [("2-0", "b")] * notes_left
        cache.asked.clear()
        process.shown("a", "b")
        assert cache.asked == [["a", "b"]]


def test_an_answer_that_was_overtaken_brings_no_old_name_back() -> None:
    cache = Cache("a", "b")
    cache.change("b")
    process = Process(cache)
    assert process.shown("b") == ["B'"]
    late = cache.places(process.names.since, "a", "b")
    cache.change("b")
    assert process.shown("b") == ["B''"]
    process.names.of(late)
    assert process.shown("a", "b") == ["A", "B''"]


def test_a_name_that_changes_while_it_is_read_is_not_kept() -> None:
    cache = Cache("a", "b")
    cache.change("b")
    process = Process(cache)
    process.shown("b")

    def change_and_look() -> None:
        cache.meanwhile = list
        cache.change("a")
        process.shown("b")

    cache.meanwhile = change_and_look
    assert process.shown("a") == ["A"], "as it was when the places were read"
    assert process.shown("a") == ["A'"]


def test_a_change_whose_note_was_lost_is_seen_within_ten_minutes() -> None:
    cache = Cache("a")
    process = Process(cache)
    assert process.shown("a") == ["A"]
    cache.profile = lambda user_id: Profile(user_id, user_id, "player", "", display_name="Ada")  # type: ignore[method-assign]
    process.seconds = 599.0
    assert process.shown("a") == ["A"]
    process.seconds = 600.0
    assert process.shown("a") == ["Ada"]
