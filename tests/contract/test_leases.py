"""Leases: one holder at a time, by the database's clock, with a number that tells tenures apart."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import cast

import pytest

from shared.stores.leases import Leases, LeaseTaken
from shared.stores.postgresql.pool import Pool
from tests.support.waiting import eventually

LONG, SHORT = 60.0, 0.2


@pytest.fixture
def leases(database: Pool) -> Leases:
    return Leases(database)


@pytest.fixture
def name(database: Pool) -> Iterator[str]:
    made = f"test-{secrets.token_hex(6)}"
    yield made
    spoil(database, "DELETE FROM leases WHERE name = :name", made)


def spoil(database: Pool, sql: str, name: str) -> None:
    with database.connection() as session:
        session.run(sql, name=name)


def expire(database: Pool, name: str) -> None:
    spoil(database, "UPDATE leases SET expires_at = now() - INTERVAL '1 second' WHERE name = :name", name)


def test_a_lease_has_one_holder_who_may_renew_it(leases: Leases, name: str) -> None:
    assert leases.hold([name], "a", LONG) == {name: 1}
    assert leases.hold([name], "b", LONG) == {}
    assert leases.hold([name], "a", LONG) == {name: 1}


def test_an_expired_lease_goes_to_the_next_with_a_higher_number(leases: Leases, database: Pool, name: str) -> None:
    leases.hold([name], "a", LONG)
    expire(database, name)
    assert leases.hold([name], "b", LONG) == {name: 2}
    assert leases.hold([name], "a", LONG) == {}


def test_a_holder_who_let_it_expire_has_another_number_afterwards(leases: Leases, database: Pool, name: str) -> None:
    leases.hold([name], "a", LONG)
    expire(database, name)
    assert leases.hold([name], "a", LONG) == {name: 2}


def test_a_lease_expires_by_itself(leases: Leases, name: str) -> None:
    leases.hold([name], "a", SHORT)
    assert eventually(lambda: leases.hold([name], "b", LONG), 60, "the lease expired") == {name: 2}


def test_a_released_lease_is_free_at_once_and_keeps_counting(leases: Leases, name: str) -> None:
    leases.hold([name], "a", LONG)
    leases.release([name], "b")
    assert leases.hold([name], "b", LONG) == {}, "only the holder releases"
    leases.release([name], "a")
    assert leases.hold([name], "b", LONG) == {name: 2}


def test_a_successor_takes_over_what_its_predecessor_held(leases: Leases, name: str) -> None:
    leases.hold([name], "a", LONG)
    assert leases.hold([name], "b", LONG, successor_of="a") == {name: 2}
    assert leases.hold([name], "c", LONG, successor_of="a") == {}


def test_several_are_held_apart(leases: Leases, name: str, database: Pool) -> None:
    other = f"{name}-other"
    leases.hold([name], "a", LONG)
    assert leases.hold([name, other], "b", LONG) == {other: 1}
    assert leases.hold([other, name], "a", LONG) == {name: 1}
    spoil(database, "DELETE FROM leases WHERE name = :name", other)


@pytest.mark.parametrize(
    "spoilt",
    [
        "UPDATE leases SET expires_at = 'infinity' WHERE name = :name",
        "UPDATE leases SET expires_at = '-infinity' WHERE name = :name",
        "UPDATE leases SET fencing = 9223372036854775807, expires_at = now() WHERE name = :name",
        "UPDATE leases SET fencing = -9223372036854775808, expires_at = now() WHERE name = :name",
    ],
)
def test_no_row_keeps_a_lease_for_ever(leases: Leases, database: Pool, name: str, spoilt: str) -> None:
    """The functions' role may write here, and the sealing of the audit log waits for a lease."""
    leases.hold([name], "a", LONG)
    spoil(database, spoilt, name)
    assert leases.hold([name], "b", LONG)
    assert leases.hold([name], "b", LONG)


def test_of_many_who_ask_at_once_one_gets_it(leases: Leases, name: str) -> None:
    begin = threading.Barrier(8)

    def ask(number: int) -> dict[str, int]:
        begin.wait(30)
        return leases.hold([name], f"holder-{number}", LONG)

    with ThreadPoolExecutor(8) as asking:
        assert sorted(map(len, asking.map(ask, range(8)))) == [0] * 7 + [1]


def test_a_block_holds_its_lease_for_as_long_as_it_runs(leases: Leases, database: Pool, name: str) -> None:
    with leases.held(name) as fencing, pytest.raises(LeaseTaken), leases.held(name):
        raise AssertionError("two at once")
    with leases.held(name) as following:
        assert following == fencing + 1


def test_a_lease_is_renewed_while_its_block_runs(leases: Leases, database: Pool, name: str) -> None:
    def expires_at() -> datetime:
        with database.connection() as session:
            [[at]] = session.run("SELECT expires_at FROM leases WHERE name = :name", name=name)
        return cast("datetime", at)

    with leases.held(name, LONG / 3) as fencing:
        first = expires_at()
        eventually(lambda: expires_at() > first, 60, "the lease was renewed")
        assert leases.hold([name], "another", LONG) == {}
    assert leases.hold([name], "another", LONG) == {name: fencing + 1}
