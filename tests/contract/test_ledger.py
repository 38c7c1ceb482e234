"""The history of record on PostgreSQL: every update once, totals that agree."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.accounts.player import Account, Role
from shared.accounts.postgresql import Users
from shared.boards.board import MAIN
from shared.core.errors import PostgresUnavailable
from shared.ledger import postgresql as ledger_module
from shared.ledger.balance import Gap
from shared.ledger.events import Number, ReceivedMessage, RecordedBatch, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.reconciliation.postgresql import Reconciliations
from shared.stores.postgresql.pool import Pool
from tests.contract.audit import Audit

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
NewPlayer = Callable[..., str]


@pytest.fixture
def ledger(database: Pool) -> Ledger:
    return Ledger(database)


@pytest.fixture
def new_player(database: Pool) -> NewPlayer:
    def add(role: Role = "player") -> str:
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", role, "hash", secrets.token_hex(32))
        Users(database).add(account)
        return account.user_id

    return add


def update(user_id: str, increment: int = 1, new_score: int = 1) -> ScoreAccepted:
    return ScoreAccepted(str(uuid4()), user_id, increment, new_score, ACCEPTED_AT, "198.51.100.7")


def sum_of_history(database: Pool, user_id: str) -> int:
    with database.connection() as session:
        return int(session.run("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id", id=user_id)[0][0])


def test_an_update_is_kept_as_it_was_accepted(ledger: Ledger, new_player: NewPlayer) -> None:
    event = update(new_player(), 3, 12)
    assert ledger.record([event]) == RecordedBatch(1)
    [entry] = ledger.history(event.user_id, 10, None)
    assert (entry.request_id, entry.user_id, entry.increment, entry.new_score) == (event.request_id, event.user_id, 3, 12)
    assert entry.created_at == ACCEPTED_AT
    assert ledger.totals([event.user_id, "nobody"]) == {event.user_id: 3}


def test_an_update_stands_in_the_audit_log(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    event = update(new_player(), 3, 12)
    for _ in range(2):
        ledger.record([event])
    with database.connection() as session:
        rows = session.run(
            "SELECT action, actor, user_id, source_ip, detail FROM audit_log WHERE request_id = :id", id=event.request_id
        )
    assert rows == [["score_accepted", event.user_id, event.user_id, "198.51.100.7", {"increment": 3, "newScore": 12}]]


def test_a_batch_that_comes_again_counts_once(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    player = new_player()
    batch = [update(player, increment) for increment in (1, 2, 3)]
    assert ledger.record(batch).new == 3
    assert ledger.record([*batch, update(player, 4)]).new == 1
    assert ledger.totals([player]) == {player: 10}
    assert sum_of_history(database, player) == 10


def test_an_update_that_is_twice_in_a_batch_counts_once(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    event = update(new_player(), 5)
    assert ledger.record([event, event, event._replace()]).new == 1
    assert ledger.totals([event.user_id]) == {event.user_id: 5}


def test_unknown_users_are_reported_and_the_rest_is_recorded(ledger: Ledger, new_player: NewPlayer) -> None:
    good, stranger = update(new_player(), 2), update(str(uuid4()), 3)
    assert ledger.record([stranger, good]) == RecordedBatch(1, {stranger.request_id: "unknown user"})
    assert ledger.totals([good.user_id, stranger.user_id]) == {good.user_id: 2}


def test_what_the_ledger_refuses_takes_nothing_else_down(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    player = new_player()
    good = [update(player, 1, score) for score in range(1, 9)]
    bad = {"too great": update(player, 1, 2**40), "not allowed": update(player, 9), "a zero byte": update("no\0body")}
    mixed = [*good[:3], bad["too great"], *good[3:6], bad["not allowed"], *good[6:], bad["a zero byte"]]
    recorded = ledger.record(mixed, ["marker-of-a-mixed-batch"])
    assert recorded.new == 8
    reasons = {name: recorded.refused[event.request_id] for name, event in bad.items()}
    assert set(recorded.refused) == {event.request_id for event in bad.values()}
    assert "out of range" in reasons["too great"]
    assert "check constraint" in reasons["not allowed"]
    assert ledger.totals([player]) == {player: 8}
    assert sum_of_history(database, player) == 8
    assert ledger.passed_markers(["marker-of-a-mixed-batch"])


def test_what_was_refused_waits_until_it_is_recorded(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    """The player keeps the points meanwhile, and never has them twice."""
    player = new_player()
    accepted = update(player, 4, 2**40)

    def points(user_id: str) -> dict[str, int]:
        return Reconciliations(database, MAIN.increments).points_at([user_id], Number(2**62, 0))

    ledger.record([accepted, update(player, 1)])
    assert points(player) == {player: 5}
    assert ledger.totals([player]) == {player: 1}
    ledger.record([accepted])
    assert points(player) == {player: 5}
    mended = accepted._replace(new_score=5)
    ledger.record([mended])
    assert points(player) == {player: 5}, "not even when another copy of it is recorded first"
    ledger.record([mended], messages={mended.request_id: ReceivedMessage(b"", attempts=1)})
    assert (points(player), ledger.totals([player])) == ({player: 5}, {player: 5})
    with database.connection() as session:
        assert session.run("SELECT 1 FROM unrecorded_updates WHERE user_id = :id", id=player) == []


def test_a_refusal_that_is_no_rows_fault_sends_the_batch_back(
    database: Pool, ledger: Ledger, new_player: NewPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = new_player()
    monkeypatch.setattr(ledger_module, "statement", lambda _: "SELECT * FROM no_such_table WHERE :request_ids = :user_ids")
    with pytest.raises(PostgresUnavailable):
        ledger.record([update(player)])


def test_an_empty_batch_is_nothing(ledger: Ledger) -> None:
    assert ledger.record([]) == RecordedBatch(0)


def test_racing_batches_with_common_updates_agree_with_the_sums(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    players = [new_player() for _ in range(4)]
    events = [update(players[n % 4], n % 5 + 1, n) for n in range(200)]
    batches = [[*events[n::8], *events[(n + 1) % 8 :: 8]] for n in range(8)]  # each update in two of them
    batches = [batch if n % 2 else batch[::-1] for n, batch in enumerate(batches)]
    with ThreadPoolExecutor(8) as threads:
        assert sum(recorded.new for recorded in threads.map(ledger.record, batches)) == 200
    expected = {player: sum(event.increment for event in events if event.user_id == player) for player in players}
    assert ledger.totals(players) == expected
    assert {player: sum_of_history(database, player) for player in players} == expected


def test_a_marker_is_passed_when_its_batch_is_committed(ledger: Ledger, new_player: NewPlayer) -> None:
    first, second = str(uuid4()), str(uuid4())
    assert not ledger.passed_markers([first])
    ledger.record([update(new_player())], [first])
    assert (ledger.passed_markers([first]), ledger.passed_markers([first, second])) == (True, False)
    ledger.record([], [first, second])
    assert ledger.passed_markers([first, second])


def test_a_batch_that_fails_leaves_nothing(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    event, marker_id = update(new_player()), "m" * 65  # longer than its column
    with pytest.raises(Exception, match="value too long"):
        ledger.record([event], [marker_id])
    assert Reconciliations(database, MAIN.increments).points_at([event.user_id], Number(2**62, 0)) == {event.user_id: 0}
    assert ledger.history(event.user_id, 10, None) == []
    assert ledger.totals([event.user_id]) == {}


def test_history_is_paged_newest_first(ledger: Ledger, new_player: NewPlayer) -> None:
    player, other = new_player(), new_player()
    for score in range(1, 8):
        ledger.record([update(player, 1, score), update(other, 1, score)])
    pages, before = [], None
    while page := ledger.history(player, 3, before):
        pages.append([entry.new_score for entry in page])
        before = page[-1].id
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]


def test_updates_of_one_batch_are_kept_in_the_order_they_were_accepted(ledger: Ledger, new_player: NewPlayer) -> None:
    player = new_player()
    events = [update(player, 1, n)._replace(accepted_at=ACCEPTED_AT + timedelta(milliseconds=n)) for n in range(1, 8)]
    ledger.record([events[n] for n in (4, 0, 6, 2, 1, 5, 3)])
    assert [entry.new_score for entry in ledger.history(player, 10, None)] == [7, 6, 5, 4, 3, 2, 1]


def test_a_database_that_is_away_is_told_so() -> None:
    pool = Pool("postgresql://u:p@127.0.0.1:1/scoreboard")
    with pytest.raises(PostgresUnavailable):
        Ledger(pool).record([update("u-1")])
    pool.close()


def numbered(user_id: str, *numbers: Number) -> list[ScoreAccepted]:
    return [update(user_id)._replace(number=number) for number in numbers]


@pytest.fixture
def counted(audit: Audit) -> tuple[Ledger, str]:
    """A ledger of the test's own, in which no other update is missing, and a player."""
    account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32))
    Users(audit.pool).add(account)
    return Ledger(audit.pool), account.user_id


def test_an_update_is_kept_with_its_number(database: Pool, ledger: Ledger, new_player: NewPlayer) -> None:
    player, number = new_player(), Number(ledger.open_epoch(None), 1)
    [event] = numbered(player, number)
    ledger.record([event, update(player)])
    with database.connection() as session:
        rows = session.run("SELECT epoch, sequence FROM score_history WHERE user_id = :id ORDER BY epoch NULLS FIRST", id=player)
        [[detail]] = session.run("SELECT detail FROM audit_log WHERE request_id = :id", id=event.request_id)
    assert rows == [[None, None], [*number]]
    assert detail == {"increment": 1, "newScore": 1, "epoch": number.epoch, "sequence": 1}, "it is restored from here"


def test_no_two_updates_have_the_same_number(ledger: Ledger, new_player: NewPlayer) -> None:
    number = Number(ledger.open_epoch(None), 1)
    first, second = numbered(new_player(), number, number)
    assert ledger.record([first]).new == 1
    recorded = ledger.record([second])
    assert recorded.new == 0
    assert second.request_id in recorded.refused


def test_each_epoch_is_above_all_others_even_those_that_redis_alone_knows(counted: tuple[Ledger, str]) -> None:
    ledger, _ = counted
    epochs = [ledger.open_epoch(None), ledger.open_epoch(Number(1, 5)), ledger.open_epoch(Number(40, 2)), ledger.open_epoch(None)]
    assert epochs == [1, 2, 41, 42]
    with ThreadPoolExecutor(8) as threads:
        racing = list(threads.map(lambda _: ledger.open_epoch(None), range(16)))
    assert sorted(racing) == list(range(43, 59))


def test_missing_numbers_are_told_as_gaps(counted: tuple[Ledger, str]) -> None:
    ledger, player = counted
    epoch = ledger.open_epoch(None)
    assert ledger.missing(Number(epoch, 0)) == []
    assert ledger.missing(Number(epoch, 3)) == [Gap(epoch, 1, 3)]
    ledger.record(numbered(player, *(Number(epoch, sequence) for sequence in (1, 2, 4, 8, 9))))
    assert ledger.missing(Number(epoch, 9)) == [Gap(epoch, 3, 3), Gap(epoch, 5, 7)]
    assert ledger.missing(Number(epoch, 11)) == [Gap(epoch, 3, 3), Gap(epoch, 5, 7), Gap(epoch, 10, 11)]
    assert ledger.missing(Number(epoch, 6)) == [Gap(epoch, 3, 3), Gap(epoch, 5, 6)]
    assert [gap.size for gap in ledger.missing(Number(epoch, 9))] == [1, 3]
    ledger.record(numbered(player, *(Number(epoch, sequence) for sequence in (6, 3, 5, 7))))
    assert ledger.missing(Number(epoch, 9)) == []


def test_a_look_for_missing_numbers_begins_where_all_before_are_accounted_for(audit: Audit, counted: tuple[Ledger, str]) -> None:
    ledger, player = counted
    epoch = ledger.open_epoch(None)

    def settled() -> int:
        with audit.pool.connection() as session:
            return int(session.run("SELECT settled FROM number_epochs WHERE epoch = :epoch", epoch=epoch)[0][0])

    ledger.record(numbered(player, *(Number(epoch, sequence) for sequence in (1, 2, 4))))
    ledger.missing(Number(epoch, 1))
    assert settled() == 1
    ledger.missing(Number(epoch, 4))
    assert settled() == 2, "up to the first gap"
    ledger.missing(Number(epoch, 1))
    assert settled() == 2, "never back"
    ledger.record(numbered(player, Number(epoch, 3)))
    assert ledger.missing(Number(epoch, 4)) == []
    assert settled() == 4


def test_a_refused_update_counts_as_known(counted: tuple[Ledger, str]) -> None:
    ledger, player = counted
    epoch = ledger.open_epoch(None)
    [good, refused] = numbered(player, Number(epoch, 1), Number(epoch, 2))
    [stranger] = numbered(str(uuid4()), Number(epoch, 3))
    recorded = ledger.record([good, refused._replace(new_score=2**40), stranger])
    assert recorded.refused.keys() == {refused.request_id, stranger.request_id}
    assert ledger.missing(Number(epoch, 3)) == []


def test_of_an_epoch_that_redis_lost_only_gaps_below_what_arrived_are_known(counted: tuple[Ledger, str]) -> None:
    """Nobody can say how far Redis had counted; points of it are not on the board."""
    ledger, player = counted
    lost = ledger.open_epoch(None)
    ledger.record(numbered(player, Number(lost, 1), Number(lost, 4)))
    newest = Number(ledger.open_epoch(None), 0)
    assert ledger.missing(newest) == [Gap(lost, 2, 3)]
    assert ledger.missing(newest, on_board=True) == []


def test_what_redis_lost_before_it_arrived_anywhere_is_given_up_once(counted: tuple[Ledger, str]) -> None:
    """It can never be recorded, and its points are not on the board; what Redis still has is waited for."""
    ledger, player = counted
    ledger.count_lost(ledger.open_epoch(None))
    given_up = ledger.lost()
    emptied = ledger.open_epoch(None)
    ledger.record(numbered(player, *(Number(emptied, sequence) for sequence in (1, 2, 5, 7))))
    ledger.missing(Number(emptied, 2))
    set_back = ledger.open_epoch(None)
    ledger.record(numbered(player, Number(set_back, 1), Number(set_back, 6)))
    newest = ledger.open_epoch(Number(set_back, 3))
    assert ledger.missing(Number(newest, 0)) == [Gap(emptied, 3, 4), Gap(emptied, 6, 6), Gap(set_back, 2, 5)]
    assert ledger.count_lost(newest) == {emptied: 3, set_back: 2}
    assert ledger.missing(Number(newest, 0)) == [Gap(set_back, 2, 3)], "these are in the outbox of this Redis, or were"
    assert ledger.count_lost(newest) == {}
    assert ledger.lost() - given_up == 5
    ledger.record(numbered(player, Number(set_back, 2), Number(set_back, 3), Number(emptied, 3)))
    assert ledger.missing(Number(newest, 0)) == []


def test_of_an_epoch_that_redis_went_on_from_all_gaps_are_known(counted: tuple[Ledger, str]) -> None:
    ledger, player = counted
    before = ledger.open_epoch(None)
    ledger.record(numbered(player, Number(before, 1), Number(before, 7)))
    newest = Number(ledger.open_epoch(Number(before, 5)), 0)
    assert ledger.missing(newest, on_board=True) == [Gap(before, 2, 5)]
    assert ledger.missing(newest) == [Gap(before, 2, 6)], "what arrived from beyond was accepted, too"


def test_a_row_that_is_restored_has_its_number_again(audit: Audit, counted: tuple[Ledger, str]) -> None:
    ledger, player = counted
    epoch = ledger.open_epoch(None)
    ledger.record(numbered(player, Number(epoch, 1)))
    with audit.pool.connection() as session:
        session.run("DELETE FROM score_history WHERE user_id = :id", id=player)
    assert ledger.missing(Number(epoch, 1)) == [Gap(epoch, 1, 1)]
    reconciliations = Reconciliations(audit.pool, MAIN.increments)
    with reconciliations.alone() as run_number:
        reconciliations.restore([player], run_number)
    assert ledger.missing(Number(epoch, 1)) == []
