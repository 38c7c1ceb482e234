"""Which numbers are in no store."""

from __future__ import annotations

from typing import Any, cast

from shared.boards.score import NewestEpoch
from shared.ledger.balance import Gap
from shared.ledger.events import Number
from shared.reconciliation.balance_books import as_json, balance_books
from tests.unit.test_update_score_service import EVENT


def test_a_gap_is_split_by_what_is_found_in_it() -> None:
    gap = Gap(3, 5, 9)
    assert gap.without([]) == [gap]
    assert gap.without([1, 5, 7, 8, 12]) == [Gap(3, 6, 6), Gap(3, 9, 9)]
    assert gap.without([5, 6, 7, 8, 9]) == []
    assert [rest.size for rest in gap.without([7])] == [2, 2]


def test_two_gaps_have_in_common_what_lies_in_both() -> None:
    others = [Gap(2, 5, 9), Gap(3, 1, 5), Gap(3, 7, 7), Gap(3, 9, 99)]
    assert Gap(3, 5, 9).common(others) == [Gap(3, 5, 5), Gap(3, 7, 7), Gap(3, 9, 9)]


class Stores:
    """All three ports: what the ledger lacks at the first and at the second look, and what the outbox has in between."""

    def __init__(self, newest: Number | None, missing: list[list[Gap]], outbox: list[Number]) -> None:
        self.newest = newest
        self.looks = missing
        self.events = [EVENT._replace(number=number, outbox_id=f"{place}-0") for place, number in enumerate(outbox, 1)]

    def newest_epoch(self) -> NewestEpoch:
        return NewestEpoch(self.newest, True, "server")

    def missing(self, up_to: Number) -> list[Gap]:
        assert up_to == self.newest
        return self.looks.pop(0)

    def lost(self) -> int:
        return 0

    def newest_id(self) -> str:
        return f"{len(self.events)}-0"

    def waiting(self, after: str, up_to: str, limit: int) -> list[Any]:
        first = int(after.partition("-")[0] or 0)
        return self.events[first : first + 2]

    def balance(self) -> dict[str, Any]:
        ports = cast("Any", self)
        return as_json(balance_books(ports, ports, ports))


def test_before_the_first_update_there_is_nothing_to_account_for() -> None:
    assert Stores(None, [], []).balance() == {"number": None, "outbox": 0, "inFlight": 0, "gaps": [], "lost": 0}


def test_what_the_ledger_has_is_not_looked_for_in_the_outbox() -> None:
    told = Stores(Number(2, 5), [[]], [Number(2, 5)]).balance()
    assert told == {"number": {"epoch": 2, "sequence": 5}, "outbox": 0, "inFlight": 0, "gaps": [], "lost": 0}


def test_what_is_in_neither_is_in_flight() -> None:
    waiting = [Number(1, 9), Number(2, 1), Number(2, 3), Number(2, 6)]
    gaps = [Gap(1, 8, 9), Gap(2, 1, 5)]
    told = Stores(Number(2, 5), [gaps, gaps], waiting).balance()
    assert (told["outbox"], told["inFlight"]) == (3, 4), "a later one is not counted"
    assert told["gaps"] == [
        {"epoch": 1, "first": 8, "last": 8},
        {"epoch": 2, "first": 2, "last": 2},
        {"epoch": 2, "first": 4, "last": 5},
    ]


def test_what_was_recorded_while_the_outbox_was_read_is_not_in_flight() -> None:
    told = Stores(Number(2, 5), [[Gap(2, 1, 5)], [Gap(2, 4, 4)]], []).balance()
    assert (told["inFlight"], told["gaps"]) == (1, [{"epoch": 2, "first": 4, "last": 4}])
