"""The dead letters and refused updates: what is known of them, and what operators decide about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.core.errors import PostgresUnavailable
from shared.ledger.dead_letter import PARKED, STATES, WAITING, Choice, DeadLetter, Settled, WholeLetter
from shared.ledger.events import ReceivedMessage, RefusedMessage
from shared.stores.actor import Actor
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, int_array, text_array
from shared.stores.postgresql.statements import statement

MAX_BODY_BYTES = 65_536
MAX_REASON_LENGTH = 500
_FIELDS = 13  # of a DeadLetter, at the beginning of a row


def hold_letters(session: Session, known: Mapping[str, ReceivedMessage]) -> None:
    """Keep operators from discarding these messages until the transaction ends."""
    if known:
        session.run(
            "SELECT id FROM unrecorded_updates WHERE letter_key = ANY(CAST(:keys AS text[])) ORDER BY id FOR UPDATE",
            keys=sorted({*known, *_digests(known)}),
        )


def note_letters(session: Session, refused: Sequence[RefusedMessage]) -> list[RefusedMessage]:
    """Keep messages whole; returns those to be sent on: no copy of a message that was tried more often since, or discarded.

    An update that no row can describe (a zero byte in an id) is kept as a message that cannot be opened, and one whose request id
    another refused update has is told from that by its message.
    """
    if not refused:
        return []
    refused = _told_apart(session, refused)
    letters = {letter.key: letter for letter in refused}
    session.script("SAVEPOINT letters")
    try:
        rows = session.run(statement("note_unrecorded"), letters=json.dumps([_row(letter) for letter in letters.values()]))
    except StatementRejected as error:
        session.script("ROLLBACK TO SAVEPOINT letters")
        if not error.blames_the_row or (len(refused) == 1 and refused[0].event is None):
            raise PostgresUnavailable from error
        apart = [[letter] for letter in refused] if len(refused) > 1 else [[replace(refused[0], event=None)]]
        return [noted for alone in apart for noted in note_letters(session, alone)]
    session.script("RELEASE SAVEPOINT letters")
    current = {key for [key] in rows}
    return [letter for letter in refused if letter.key in current]


def _told_apart(session: Session, refused: Sequence[RefusedMessage]) -> list[RefusedMessage]:
    """Updates whose request ids are known with other numbers: the requests were accepted twice."""
    numbered = [letter.key for letter in refused if letter.event is not None and letter.event.number is not None]
    if not numbered:
        return list(refused)
    known: dict[str, set[tuple[int, int]]] = {}
    for request_id, epoch, sequence in session.run(statement("find_known_numbers"), request_ids=numbered):
        known.setdefault(request_id, set()).add((epoch, sequence))
    return [
        replace(letter, is_second=True)
        if letter.event is not None and letter.key in known and letter.event.number not in {None, *known[letter.key]}
        else letter
        for letter in refused
    ]


def forget_letters(session: Session, known: Mapping[str, ReceivedMessage]) -> None:
    """Those of these request ids that the ledger has now; what could not be opened before, and now was."""
    if known:
        session.run(statement("forget_settled_letters"), ids=None, request_ids=sorted(known), digests=sorted(_digests(known)))


def _digests(known: Mapping[str, ReceivedMessage]) -> set[str]:
    return {message.refused("").digest for message in known.values()}


def _row(letter: RefusedMessage) -> dict[str, Any]:
    event = letter.event
    epoch, sequence = (event and event.number) or (None, None)
    return {
        "request_id": None if letter.is_second else letter.request_id,
        "user_id": None if event is None else event.user_id,
        "increment": None if event is None or event.places else event.increment,  # points of `main` only
        "epoch": epoch,
        "sequence": sequence,
        "accepted_at": None if event is None else int(event.accepted_at.timestamp() * 1000),
        "reason": writable(letter.reason[:MAX_REASON_LENGTH]),
        "body": letter.body[:MAX_BODY_BYTES].hex() if letter.body else None,
        "size": len(letter.body),
        "digest": letter.digest,
        "headers": {name: writable(value) for name, value in letter.trace.items()},
        "attempts": letter.attempts,
        "state": PARKED if letter.is_parked else WAITING,
        "at": None if letter.refused_at is None else letter.refused_at.isoformat(),
    }


def writable(text: str) -> str:
    """As a text of PostgreSQL: without zero bytes."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class DeadLetters:
    """Messages that the ledger did not take, whole (PostgreSQL): dead letters, and updates that wait for another try."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def count(self, states: Sequence[str]) -> int:
        """How many are in these states."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT count(*) FROM unrecorded_updates WHERE state = ANY(CAST(:states AS text[]))", states=text_array(states)
            )
        return int(rows[0][0])

    def page(self, states: Sequence[str], limit: int, after_id: int = 0) -> list[DeadLetter]:
        """Those in these states with ids above `after_id`, oldest first."""
        return self._page(states, None, limit, after_id)

    def named(self, ids: Sequence[int]) -> list[DeadLetter]:
        """Those with these ids, in whatever state; the ledger has what is not there any more."""
        return self._page(STATES, int_array(ids), len(ids), 0)

    def _page(self, states: Sequence[str], ids: str | None, limit: int, after_id: int) -> list[DeadLetter]:
        with self._pool.connection() as session:
            rows = session.run(statement("letters_page"), states=text_array(states), ids=ids, limit=limit, after=after_id)
        return [_letter(row) for row in rows]

    def find(self, name: int | str) -> WholeLetter | None:
        """One of them, in whatever state, by its id or its request id."""
        with self._pool.connection() as session:
            rows = _find(session, name)
        return _whole(rows[0]) if rows else None

    def choose(self, choice: Choice, *, patience_seconds: float) -> list[int]:
        """Ids of the chosen ones that wait or are parked, and of those that were redriven longer than `patience_seconds` ago."""
        with self._pool.connection() as session:
            rows = session.run(
                statement("choose_letters"),
                ids=int_array(choice.ids),
                request_ids=text_array([writable(request_id) for request_id in choice.request_ids]),
                limit=choice.limit,
                patience=patience_seconds,
            )
        return [row[0] for row in rows]

    def redrive(self, ids: Sequence[int], actor: str) -> Settled:
        """Note that they are published again, before they are; those that the ledger has already are forgotten.

        In one transaction, so that no message is neither here nor on its way.
        """
        with self._pool.transaction("redrive_letters") as session:
            recorded = _forget_recorded(session, ids)
            rows = session.run(statement("redrive_letters"), ids=int_array(ids), actor=actor)
        return Settled(sorted(map(_whole, rows), key=lambda whole: whole.letter.id), recorded)

    def park_again(self, ids: Sequence[int]) -> None:
        """They could not be published.

        Those whose outcome is known stay as they are.
        """
        with self._pool.connection() as session:
            session.run(
                "UPDATE unrecorded_updates SET state = 'parked', changed_at = now()"
                " WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'redriven'",
                ids=int_array(ids),
            )

    def overdue(self, retry_delays: Sequence[float], patience_seconds: float, limit: int) -> list[WholeLetter]:
        """Those that should have come back `patience_seconds` ago, to be published again; `retry_delays` are the seconds that a
        message waits after its first, second and third attempt. Those that the ledger has are forgotten.

        Each at most once in the time it may take: they count as published again from here on.
        """
        with self._pool.connection() as session:
            session.run(statement("forget_settled_letters"), ids=None, request_ids=None, digests="{}")
            rows = session.run(
                statement("overdue_letters"),
                delays="{" + ",".join(map(str, retry_delays)) + "}",
                patience=patience_seconds,
                limit=limit,
            )
        return sorted(map(_whole, rows), key=lambda whole: whole.letter.id)

    def discard(self, ids: Sequence[int], why: str, actor: Actor) -> Settled:
        """Take them out of the accepted ones, with an audit row each; those that the ledger has are forgotten.

        Locked first: a batch that is recording one of them has ended then, or finds it discarded.
        """
        with self._pool.transaction("discard_letters") as session:
            session.run(
                "SELECT id FROM unrecorded_updates WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE",
                ids=int_array(ids),
            )
            recorded = _forget_recorded(session, ids)
            rows = session.run(
                statement("discard_letters"),
                ids=int_array(ids),
                why=why,
                actor=actor.name,
                source_ip=actor.source_ip,
                http_request_id=actor.request_id,
            )
            letters = [row for [letter_id] in rows for row in _find(session, letter_id)]
        return Settled([_whole(row) for row in letters], recorded)

    def settle_copies(self, copies: Sequence[RefusedMessage]) -> list[str | None]:
        """Note the parked messages that are not known yet. Returns for each copy the key of the parked message that it is one of,
        or None when the message is not parked any more.

        In one transaction; what is not known yet is noted as parked.
        """
        described = [
            {"digest": copy.digest, "request_id": None if copy.request_id is None else writable(copy.request_id)}
            for copy in copies
        ]
        with self._pool.transaction("settle_copies") as session:
            known = session.run(statement("match_copies"), copies=json.dumps(described))
            unknown = [
                copy
                for copy, (_, state, is_recorded) in zip(copies, known, strict=True)
                if not is_recorded and state in {None, WAITING}
            ]
            noted = {letter.key for letter in note_letters(session, unknown)}
        return [
            key if state == PARKED and not is_recorded else copy.key if copy.key in noted else None
            for copy, (key, state, is_recorded) in zip(copies, known, strict=True)
        ]


def _find(session: Session, name: int | str) -> list[list[Any]]:
    letter_id, request_id = (name, None) if isinstance(name, int) else (None, writable(name))
    return session.run(statement("find_letter"), id=letter_id, request_id=request_id)


def _forget_recorded(session: Session, ids: Sequence[int]) -> list[int]:
    forgotten = session.run(statement("forget_settled_letters"), ids=int_array(ids), request_ids=None, digests="{}")
    return sorted(letter_id for [letter_id] in forgotten)


def _letter(row: Sequence[Any]) -> DeadLetter:
    fields: list[Any] = [value.astimezone(UTC) if isinstance(value, datetime) else value for value in row[:_FIELDS]]
    return DeadLetter(*fields)


def _whole(row: Sequence[Any]) -> WholeLetter:
    headers, body, history, *points = row[_FIELDS:]
    return WholeLetter(_letter(row), headers, None if body is None else bytes(body), history, *map(int, points))
