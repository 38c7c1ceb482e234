"""Messages that the ledger does not take, written in the transaction of the batch they came in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.core.errors import PostgresUnavailable
from shared.ledger.dead_letter import PARKED, WAITING
from shared.ledger.events import ReceivedMessage, RefusedMessage
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

MAX_BODY_BYTES = 65_536
MAX_REASON_LENGTH = 500


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
        session.run(statement("forget_unrecorded"), ids=None, request_ids=sorted(known), digests=sorted(_digests(known)))


def _digests(known: Mapping[str, ReceivedMessage]) -> set[str]:
    return {message.refused("").digest for message in known.values()}


def _row(letter: RefusedMessage) -> dict[str, Any]:
    event = letter.event
    epoch, sequence = (event and event.number) or (None, None)
    return {
        "request_id": None if letter.is_second else letter.request_id,
        "user_id": None if event is None else event.user_id,
        "increment": None if event is None else event.increment,
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
