"""Updates that were accepted twice: the ledger tells a second copy from a second acceptance, and counts what is on the board."""

from __future__ import annotations

import secrets
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.ledger.events import Acceptance, FirstResult, Number, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.stores.postgresql.pool import Pool

NOW = datetime.now(UTC).replace(microsecond=123000)
A_DAY = timedelta(hours=24)
_sequences = count(1)


class Books:
    """A ledger, a player, and epochs of the test's own."""

    def __init__(self, database: Pool) -> None:
        self.database = database
        self.ledger = Ledger(database)
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32))
        Users(database).add(account)
        self.player = account.user_id
        self.epoch = self.ledger.open_epoch(None)
        self.next_epoch = self.ledger.open_epoch(None)

    def event(self, epoch: int | None = None, *, key: str = "", request_id: str = "", at: datetime = NOW) -> ScoreAccepted:
        number = Number(epoch or self.epoch, next(_sequences))
        request_id = request_id or str(uuid4())
        return ScoreAccepted(request_id, self.player, 2, 40, at, "198.51.100.7", number, key_id=key, rank=3)

    def total(self) -> int:
        return self.ledger.totals([self.player]).get(self.player, 0)

    def repeated(self) -> list[list[object]]:
        with self.database.connection() as session:
            return session.run(
                "SELECT request_id, first_epoch FROM repeated_updates WHERE user_id = :id ORDER BY epoch, sequence",
                id=self.player,
            )

    def actions(self) -> list[str]:
        with self.database.connection() as session:
            rows = session.run(
                "SELECT action FROM audit_log WHERE user_id = :id AND action LIKE 'score%' ORDER BY id", id=self.player
            )
        return [row[0] for row in rows]

    def is_accounted_for(self, event: ScoreAccepted) -> bool:
        """Whether its number is missing nowhere."""
        assert event.number is not None
        gaps = [gap for gap in self.ledger.missing(event.number) if gap.epoch == event.number.epoch]
        return not any(gap.first <= event.number.sequence <= gap.last for gap in gaps)


@pytest.fixture
def books(database: Pool) -> Books:
    return Books(database)


def a_key() -> str:
    return str(uuid4())


def test_a_second_copy_of_an_update_counts_once_and_is_no_second_acceptance(books: Books) -> None:
    event = books.event(key=a_key())
    assert [books.ledger.record([event]).new for _ in range(3)] == [1, 0, 0]
    assert (books.total(), books.repeated(), books.actions()) == (2, [], ["score_accepted"])


def test_an_update_that_redis_lost_and_accepted_again_counts_once_and_is_noted(books: Books) -> None:
    first = books.event()
    second = books.event(books.next_epoch, request_id=first.request_id)
    books.ledger.record([first])
    for _ in range(2):
        assert books.ledger.record([second]).new == 0
    assert (books.total(), books.repeated()) == (2, [[first.request_id, books.epoch]])
    assert books.actions() == ["score_accepted", "score_repeated"]
    assert books.is_accounted_for(second)


def test_two_acceptances_in_one_epoch_are_both_on_the_board_and_count_twice(books: Books) -> None:
    first = books.event()
    second = books.event(request_id=first.request_id)
    books.ledger.record([first])
    assert [books.ledger.record([second]).new for _ in range(2)] == [1, 0]
    assert (books.total(), books.repeated()) == (4, [])
    assert books.is_accounted_for(second)


@pytest.mark.parametrize("together", [False, True])
def test_a_key_with_another_ticket_after_a_lost_redis_counts_once(books: Books, together: bool) -> None:
    key = a_key()
    first, second = books.event(key=key), books.event(books.next_epoch, key=key, at=NOW + A_DAY - timedelta(seconds=1))
    for batch in [[first, second]] if together else [[first], [second], [second]]:
        books.ledger.record(batch)
    assert (books.total(), books.repeated()) == (2, [[second.request_id, books.epoch]])
    assert books.is_accounted_for(second)
    found = books.ledger.first_result(key)
    assert found is not None
    assert found.request_id == first.request_id


def test_a_key_whose_first_result_was_lost_within_an_epoch_counts_twice_for_both_are_on_the_board(books: Books) -> None:
    key = a_key()
    books.ledger.record([books.event(key=key)])
    books.ledger.record([books.event(key=key)])
    assert (books.total(), books.repeated()) == (4, [])


def test_after_its_day_a_key_is_a_new_update(books: Books) -> None:
    key = a_key()
    first, second = books.event(key=key, at=NOW - A_DAY), books.event(books.next_epoch, key=key)
    books.ledger.record([first])
    assert books.ledger.first_result(key) is None
    books.ledger.record([second])
    assert (books.total(), books.repeated()) == (4, [])
    found = books.ledger.first_result(key)
    assert found == FirstResult(key, second.request_id, books.player, 2, 40, 3, NOW)


@pytest.mark.parametrize("together", [False, True])
def test_an_update_that_is_recorded_when_its_key_is_used_for_another_day_counts(books: Books, together: bool) -> None:
    """It was among the dead letters meanwhile."""
    key = a_key()
    first, second = books.event(key=key, at=NOW - A_DAY), books.event(books.next_epoch, key=key)
    books.ledger.record([first._replace(increment=9)])
    for batch in [[first, second]] if together else [[second], [first]]:
        books.ledger.record(batch)
    assert (books.total(), books.repeated()) == (4, [])
    found = books.ledger.first_result(key)
    assert found is not None
    assert found.request_id == second.request_id


def test_the_key_of_a_refused_update_is_known(books: Books) -> None:
    key = a_key()
    refused = books.event(key=key)._replace(increment=9)
    batch = books.ledger.record([refused, books.event()])
    assert list(batch.refused) == [refused.request_id]
    found = books.ledger.first_result(key)
    assert found is not None
    assert found.request_id == refused.request_id


def test_a_keyed_update_of_the_version_before_is_found_under_the_id_of_its_key(books: Books) -> None:
    key = a_key()
    books.ledger.record([books.event(request_id=key)._replace(number=None)])
    found = books.ledger.first_result(key)
    assert found is not None
    assert (found.request_id, found.score, found.rank) == (key, 40, 0)
    assert not books.ledger.knows_all_keys()


def test_a_new_installation_knows_all_keys_at_once(own_database_url: str) -> None:
    with closing(Pool(own_database_url)) as database:
        assert not Ledger(database).knows_all_keys(), "nothing has been numbered yet"
        books = Books(database)
        assert books.ledger.knows_all_keys()
        books.ledger.record([books.event(key=a_key()), books.event()])
        assert books.ledger.knows_all_keys()
        books.ledger.record([books.event(request_id=a_key())._replace(number=None)])
        assert not books.ledger.knows_all_keys(), "a version that did not write them down ran, on the way there and back"


def test_after_an_upgrade_all_keys_are_known_when_they_were_written_down_for_a_day(own_database_url: str) -> None:
    with closing(Pool(own_database_url)) as database:
        books = Books(database)
        for hours, known in ((1, False), (23, False), (25, True)):
            with database.connection() as session:
                session.run("UPDATE number_epochs SET opened_at = now() - make_interval(hours => :by)", by=hours)
            assert books.ledger.knows_all_keys() is known, "the first epoch is older than the table of keys"


def test_first_results_come_in_pages_and_are_forgotten_after_their_day(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.ledger.postgresql.PAGE", 2)
    keys = [a_key() for _ in range(5)]
    books.ledger.record([books.event(key=key) for key in keys])
    old = [a_key() for _ in range(3)]
    books.ledger.record([books.event(key=key, at=NOW - timedelta(hours=26)) for key in old])
    listed = [result.key_id for page in books.ledger.first_results() for result in page]
    assert set(keys) <= set(listed)
    assert not set(old) & set(listed)
    forgotten = 0
    while batch := books.ledger.forget_keys(2):
        assert batch <= 2
        forgotten += batch
    assert forgotten >= 3
    assert all(books.ledger.first_result(key) for key in keys)


def test_what_was_accepted_of_late_is_told_by_player(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.ledger.postgresql.PAGE", 3)
    events = [books.event(at=NOW - timedelta(seconds=second)) for second in (0, 1, 2, 90, 91)]
    books.ledger.record(list(reversed(events)))
    found = books.ledger.accepted_since(NOW - timedelta(seconds=60))[books.player]
    milliseconds = round(NOW.timestamp() * 1000)
    assert sorted(found, reverse=True) == [
        Acceptance(milliseconds - 1000 * second, event.request_id) for second, event in enumerate(events[:3])
    ]


def test_what_was_accepted_of_late_and_does_not_stand_in_the_ledger_is_told_too(books: Books) -> None:
    """It used its player's rate window and its ticket all the same."""
    recorded, again = books.event(), books.event(books.next_epoch, at=NOW - timedelta(seconds=5))
    again = again._replace(request_id=recorded.request_id)
    refused, old = (books.event(at=NOW - timedelta(seconds=age))._replace(new_score=2**40) for age in (7, 90))
    books.ledger.record([recorded])
    books.ledger.record([again])
    assert books.ledger.record([refused, old]).refused.keys() == {refused.request_id, old.request_id}
    found = books.ledger.accepted_since(NOW - timedelta(seconds=60))[books.player]
    milliseconds = round(NOW.timestamp() * 1000)
    assert sorted(found, reverse=True) == [
        Acceptance(milliseconds, recorded.request_id),
        Acceptance(milliseconds - 5000, recorded.request_id),
        Acceptance(milliseconds - 7000, refused.request_id),
    ]
