"""A board is prepared once however many ask, and is never more than 5 s old."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from shared.accounts.player import Profile
from shared.boards.board import MAIN
from shared.boards.ranking import Places, Position
from shared.boards.read_board import Names, PreparedBoards


class Stores:
    """A board, its cache, profiles and a clock, which count what they are asked."""

    def __init__(self) -> None:
        self.documents: dict[int, bytes] = {}
        self.at = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self.read = self.asked = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.profiles = self
        self.users = None
        everything = cast("Any", self)
        self.boards = PreparedBoards(
            MAIN, everything, everything, everything, Names(everything, everything, everything), everything
        )

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def get(self, limit: int) -> bytes | None:
        self.asked += 1
        return self.documents.get(limit)

    def put(self, limit: int, document: bytes) -> None:
        self.documents[limit] = document

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        return {user_id: Profile(user_id, user_id.upper(), "player", "") for user_id in user_ids}

    def top(self, limit: int, since: str) -> Places:
        assert self.may_go_on.wait(60)
        self.read += 1
        return Places([Position(f"u-{place}", place, 1000 - place + self.read) for place in range(1, limit + 1)])

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def test_many_who_ask_at_once_have_it_prepared_once() -> None:
    stores = Stores()
    stores.may_go_on.clear()
    with ThreadPoolExecutor(16) as threads:
        asking = [threads.submit(stores.boards.get, 10, None) for _ in range(16)]
        stores.may_go_on.set()
        assert len({asked.result(60) for asked in asking}) == 1
    assert (stores.read, stores.asked) == (1, 1)


def test_a_fresh_board_is_asked_of_nobody() -> None:
    stores = Stores()
    first = stores.boards.get(10, None)
    stores.passes(4.9)
    assert stores.boards.get(10, None) == first
    assert stores.asked == 1
    stores.passes(0.2)
    stores.documents.clear()
    assert stores.boards.get(10, None) != first
    assert (stores.read, stores.asked) == (2, 2)


def test_a_board_that_another_process_made_is_kept_only_as_long_as_it_is_fresh() -> None:
    one, other = Stores(), Stores()
    one.boards.get(10, None)
    other.documents = dict(one.documents)
    other.passes(3)
    assert other.boards.get(10, None) == one.boards.get(10, None)
    assert other.read == 0
    other.passes(2.1)
    other.documents.clear()
    other.boards.get(10, None)
    assert other.read == 1


def test_a_board_from_before_the_clock_was_set_back_is_kept_no_longer_than_another() -> None:
    one, other = Stores(), Stores()
    one.passes(7200)
    one.boards.get(10, None)
    other.documents = dict(one.documents)
    other.boards.get(10, None)
    other.documents.clear()
    other.passes(5.1)
    other.boards.get(10, None)
    assert other.read == 1


def test_every_length_has_a_tag_of_its_own() -> None:
    stores = Stores()
    documents = [stores.boards.get(limit, None) for limit in (1, 3, 10, 11, 100)]
    assert [len(json.loads(document.body)["data"]) for document in documents] == [1, 3, 10, 11, 100]
    assert len({document.etag for document in documents}) == 5
    assert stores.boards.get(3, None) is documents[1]
    assert stores.read == 2
