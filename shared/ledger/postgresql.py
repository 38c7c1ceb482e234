"""The history of record: score_history, score_totals and audit_log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.core import metrics
from shared.core.errors import PostgresUnavailable
from shared.core.ids import new_request_id
from shared.core.logs import get_logger
from shared.core.redis_shards import FIRST
from shared.ledger.archive_postgresql import find_old_updates
from shared.ledger.balance import Gap
from shared.ledger.events import (
    UNKNOWN_BOARD,
    UNKNOWN_USER,
    Acceptance,
    FirstResult,
    HistoryEntry,
    Number,
    ReceivedMessage,
    RecordedBatch,
    RefusedMessage,
    ScoreAccepted,
    asked_text,
)
from shared.ledger.letters_postgresql import forget_letters, hold_letters, note_letters
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, int_array, text_array
from shared.stores.postgresql.statements import statement

A_DAY = timedelta(hours=24)
NEVER_ARCHIVED = timedelta(days=28)  # what is younger stands in score_history, whatever HISTORY_MONTHS says
_log = get_logger(__name__)
PAGE = 5000
MAX_GAPS = 1000
IN_FILES = (
    "it was accepted before {:%Y-%m-%d %H:%M}, and what was recorded before is in files alone, this update perhaps among them"
)
MISSING_SECONDS = 120.0
NO_MESSAGES: Mapping[str, ReceivedMessage] = MappingProxyType({})
Write = Callable[[Session, Sequence[ScoreAccepted]], RecordedBatch]


def record_keys(session: Session, events: Sequence[ScoreAccepted]) -> list[ScoreAccepted]:
    """Write down the idempotency keys of a batch; returns the events that are to be recorded.

    An event whose key another update has within a day is left out when it counts already.
    """
    keyed = {event.key_id: event for event in reversed(events) if event.key_id}
    if not keyed:
        return list(events)
    # What was redriven or kept waiting for long may meet what its key was used for on another day.
    other_days = [event for event in events if event.key_id and abs(event.accepted_at - keyed[event.key_id].accepted_at) >= A_DAY]
    events = [event for event in events if event not in other_days] if other_days else events
    first = list(keyed.values())
    rows = session.run(
        statement("record_keys"),
        key_ids=text_array([event.key_id for event in first]),
        request_ids=text_array([event.request_id for event in first]),
        user_ids=text_array([event.user_id for event in first]),
        increments=int_array([event.increment for event in first]),
        new_scores=int_array([event.new_score for event in first]),
        ranks=int_array([event.rank for event in first]),
        accepted_ats=int_array([int(event.accepted_at.timestamp() * 1000) for event in first]),
        epochs=int_array([event.number.epoch if event.number else 0 for event in first]),
        sequences=int_array([event.number.sequence if event.number else 0 for event in first]),
        asked=text_array([asked_text(event.increment, event.second, event.metadata) if event.places else "" for event in first]),
        places=text_array([event.places for event in first]),
    )
    others = {request_id: _number(epoch, sequence) for request_id, epoch, sequence in rows}
    others |= {
        event.request_id: keyed[event.key_id].number
        for event in events
        if event.key_id and keyed[event.key_id].request_id != event.request_id
    }
    counted = [event for event in events if event.request_id not in others or _counts(session, event, others[event.request_id])]
    return counted + record_keys(session, other_days)


def accepted_again(session: Session, events: Mapping[str, ScoreAccepted], request_ids: Collection[str]) -> list[ScoreAccepted]:
    """Of events whose request ids the ledger has, those that are to be recorded all the same, under request ids of their own.

    The others are second copies of what the ledger has, or count already.
    """
    numbered = {request_id: number for request_id in request_ids if (number := events[request_id].number) is not None}
    if not numbered:
        return []
    rows = session.run(
        statement("find_recorded_numbers"),
        request_ids=text_array(list(numbered)),
        epochs=int_array([number.epoch for number in numbered.values()]),
        sequences=int_array([number.sequence for number in numbered.values()]),
    )
    known = {request_id: _number(epoch, sequence) for request_id, epoch, sequence in rows}
    recorded = set(known.values())
    for request_id, number in numbered.items():
        if known.get(request_id, number) is None and number not in recorded:
            _note_number(session, events[request_id], number)
    return [
        events[request_id]._replace(request_id=new_request_id(), key_id="")
        for request_id, number in numbered.items()
        if number not in recorded and _counts(session, events[request_id], known.get(request_id))
    ]


def _counts(session: Session, event: ScoreAccepted, first: Number | None) -> bool:
    """Whether a second acceptance counts: both are on the board when both were numbered in one epoch.

    Otherwise Redis had lost the first one before it accepted the second: the board has the points once, and so has the ledger.
    """
    if event.number is None or first is None or event.number == first:
        return False
    counts = event.number.epoch == first.epoch
    if not counts:
        session.run(
            statement("note_repeated"),
            request_id=event.request_id,
            user_id=event.user_id,
            source_ip=event.source_ip,
            increment=event.increment,
            epoch=event.number.epoch,
            sequence=event.number.sequence,
            first_epoch=first.epoch,
            first_sequence=first.sequence,
            accepted_at=int(event.accepted_at.timestamp() * 1000),
        )
    metrics.updates_repeated.of("true" if counts else "false").inc()
    told = {"update": event.request_id, "user_id": event.user_id, "number": event.number, "first": first, "counts": counts}
    _log.warning("an update was accepted twice", extra=told)
    return counts


def _note_number(session: Session, event: ScoreAccepted, number: Number) -> None:
    """Of an update that a version without numbers has recorded: the row stays as it is."""
    session.run(
        statement("note_number"),
        request_id=event.request_id,
        user_id=event.user_id,
        increment=event.increment,
        epoch=number.epoch,
        sequence=number.sequence,
        accepted_at=int(event.accepted_at.timestamp() * 1000),
    )


def _number(epoch: int | None, sequence: int | None) -> Number | None:
    return None if epoch is None or sequence is None else Number(epoch, sequence)


class Ledger:
    """The history of record (PostgreSQL). `shard` is the one whose epochs are given out, and whose numbers are looked for."""

    def __init__(self, pool: Pool, shard: str = FIRST) -> None:
        self._pool = pool
        self.shard = shard

    def record(
        self,
        events: Sequence[ScoreAccepted],
        marker_ids: Sequence[str] = (),
        *,
        messages: Mapping[str, ReceivedMessage] = NO_MESSAGES,
        unreadable: Sequence[RefusedMessage] = (),
    ) -> RecordedBatch:
        """Write events, running totals, audit rows and markers in one transaction; request ids it has are ignored.

        An event that is refused for its own sake takes nothing else down: the message it came in, of `messages` by request id, is
        kept whole until it is recorded, and so are those that are `unreadable`. What an operator discarded is not recorded.

        One transaction and one statement for any number of events, in the order of user ids so that nobody deadlocks.

        When the statement is refused for an event's sake, the batch is halved until that event stands alone.
        """
        ordered = sorted(events, key=lambda event: event.user_id)

        def record(session: Session, by: Write) -> RecordedBatch:
            known = {request_id: message for request_id, message in messages.items() if message.is_known}
            hold_letters(session, known)
            batch = _record(session, ordered, by)
            forget_letters(session, known)
            letters = note_letters(session, [*_refused(events, batch, messages), *unreadable])
            for marker_id in marker_ids:
                session.run(
                    "INSERT INTO ledger_markers (marker_id) VALUES (:marker_id) ON CONFLICT DO NOTHING", marker_id=marker_id
                )
            return replace(batch, letters=letters)

        try:
            with self._pool.transaction("record_updates") as session:
                batch = record(session, _record_together)
        except StatementRejected as error:
            if not error.blames_the_row:
                raise PostgresUnavailable from error
            with self._pool.transaction("record_updates_apart") as session:
                batch = record(session, _record_apart)
        new = {"score_history": batch.new - batch.entries, "score_entries": batch.entries, "audit_log": batch.new}
        for table, rows in new.items():
            metrics.rows_inserted.of(table).inc(rows)
        return batch

    def recorded(self, request_id: str) -> HistoryEntry | None:
        """What the ledger has of a request id."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT id, request_id, user_id, increment, new_score, created_at FROM kept_history"
                " WHERE request_id = :request_id",
                request_id=request_id,
            )
        return _entry(rows[0]) if rows else None

    def has_accepted(self, request_id: str) -> bool:
        """Whether an update of this request id reached the ledger, which recorded or refused it."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT EXISTS (SELECT FROM kept_history WHERE request_id = :request_id)"
                " OR EXISTS (SELECT FROM score_entries WHERE request_id = :request_id)"
                " OR EXISTS (SELECT FROM unrecorded_updates WHERE request_id = :request_id)",
                request_id=request_id,
            )
        return bool(rows[0][0])

    def first_result(self, key_id: str) -> FirstResult | None:
        """What an idempotency key was answered first in the last 24 hours."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_first_result"), key_id=key_id)
        return FirstResult(*rows[0]) if rows else None

    def first_results(self, board_id: str = "") -> Iterator[list[FirstResult]]:
        """Of the last 24 hours, in pages: in a further shard those of its boards, with a `board_id` those of that board; of
        entries that are not recorded, too.
        """
        after, name, of = "", "first_results_page", {}
        if board_id or self.shard != FIRST:
            name, of = "board_results_page", {"board_id": board_id, "shard": self.shard}
        while True:
            with self._pool.connection(MISSING_SECONDS) as session:
                rows = session.run(statement(name), **of, after=after, page=PAGE)
            if not rows:
                return
            yield [FirstResult(*row) for row in rows]
            after = rows[-1][0]

    def knows_all_keys(self) -> bool:
        """False for a day after the upgrade from a version that did not write them down: then `first_results` lacks some.

        True where no such version has ever recorded an update.
        """
        with self._pool.connection(MISSING_SECONDS) as session:
            rows = session.run(statement("knows_all_keys"))
        return bool(rows[0][0])

    def forget_keys(self, limit: int) -> int:
        """Drop up to `limit` idempotency keys whose day is over; returns how many."""
        with self._pool.connection() as session:
            [[forgotten]] = session.run(statement("forget_keys"), limit=limit)
        return int(forgotten)

    def accepted_since(self, since: datetime) -> dict[str, list[Acceptance]]:
        """By player, the updates that were accepted since then: recorded, refused, or noted as repeated; by `<user id>
        <board id>` the entries on a board that an operator defined.

        From the newest rows, and what was not recorded. Rows that came late stand behind older ones: two such pages end it.
        """
        found: dict[str, list[Acceptance]] = {}
        for recent in ("recent_updates_page", "recent_entries_page"):
            before, past = 2**62, 0
            while past < 2:
                with self._pool.connection(MISSING_SECONDS) as session:
                    rows = session.run(statement(recent), before_id=before, page=PAGE)
                past += 1
                for _, name, instant, request_id in rows:
                    if instant >= since.timestamp() * 1000 and name is not None:
                        found.setdefault(name, []).append(Acceptance(instant, request_id))
                        past = 0
                if len(rows) < PAGE:
                    break
                before = rows[-1][0]
        with self._pool.connection(MISSING_SECONDS) as session:
            unrecorded = session.run(statement("accepted_unrecorded"), since=int(since.timestamp() * 1000))
        for user_id, instant, request_id in unrecorded:
            found.setdefault(user_id, []).append(Acceptance(instant, request_id))
        return found

    def history(self, user_id: str, limit: int, before_id: int | None) -> list[HistoryEntry]:
        """Entries of one player, newest first, with ids below `before_id`; those of months in files alone are left out."""
        rows: list[list[Any]] = []
        before = before_id if before_id is not None else 2**62
        with self._pool.connection() as session:
            for name in ("history_page", "archived_history_page"):
                rows += session.run(statement(name), user_id=user_id, before_id=before, limit=limit - len(rows))
                if len(rows) == limit:
                    break
        return [_entry(row) for row in rows]

    def totals(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Running totals of these players; those without one are absent."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT user_id, total FROM score_totals WHERE user_id = ANY(CAST(:user_ids AS text[]))",
                user_ids=list(user_ids),
            )
        return {row[0]: int(row[1]) for row in rows}

    def audit(
        self,
        action: str,
        *,
        actor: str,
        user_id: str | None,
        detail: Mapping[str, Any],
        source_ip: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Write one row of audit_log."""
        with self._pool.connection() as session:
            add_audit_row(session, action, Actor(actor, source_ip, request_id), user_id, detail)

    def passed_markers(self, marker_ids: Sequence[str]) -> bool:
        """Whether the consumers have committed all of these different markers."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT count(*) FROM ledger_markers WHERE marker_id = ANY(CAST(:marker_ids AS text[]))",
                marker_ids=list(marker_ids),
            )
        return int(rows[0][0]) == len(marker_ids)

    def open_epoch(self, newest: Number | None) -> int:
        """Give out an epoch above all others; `newest` is how far Redis had counted, None where it does not know.

        One row; tried again when another process took the same epoch.
        """
        epoch, sequence = newest or (None, None)
        while True:
            with self._pool.connection() as session:
                rows = session.run(statement("open_epoch"), shard=self.shard, epoch=epoch, sequence=sequence)
            if rows:
                return int(rows[0][0])

    def count_lost(self, before: int) -> dict[int, int]:
        """Give up numbers of epochs before this one that Redis lost again and that never arrived; answer how many of each epoch.

        Called when everything that was published in those epochs is recorded or noted as refused.

        From each epoch once; one that arrives later all the same is recorded.
        """
        with self._pool.connection(MISSING_SECONDS) as session:
            rows = session.run(statement("count_lost"), shard=self.shard, epoch=before)
        return {int(epoch): int(lost) for epoch, lost in rows if lost}

    def lost(self) -> int:
        """How many numbers were given up."""
        with self._pool.connection() as session:
            [[lost]] = session.run(
                "SELECT coalesce(sum(coalesce(lost, 0) + given_up), 0) FROM number_epochs WHERE board = :shard", shard=self.shard
            )
        return int(lost)

    def missing(self, up_to: Number, *, on_board: bool = False) -> list[Gap]:
        """Numbers of the shard up to this one that are neither recorded nor noted as refused, as gaps in their order, at most
        1,000 an epoch.

        `on_board`: only those whose points may be on the board, which does not have what Redis lost.

        From each epoch that is not settled, whose settled number is noted then: the next look begins there.
        """
        found: list[Gap] = []
        with self._pool.connection(MISSING_SECONDS) as session:
            for epoch, settled, last in session.run(
                statement("unsettled_epochs"),
                shard=self.shard,
                epoch=up_to.epoch,
                sequence=up_to.sequence,
                on_board=on_board,
            ):
                gaps = session.run(statement("missing_numbers"), epoch=epoch, after=settled, last=last, limit=MAX_GAPS)
                found += [Gap(epoch, first, final) for first, final in gaps]
                reached = gaps[0][0] - 1 if gaps else last
                if reached > settled:
                    session.run(
                        "UPDATE number_epochs SET settled = greatest(settled, CAST(:settled AS bigint)) WHERE epoch = :epoch",
                        settled=reached,
                        epoch=epoch,
                    )
        return found


def _record(session: Session, events: Sequence[ScoreAccepted], by: Write) -> RecordedBatch:
    """With their idempotency keys; what was accepted twice counts as often as it is on the board."""
    events, old = _without_archived(session, events)
    batch = by(session, record_keys(session, events))
    batch = replace(batch, refused={**batch.refused, **old.refused}, known=[*batch.known, *old.known])
    events = [*events, *old.events]
    if batch.known:
        again = accepted_again(session, {event.request_id: event for event in events}, batch.known)
        second = by(session, again)
        original = {event.number: event.request_id for event in events}
        refused = {
            original[event.number]: second.refused[event.request_id] for event in again if event.request_id in second.refused
        }
        batch = replace(batch, new=batch.new + second.new, entries=batch.entries + second.entries, second=refused)
    return batch


class _Archived(NamedTuple):
    """Of a batch what is not to be recorded as it stands: `known` are request ids that the archive has."""

    events: Sequence[ScoreAccepted] = ()
    known: Sequence[str] = ()
    refused: Mapping[str, str] = MappingProxyType({})


def _without_archived(session: Session, events: Sequence[ScoreAccepted]) -> tuple[Sequence[ScoreAccepted], _Archived]:
    """The events that score_history knows, if the ledger has them; and those for which the archive was asked.

    That is what was redriven, or came out of a broker's backup, after weeks. Entries of other boards are never archived.
    """
    horizon = datetime.now(UTC) - NEVER_ARCHIVED
    if all(event.accepted_at >= horizon or event.places for event in events):
        return events, _Archived()
    old = {event.request_id: event for event in events if event.accepted_at < horizon and not event.places}
    found = find_old_updates(session, old)
    until = found.lost_sight_of_until
    refused = {
        request_id: IN_FILES.format(until)
        for request_id, event in old.items()
        if until is not None and event.accepted_at < until and request_id not in found.known
    }
    aside = {*found.known, *refused}
    return (
        [event for event in events if event.request_id not in aside],
        _Archived([event for event in old.values() if event.request_id in aside], found.known, refused),
    )


def _record_together(session: Session, events: Sequence[ScoreAccepted]) -> RecordedBatch:
    if not events:
        return RecordedBatch(0)
    if any(event.places for event in events):
        main = _record_together(session, [event for event in events if not event.places])
        others = _record_entries(session, [event for event in events if event.places])
        return RecordedBatch(
            main.new + others.new, {**main.refused, **others.refused}, [*main.known, *others.known], entries=others.new
        )
    rows = session.run(
        statement("record_updates"),
        request_ids=text_array([event.request_id for event in events]),
        user_ids=text_array([event.user_id for event in events]),
        increments=int_array([event.increment for event in events]),
        new_scores=int_array([event.new_score for event in events]),
        accepted_ats=int_array([int(event.accepted_at.timestamp() * 1000) for event in events]),
        source_ips=text_array([event.source_ip for event in events]),
        epochs=int_array([event.number.epoch if event.number else 0 for event in events]),
        sequences=int_array([event.number.sequence if event.number else 0 for event in events]),
    )
    new, unknown, known = rows[0]
    return RecordedBatch(int(new), dict.fromkeys(unknown, UNKNOWN_USER), known)


def _record_entries(session: Session, events: Sequence[ScoreAccepted]) -> RecordedBatch:
    numbers = [event.number or Number(0, 0) for event in events]
    [[new, unknown_users, unknown_boards, known, late]] = session.run(
        statement("record_entries"),
        request_ids=text_array([event.request_id for event in events]),
        board_ids=text_array([event.board_id for event in events]),
        user_ids=text_array([event.user_id for event in events]),
        values=int_array([event.increment for event in events]),
        seconds=int_array([event.second for event in events]),
        metadata=text_array([event.metadata for event in events]),
        places=text_array([event.places for event in events]),
        accepted_ats=int_array([int(event.accepted_at.timestamp() * 1000) for event in events]),
        source_ips=text_array([event.source_ip for event in events]),
        writers=text_array([event.writer for event in events]),
        epochs=int_array([number.epoch for number in numbers]),
        sequences=int_array([number.sequence for number in numbers]),
    )
    for (board_id, user_id, operator, sign), standings in groupby(late, lambda standing: standing[:4]):
        *_, periods, seasons = zip(*standings, strict=True)
        session.run(
            statement("count_standings"),
            board_id=board_id,
            user_id=user_id,
            operator=operator,
            periods=text_array(list(periods)),
            seasons=int_array(list(seasons)),
            sign=sign,
        )
    refused = dict.fromkeys(unknown_users, UNKNOWN_USER) | dict.fromkeys(unknown_boards, UNKNOWN_BOARD)
    return RecordedBatch(int(new), refused, known, entries=int(new))


def _record_apart(session: Session, events: Sequence[ScoreAccepted]) -> RecordedBatch:
    """Behind a savepoint each, the events that can be written and those that cannot."""
    session.script("SAVEPOINT part")
    try:
        batch = _record_together(session, events)
    except StatementRejected as error:
        session.script("ROLLBACK TO SAVEPOINT part")
        if not error.blames_the_row:
            raise PostgresUnavailable from error
        if len(events) == 1:
            return RecordedBatch(0, {events[0].request_id: str(error)})
    else:
        session.script("RELEASE SAVEPOINT part")
        return batch
    middle = len(events) // 2
    first, second = _record_apart(session, events[:middle]), _record_apart(session, events[middle:])
    entries = first.entries + second.entries
    return RecordedBatch(
        first.new + second.new, {**first.refused, **second.refused}, [*first.known, *second.known], entries=entries
    )


def _refused(
    events: Sequence[ScoreAccepted], batch: RecordedBatch, messages: Mapping[str, ReceivedMessage]
) -> Iterator[RefusedMessage]:
    for event in events:
        reason = batch.refused.get(event.request_id) or batch.second.get(event.request_id)
        if reason is not None:
            refused = messages.get(event.request_id, ReceivedMessage(b"")).refused(reason, event)
            yield replace(refused, is_second=event.request_id in batch.second)


def _entry(row: Sequence[Any]) -> HistoryEntry:
    return HistoryEntry(row[0], row[1], row[2], row[3], row[4], row[5].replace(tzinfo=UTC))
