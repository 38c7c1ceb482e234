"""Entries on the boards that operators defined: the script that accepts them (Redis)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import redis

from shared.accounts.session import Missing
from shared.boards.acceptance_redis import RESULT_SECONDS, SPENT_BEFORE_MS, SPENT_MARGIN_MS, Acceptances, Now, milliseconds
from shared.boards.entry import AcceptedEntry, BoardMoved, ScoreEntry, parse_places
from shared.boards.places_redis import Verb, place_members
from shared.boards.season import BoardState
from shared.core.errors import BoardScoreOutOfBounds, LeaderboardRebuilding, ScoreboardError
from shared.ledger.events import Number
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.replicas import Replicas
from shared.stores.redis.scripts import run_script, run_scripts

WINDOW_SECONDS = 60
MAX_PREPARED = 1000


_QUESTIONS = {b"epoch": Missing.EPOCH, b"history": Missing.HISTORY}
Outcome = AcceptedEntry | Missing | BoardMoved | ScoreboardError


class _Prepared(NamedTuple):
    """What goes with every entry on a board while it stays as it is."""

    state: BoardState
    rules: tuple[str | int, ...]
    board: str
    season_keys: tuple[str, ...]
    seasons: tuple[str | int, ...]


class Entries(Acceptances):
    """`keys` are those of `main`, which has the marks of the shard; `now` and `replicas` as in Leaderboard."""

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        *,
        now: Now | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        super().__init__(client, keys, shard, WINDOW_SECONDS, now, replicas)
        self._shared_keys = (
            keys.whole,
            keys.numbers,
            shard.outbox,
            shard.rate_windows,
            shard.ended_sessions,
            shard.results,
        )
        self._prepared_boards: dict[str, _Prepared] = {}

    @translated()
    def add(self, entries: Sequence[tuple[ScoreEntry, bool]], state: BoardState) -> list[Outcome]:
        """Add entries on one board, each by itself in one atomic script: session, account, API key or server key, rate window,
        replay, every period, number, outbox. They go in their order and in one round trip; with each goes whether it is known not
        to be in the ledger.

        What is missing must be given, then it is tried again. Refusals, in the place of their answers, are those of
        Leaderboard.apply, NoOpenSeason, InvalidServerKey and NotItsBoard.
        """
        prepared = self._prepared(state)
        calls = [self._call(entry, prepared, not_in_ledger=not_in_ledger) for entry, not_in_ledger in entries]
        found: list[Outcome] = []
        for (entry, _), answer in zip(entries, run_scripts(self._redis, "add_entry", calls), strict=True):
            try:
                found.append(self._outcome(entry, state.definition.updates_per_minute, answer))
            except ScoreboardError as error:
                found.append(error)
        return found

    @translated()
    def reserve_ticket(self, entry: ScoreEntry, *, not_in_ledger: bool = False) -> bool | Missing:
        """Whether the ticket of an entry may be spent on its board, which is in another shard: from now on nowhere else.

        What is missing must be given (open an epoch, or say that the ledger lacks the request id), then it is tried again.
        Raises LeaderboardRebuilding while it is not known what was spent.
        """
        if entry.ticket_expires_at is None:
            return True
        known_until = milliseconds(entry.ticket_expires_at) + SPENT_MARGIN_MS
        spent = self._shard.user(entry.user_id).spent_tickets
        keys = (spent, self._shard.rate_windows, self._keys.whole, self._keys.numbers)
        given = (SPENT_BEFORE_MS, "1" if not_in_ledger else "", "" if self._now is None else self._milliseconds())
        arguments = (entry.request_id, entry.board_id, known_until, entry.user_id, *given)
        outcome = run_script(self._redis, "reserve_ticket", keys, arguments)
        if outcome in _QUESTIONS:
            return _QUESTIONS[outcome]
        if outcome not in (b"ok", b"spent"):
            raise LeaderboardRebuilding
        return bool(outcome == b"ok")

    def _prepared(self, state: BoardState) -> _Prepared:
        board = state.definition
        known = self._prepared_boards.get(board.board_id)
        if known is not None and known.state is state:
            return known
        if len(self._prepared_boards) >= MAX_PREPARED:  # of boards that may be deleted by now
            self._prepared_boards.clear()
        keys, open_seasons = self._shard.defined(board.board_id), state.open_seasons
        made = self._prepared_boards[board.board_id] = _Prepared(
            state,
            (
                state.version,
                state.until,
                board.operator,
                board.order,
                "1" if board.has_second else "",
                "1" if board.ties == "shared" else "",
                board.updates_per_minute,
                WINDOW_SECONDS * 1000,
                RESULT_SECONDS * 1000,
                SPENT_MARGIN_MS,
                SPENT_BEFORE_MS,
                board.board_id,
            ),
            keys.board,
            tuple(
                key(season.period, season.number) for season in open_seasons for key in (keys.scores, keys.members, keys.hidden)
            ),
            tuple(value for season in open_seasons for value in (season.period, season.number)),
        )
        return made

    def _call(self, entry: ScoreEntry, prepared: _Prepared, *, not_in_ledger: bool) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Keys and arguments."""
        user_id, server_key = entry.user_id, entry.server_key
        own = self._shard.user(user_id)
        return (
            (
                *self._shared_keys,
                own.profile,
                own.requests_of(entry.board_id),
                own.result(entry.key_id),
                own.spent_tickets,
                prepared.board,
                self._shard.server_key("" if server_key is None else server_key.key_id),
                *prepared.season_keys,
            ),
            (
                *prepared.rules,
                user_id,
                entry.request_id,
                entry.asked if entry.key_id else "",
                entry.value,
                entry.second,
                entry.metadata,
                *self._circumstances(entry, not_in_ledger=not_in_ledger),
                entry.writer,
                "" if server_key is None else server_key.key_hash,
                *prepared.seasons,
            ),
        )

    def _outcome(self, entry: ScoreEntry, limit: int, answer: Sequence[Any]) -> AcceptedEntry | Missing | BoardMoved:
        outcome, *rest = answer
        if outcome == b"ok":
            return self._accepted(entry, rest, limit)
        if outcome == b"board":
            return BoardMoved(int(rest[0]))
        if outcome == b"bounds":
            raise BoardScoreOutOfBounds
        return self._missing(outcome, rest, limit)

    @translated()
    def place(self, verb: Verb, state: BoardState, user_ids: Sequence[str]) -> int:
        """Show players in the open seasons of a board, or hide them; returns how often somebody moved."""
        seasons = [(season.period, season.number) for season in state.open_seasons]
        return place_members(self._redis, self._shard.defined(state.definition.board_id), seasons, verb, user_ids)

    def _accepted(self, entry: ScoreEntry, answer: Sequence[Any], limit: int) -> AcceptedEntry:
        told, _, accepted_at, remaining, reset, replayed, request_id, *new = answer
        places = told.decode()
        return AcceptedEntry(
            request_id.decode(),
            entry.user_id,
            parse_places(places),
            places,
            datetime.fromtimestamp(int(accepted_at) / 1000, UTC),
            self._window(limit, int(remaining), int(reset)),
            new[0].decode() if new else None,
            Number(new[1], new[2]) if new else None,
            bool(replayed),
        )
