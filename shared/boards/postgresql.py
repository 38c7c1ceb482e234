"""Definitions of boards in PostgreSQL; each change with its audit row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared.boards.definition import BoardDefinition, changes_meaning
from shared.boards.entry import Made, PastEntry, parse_places
from shared.core.errors import BoardBusy, BoardElsewhere, BoardInUse, UnknownBoard
from shared.core.redis_shards import FIRST
from shared.ledger.events import Number
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.leases import Leases, LeaseTaken, is_held
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, text_array
from shared.stores.postgresql.statements import statement


class Turn(NamedTuple):
    """A lease to move a board, and its fencing number."""

    lease: str
    fencing: int

    def lasts(self, session: Session) -> bool:
        """Whether nobody has followed; in a transaction it stays so until the end."""
        return is_held(session, self.lease, self.fencing)


Played = Callable[[str], set[str]]


def nobody_plays(_board_id: str) -> set[str]:
    """For a board that is not played on by anybody."""
    return set()


class PlacedBoard(NamedTuple):
    """A board, the shard that it is in, and the one that it is on its way to: None while it stays."""

    definition: BoardDefinition
    shard: str
    moving_to: str | None


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
    """Boards beside the specification's, by their ids (PostgreSQL). What is deleted is not found.

    `shard` is the one whose boards are listed, and in which new ones are made.
    """

    def __init__(self, pool: Pool, shard: str = FIRST) -> None:
        self._pool = pool
        self._shard = shard

    def get(self, board_id: str) -> BoardDefinition:
        """In whichever shard; raises UnknownBoard."""
        return self.placed(board_id).definition

    def here(self, board_id: str) -> BoardDefinition:
        """One that is in this shard and stays; raises UnknownBoard and BoardElsewhere."""
        found = self.placed(board_id)
        if not self.holds(found):
            raise BoardElsewhere
        return found.definition

    def holds(self, placed: PlacedBoard) -> bool:
        """Whether a board is in this shard and stays."""
        return placed.shard == self._shard and placed.moving_to is None

    def placed(self, board_id: str) -> PlacedBoard:
        """With the shard that it is in; raises UnknownBoard."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_board"), board_id=board_id)
        if not rows:
            raise UnknownBoard
        [[definition, shard, moving_to]] = rows
        return PlacedBoard(BoardDefinition.from_json(board_id, definition), shard, moving_to)

    def list(self) -> list[BoardDefinition]:
        """All that are in this shard and stay, in the order of their ids."""
        with self._pool.connection() as session:
            return [BoardDefinition.from_json(*row) for row in session.run(statement("find_boards"), shard=self._shard)]

    def places(self) -> dict[str, PlacedBoard]:
        """All boards of all shards, in the order of their ids."""
        with self._pool.connection() as session:
            rows = session.run(
                'SELECT board_id, definition, shard, moving_to FROM boards WHERE deleted_at IS NULL ORDER BY board_id COLLATE "C"'
            )
        return {row[0]: PlacedBoard(BoardDefinition.from_json(row[0], row[1]), row[2], row[3]) for row in rows}

    def moving(self) -> Sequence[tuple[str, str]]:
        """Ids of boards that are on their way, each with the shard that it goes to."""
        with self._pool.connection() as session:
            rows = session.run("SELECT board_id, moving_to FROM boards WHERE moving_to IS NOT NULL AND deleted_at IS NULL")
        return [(board_id, shard) for board_id, shard in rows]

    def begin_move(self, board_id: str, shard: str) -> PlacedBoard:
        """Have a board be on its way to a shard: nobody enters until it is there. Raises UnknownBoard."""
        with self._pool.connection() as session:
            rows = session.run(statement("begin_move"), board_id=board_id, shard=shard)
        if not rows:
            raise UnknownBoard
        [[before, definition]] = rows
        return PlacedBoard(BoardDefinition.from_json(board_id, definition), before, shard)

    def finish_move(self, board_id: str, before: str, shard: str, actor: Actor, turn: Turn) -> bool:
        """It has come to the shard from the one `before`; False when it is not on its way there any more, or the turn is over."""
        with self._pool.transaction("finish_move") as session:
            if not turn.lasts(session) or not session.run(statement("finish_move"), board_id=board_id, shard=shard):
                return False
            add_audit_row(session, "board_moved", actor, None, {"board": board_id, "from": before, "to": shard})
        return True

    def lasts(self, turn: Turn) -> bool:
        """Whether nobody else may move the board by now."""
        with self._pool.transaction("see_turn") as session:
            return turn.lasts(session)

    @contextmanager
    def turn_to_move(self, board_id: str) -> Iterator[Turn]:
        """One at a time moves a board; raises BoardBusy. A process that dies keeps others away for half a minute."""
        name = f"move:{board_id}"
        try:
            with Leases(self._pool).held(name) as fencing:
                yield Turn(name, fencing)
        except LeaseTaken:
            raise BoardBusy from None

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
        placed = {**parameters, "shard": self._shard}
        with self._pool.transaction("put_board") as session:
            rows = (
                [] if session.run(statement("add_board"), **placed) else session.run(statement("lock_board"), board_id=board_id)
            )
            done = _judged(session, definition, rows, played)
            if rows and done.is_new:
                session.run(statement("remake_board"), **placed)
            elif rows and done.differences:
                session.run(statement("change_board"), **parameters)
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
