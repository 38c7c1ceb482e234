"""Decisions of moderators in PostgreSQL: written down and never edited, each with its audit row and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from shared.boards.moderation import MAX_PLAYERS, FoundPlayer, Moderate, ModerationEntry, Players
from shared.core import metrics
from shared.core.errors import AlreadyUndone, TooManyPlayers, UnknownDecision, UnknownUser
from shared.core.ids import new_request_id
from shared.ledger.events import EVERY_BOARD
from shared.stores.actor import Actor
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, text_array
from shared.stores.postgresql.statements import statement

ANSWER_SECONDS = 25.0
MAX_ADDRESSES = 1_000_000
_PATIENCE = f"SET LOCAL statement_timeout = '{ANSWER_SECONDS:g}s'"
_AUDITED = {"hide": "player_hidden", "show": "player_shown", "undo": "moderation_undone"}


class Moderations:
    """By the ids of entries. A board is EVERY_BOARD where a decision is about all."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def page(self, board_id: str, user_id: str, before_id: int, limit: int) -> list[ModerationEntry]:
        """Decisions about a board, those about every board among them, and about a player, "" for any; newest first. For
        EVERY_BOARD those about all boards together, and each by itself.
        """
        with self._pool.connection() as session:
            rows = session.run(
                statement("moderation_page"), board_id=_stored(board_id), user_id=user_id, before_id=before_id, limit=limit
            )
        return [ModerationEntry(*row) for row in rows]

    def hidden_on(self, user_id: str) -> list[str]:
        """Where a player is hidden by a decision that holds."""
        with self._pool.connection() as session:
            rows = session.run("SELECT board_id FROM hidden_players WHERE user_id = :user_id ORDER BY board_id", user_id=user_id)
        return [board_id or EVERY_BOARD for [board_id] in rows]

    def entry(self, board_id: str, entry_id: int) -> ModerationEntry:
        """A decision about this very board; raises UnknownDecision."""
        with self._pool.connection() as session:
            return _entry(session, board_id, entry_id)

    def decide(
        self,
        command: Moderate,
        user_ids: Sequence[str],
        actor: Actor,
        answer: Callable[[Sequence[ModerationEntry], set[str]], KeptAnswer | None],
    ) -> tuple[list[ModerationEntry], set[str]]:
        """Write down a decision about each of the players; returns the entries, and whose places are others since.

        `answer` makes of both what is kept. Closed seasons of these players are to be closed once more. Who decides about the
        same player at the same time waits. Raises UnknownUser, AlreadyUndone, and RequestInProgress where there is an answer.
        """
        with self._pool.transaction("moderate", ANSWER_SECONDS) as session:
            session.script(_PATIENCE)
            found = session.run(statement("lock_users"), user_ids=json.dumps(list(user_ids)))
            if len(found) < len(set(user_ids)):
                raise UnknownUser
            if command.entry_id and _entry(session, command.board_id, command.entry_id).undone_by is not None:
                raise AlreadyUndone
            entries = _add(session, command, user_ids, actor)
            where = {"user_ids": text_array(list(user_ids)), "board_id": _stored(command.board_id)}
            changed = {user_id for [user_id] in session.run(statement("settle_hidden_players"), **where)}
            if changed:
                where["user_ids"] = text_array(sorted(changed))
                session.run(statement("reopen_seasons_of"), **where)
            keep_answer(session, answer(entries, changed))
        return entries, changed

    def find(self, command: Moderate, players: Players) -> list[FoundPlayer]:
        """Those of the players for whom the decision would change something, in the order of their ids; raises TooManyPlayers."""
        return self._find(players, _stored(command.board_id), hides=command.action == "hide")

    def among(self, players: Players) -> list[str]:
        """All of the players; raises TooManyPlayers."""
        return [found.user_id for found in self._find(players, "", hides=None)]

    def _find(self, players: Players, board_id: str, *, hides: bool | None) -> list[FoundPlayer]:
        user_ids = None if players.is_simulated else players.user_ids or self._from(players)
        with self._pool.transaction("find_players", ANSWER_SECONDS) as session:
            session.script(_PATIENCE)
            rows = session.run(
                statement("players_to_moderate"),
                board_id=board_id,
                user_ids=None if user_ids is None else json.dumps(list(user_ids)),
                hides=hides,
                limit=MAX_PLAYERS + 1,
            )
        if len(rows) > MAX_PLAYERS:
            raise TooManyPlayers
        return [FoundPlayer(*row) for row in rows]

    def _from(self, players: Players) -> list[str]:
        """Who came from a network."""
        instants = {
            name: None if at is None else at.isoformat() for name, at in (("since", players.since), ("until", players.until))
        }
        with self._pool.transaction("find_players", ANSWER_SECONDS) as session:
            session.script(_PATIENCE)
            rows = session.run(statement("addresses_of_players"), **instants, limit=MAX_ADDRESSES + 1)
        if len(rows) > MAX_ADDRESSES:
            raise TooManyPlayers("Too many players came within this time. Send `since` and `until`, closer together.")
        return sorted({user_id for user_id, source_ip in rows if players.has(source_ip)})


def _stored(board_id: str) -> str:
    return "" if board_id == EVERY_BOARD else board_id


def _entry(session: Session, board_id: str, entry_id: int) -> ModerationEntry:
    rows = session.run(statement("find_moderation_entry"), id=entry_id)
    if not rows or rows[0][1] != board_id:
        raise UnknownDecision
    return ModerationEntry(*rows[0])


def _add(session: Session, command: Moderate, user_ids: Sequence[str], actor: Actor) -> list[ModerationEntry]:
    rows = session.run(
        statement("add_moderation_entries"),
        request_ids=text_array([new_request_id() for _ in user_ids]),
        user_ids=text_array(list(user_ids)),
        board_id=_stored(command.board_id),
        action=command.action,
        reason=command.reason,
        moderator=actor.name,
        audited=_AUDITED[command.action],
        source_ip=actor.source_ip,
        request_id=actor.request_id,
        undoes=command.entry_id,
    )
    metrics.rows_inserted.of("audit_log").inc(len(rows))
    return [
        ModerationEntry(
            entry_id,
            command.board_id,
            user_id,
            command.action,
            command.reason,
            actor.name,
            moderated_at,
            undoes=command.entry_id or None,
        )
        for entry_id, user_id, moderated_at in rows
    ]
