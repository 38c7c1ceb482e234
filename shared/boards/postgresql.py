"""Definitions of boards in PostgreSQL; each change with its audit row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from shared.boards.definition import BoardDefinition, changes_meaning
from shared.boards.entry import Made, PastEntry, parse_places
from shared.core.errors import BoardInUse, UnknownBoard
from shared.ledger.events import Number
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, text_array
from shared.stores.postgresql.statements import statement

Played = Callable[[str], set[str]]


def nobody_plays(_board_id: str) -> set[str]:
    """For a board that is not played on by anybody."""
    return set()


class DefinedBoard(NamedTuple):
    """What a definition came to: the board there is now, and the one there was; None when it is new."""

    definition: BoardDefinition
    before: BoardDefinition | None

    @property
    def is_new(self) -> bool:
        """Whether it made a board."""
        return self.before is None

    @property
    def differences(self) -> dict[str, Any]:
        """`{"from", "to"}` by member, of those that are others than before."""
        was = {} if self.before is None else self.before.as_json()
        now = self.definition.as_json()
        return {name: {"from": was.get(name), "to": now[name]} for name in now if was.get(name) != now[name]}


class Boards:
    """Boards beside the specification's, by their ids (PostgreSQL). What is deleted is not found."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def get(self, board_id: str) -> BoardDefinition:
        """Raises UnknownBoard."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_board"), board_id=board_id)
        if not rows:
            raise UnknownBoard
        return BoardDefinition.from_json(board_id, rows[0][0])

    def list(self) -> list[BoardDefinition]:
        """All of them, in the order of their ids."""
        with self._pool.connection() as session:
            return [BoardDefinition.from_json(*row) for row in session.run(statement("find_boards"))]

    def has_public(self) -> bool:
        """Whether anybody may read one of them."""
        with self._pool.connection() as session:
            [[found]] = session.run(statement("has_public_board"))
        return bool(found)

    def has_entries(self, board_id: str) -> bool:
        """Whether the ledger has any, of a deleted board, too."""
        with self._pool.connection() as session:
            return _has_entries(session, board_id)

    def entries(self, board_id: str, user_id: str, before_id: int, limit: int) -> Sequence[PastEntry]:
        """Entries of a player on a board with ids below `before_id`, newest first."""
        with self._pool.connection() as session:
            rows = session.run(statement("entries_page"), board_id=board_id, user_id=user_id, before_id=before_id, limit=limit)
        return [PastEntry(*row)._replace(places=parse_places(row[5])) for row in rows]

    def metadata_of(self, board_id: str, period: str, season: int, user_ids: Sequence[str]) -> Mapping[str, Made]:
        """By player the metadata of the entry that made the score, with its number, where it has any."""
        with self._pool.connection() as session:
            rows = session.run(
                statement("metadata_of_scores"), board_id=board_id, period=period, season=season, user_ids=text_array(user_ids)
            )
        return {user_id: (Number(epoch, sequence), metadata) for user_id, epoch, sequence, metadata in rows}

    def is_deleted(self, board_id: str) -> bool:
        """Whether there was such a board, and is none now."""
        with self._pool.connection() as session:
            rows = session.run("SELECT deleted_at IS NOT NULL FROM boards WHERE board_id = :board_id", board_id=board_id)
        return bool(rows and rows[0][0])

    def put(self, definition: BoardDefinition, actor: Actor, played: Played = nobody_plays) -> DefinedBoard:
        """Make a board or change it. The id of a deleted one is free again when it has no entries.

        Raises BoardInUse; `played` says in which periods players stand whose entries may not have come to the ledger yet.
        """
        board_id = definition.board_id
        parameters = {"board_id": board_id, "definition": json.dumps(definition.as_json())}
        with self._pool.transaction("put_board") as session:
            rows = (
                []
                if session.run(statement("add_board"), **parameters)
                else session.run(statement("lock_board"), board_id=board_id)
            )
            done = _judged(session, definition, rows, played)
            if rows and done.differences:
                session.run(statement("remake_board" if done.is_new else "change_board"), **parameters)
            if done.differences:
                add_audit_row(session, "board_defined", actor, None, {"board": board_id, **done.differences})
        return done

    def would_put(self, definition: BoardDefinition, played: Played = nobody_plays) -> DefinedBoard:
        """What `put` would do now; raises what that raises."""
        with self._pool.connection() as session:
            rows = session.run(statement("lock_board"), board_id=definition.board_id)
            return _judged(session, definition, rows, played)

    def delete(self, board_id: str, actor: Actor, answer: KeptAnswer | None = None) -> None:
        """Nobody can write to it or read it any more; raises UnknownBoard, and RequestInProgress as `put` does."""
        with self._pool.transaction("delete_board") as session:
            keep_answer(session, answer)
            rows = session.run(statement("lock_board"), board_id=board_id)
            if not rows or rows[0][1]:
                raise UnknownBoard
            session.run(statement("delete_board"), board_id=board_id)
            add_audit_row(session, "board_deleted", actor, None, {"board": board_id})


def _judged(session: Session, definition: BoardDefinition, rows: Sequence[Any], played: Played) -> DefinedBoard:
    """`rows`: the board that is there, and whether it is deleted, or nothing."""
    before = None
    for stored, is_deleted in rows:
        if not is_deleted:
            before = BoardDefinition.from_json(definition.board_id, stored)
            _see_that_meaning_stays(session, before, definition, played)
        elif _has_entries(session, definition.board_id):
            raise BoardInUse(f"`{definition.board_id}` was deleted, and its entries stay. Choose another id.")
    return DefinedBoard(definition, before)


def _has_entries(session: Session, board_id: str) -> bool:
    [[found]] = session.run(statement("has_entries"), board_id=board_id)
    return bool(found)


def _see_that_meaning_stays(session: Session, before: BoardDefinition, after: BoardDefinition, played: Played) -> None:
    changes = changes_meaning(before, after)
    if not changes:
        return
    in_use = {period for [period] in session.run(statement("find_periods_in_use"), board_id=before.board_id)}
    in_use |= played(before.board_id)
    for member, period in changes:
        if period is None and (in_use or _has_entries(session, before.board_id)):
            raise BoardInUse(
                f"`{member}` cannot change any more: entries are there, and would get another meaning. Make another board.",
                member=member,
            )
        if period in in_use:
            raise BoardInUse(
                f"`{member}` cannot change now: entries of seasons that are not closed would get another meaning."
                " Make another board, or change it before the first entry or when every season with entries is closed.",
                member=member,
            )
