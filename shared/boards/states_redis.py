"""Boards as Redis holds them: definitions, open seasons, and the players in them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import redis

from shared.boards.acceptance_redis import Now, milliseconds
from shared.boards.board import MAIN
from shared.boards.definition import BoardDefinition
from shared.boards.entry import BoardMoved
from shared.boards.member import user_id_in
from shared.boards.places_redis import Verb, place_members
from shared.boards.season import NO_RESETS, BoardState, Season
from shared.core.errors import LeaderboardRebuilding
from shared.stores.keys import BoardKeys, DefinedBoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

FILLING_SECONDS = 600
LOADED_AT_ONCE = 500
SCANNED_AT_ONCE = 5000


class HeldBoard(NamedTuple):
    """What Redis holds of a board: its state, and the seasons that have ended and may still have keys."""

    state: BoardState
    ended: Sequence[Season]

    @property
    def seasons(self) -> list[tuple[str, int]]:
        """Period and number of all whose keys may be here."""
        return [(season.period, season.number) for season in (*self.state.open_seasons, *self.ended)]


class Left(NamedTuple):
    """What Redis knew of a board that has left it: what it held, None where it had left before, and its last resets. `version` is
    what it has of the board now.
    """

    version: str
    held: HeldBoard | None
    resets: Mapping[str, str]


class Standing(NamedTuple):
    """A player of a season as the ledger has it, by the name under which the player stands on the board."""

    user_id: str
    member: str
    score: int
    is_hidden: bool


class Reset(NamedTuple):
    """Two seasons of a period: one that ended at the instant at which the other one began."""

    ended: Season
    began: Season


class BoardStates:
    """The boards in Redis; a change counts when the version is still the one that was read."""

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        on_changed: Callable[[str], object] = lambda _: None,
        *,
        now: Now | None = None,
    ) -> None:
        """`keys` are those of `main`, which has the marks of the shard. `on_changed` is told which board is another one now: by a
        new definition, by seasons that have turned, by having been filled. It must not wait. `now` replaces Redis's own clock.
        """
        self._redis: Any = client
        self._whole, self._leaderboard = keys.whole, keys.leaderboard
        self._shard = shard
        self._on_changed = on_changed
        self._now = now

    @translated()
    def now(self) -> int:
        """Redis's clock (ms)."""
        if self._now is not None:
            return milliseconds(self._now())
        seconds, microseconds = self._redis.time()
        return int(seconds * 1000 + microseconds // 1000)

    @translated()
    def is_whole(self) -> bool:
        """Whether Redis holds what the ledger does of `main`; what of other boards it does not hold is filled by then."""
        return bool(self._redis.exists(self._whole))

    def load(self, board_id: str) -> HeldBoard | None:
        """None when this Redis does not hold the board."""
        return self.load_all([board_id]).get(board_id)

    @translated()
    def load_all(self, board_ids: Iterable[str]) -> dict[str, HeldBoard]:
        """Those of the boards that Redis holds, one step for some hundred of them."""
        held: dict[str, HeldBoard] = {}
        for some in _chunks(list(board_ids)):
            with self._redis.pipeline(transaction=False) as pipeline:
                for board_id in some:
                    pipeline.hgetall(self._shard.defined(board_id).board)
                answers = pipeline.execute()
            pairs = zip(some, answers, strict=True)
            held |= {board_id: _held(board_id, fields) for board_id, fields in pairs if b"definition" in fields}
        return held

    @translated()
    def lacking(self, board_ids: Iterable[str]) -> list[str]:
        """Those of the boards that Redis does not hold, in their order."""
        lacking: list[str] = []
        for some in _chunks(list(board_ids)):
            with self._redis.pipeline(transaction=False) as pipeline:
                for board_id in some:
                    pipeline.hexists(self._shard.defined(board_id).board, "definition")
                lacking += [board_id for board_id, is_held in zip(some, pipeline.execute(), strict=True) if not is_held]
        return lacking

    @translated()
    def mark(self) -> str:
        """Another one when this Redis may have forgotten which boards have left it; raises LeaderboardRebuilding."""
        mark: bytes | None = self._redis.get(self._whole)
        if mark is None:
            raise LeaderboardRebuilding
        return mark.decode()

    @translated()
    def version(self, board_id: str) -> str:
        """Of a board that is here, or has left: "" where nothing is known of it."""
        found: bytes | None = self._redis.hget(self._shard.defined(board_id).board, "version")
        return "" if found is None else found.decode()

    @translated()
    def gone(self, board_id: str) -> str | None:
        """The version of a board that is not here: "" where nothing is known of it. None for one that is."""
        version, definition = self._redis.hmget(self._shard.defined(board_id).board, "version", "definition")
        return None if definition is not None else (version or b"").decode()

    @translated()
    def leave(self, board_id: str, version: str, shard: str) -> Left | None:
        """Have a board with this version be in another shard from now on; answers what was known of it here.

        None when another version is there by now.
        """
        key, left = self._shard.defined(board_id).board, _new_version()
        outcome, *fields = run_script(self._redis, "leave_board", (key,), (version, left, shard))
        if outcome != b"ok":
            return None
        told = dict(zip(fields[::2], fields[1::2], strict=True))
        self._on_changed(board_id)
        resets = {name.decode(): value.decode() for name, value in told.items() if name.startswith(b"reset:")}
        return Left(left, _held(board_id, told) if b"definition" in told else None, resets)

    def put(self, before: str, state: BoardState, ended: Sequence[Season] = (), mark: str = "") -> BoardState | None:
        """Put a state in the place of the one with the version `before`, "" for none; answers it with its new version.

        None when another one is there by now, or another `mark`. Raises LeaderboardRebuilding while nothing is here.
        """
        return self._put(before, mark, state, ended, (), ())

    @translated()
    def fill(
        self,
        state: BoardState,
        pages: Iterable[tuple[Season, Sequence[Standing]]],
        ended: Sequence[Season] = (),
        *,
        before: str = "",
        mark: str = "",
        resets: Mapping[str, str] = NO_RESETS,
    ) -> int | None:
        """Put a board that Redis does not hold with all its players, and what was done by the last `resets` of its periods;
        answers how many standings it has.

        None when another one was faster: `before` and `mark` are those of `put`. Beside the board, under keys of its own; a
        script then puts all of it in its place.
        """
        keys, building = self._shard.defined(state.definition.board_id), secrets.token_hex(8)
        places = _places(keys, state)
        built = {place: keys.building(building, part) for part, place in enumerate(places)}
        sizes = dict.fromkeys(places, 0)
        for season, page in pages:
            scores, members, hidden = _season_keys(keys, season.period, season.number)
            with self._redis.pipeline(transaction=False) as pipeline:
                for place, entries in (
                    (scores, {each.member: each.score for each in page if not each.is_hidden}),
                    (hidden, {each.member: each.score for each in page if each.is_hidden}),
                    (members, {each.user_id: each.member for each in page}),
                ):
                    if entries:
                        key = built[place]
                        pipeline.hset(key, mapping=entries) if place == members else pipeline.zadd(key, entries)
                        pipeline.expire(key, FILLING_SECONDS)
                        sizes[place] += len(entries)
                pipeline.execute()
        pairs = [key for place in places for key in (built[place], place)]
        if self._put(before, mark, state, ended, pairs, list(sizes.values()), resets) is None:
            self._redis.unlink(*built.values())
            return None
        return sum(sizes.values()) // 2

    @translated()
    def drop(self, board_id: str) -> None:
        """Take a board out of Redis with all its seasons."""
        run_script(self._redis, "drop_board", (self._shard.defined(board_id).board,), ())
        self._on_changed(board_id)

    @translated()
    def reset(self, state: BoardState, period: str, request: str) -> Reset | BoardMoved | None:
        """End a season now; answers the one that ended and the one that began, None when none is open. The same request ends one
        only.

        Raises LeaderboardRebuilding.
        """
        keys = (self._shard.defined(state.definition.board_id).board, self._whole)
        given_now = "" if self._now is None else self.now()
        arguments = (state.version, state.until, _new_version(), period, request, given_now)
        outcome, *answer = run_script(self._redis, "reset_season", keys, arguments)
        if outcome == b"rebuilding":
            raise LeaderboardRebuilding
        if outcome == b"board":
            return BoardMoved(int(answer[0]))
        if outcome == b"closed":
            return None
        self._on_changed(state.definition.board_id)
        number, starts_at, at, until = map(int, answer)
        return Reset(Season(period, number, starts_at, at), Season(period, number + 1, at, until))

    @translated()
    def forget(self, board_id: str, seasons: Iterable[Season]) -> None:
        """Drop the keys of seasons that are closed, and the notes that they may be there."""
        keys = self._shard.defined(board_id)
        for season in seasons:
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.unlink(*_season_keys(keys, season.period, season.number))
                pipeline.hdel(keys.board, _ended_field(season))
                pipeline.execute()

    @translated()
    def players(self, board_id: str, seasons: Sequence[tuple[str, int]]) -> list[int]:
        """How many players are shown in each of these seasons (period and number)."""
        keys = self._shard.defined(board_id)
        with self._redis.pipeline(transaction=False) as pipeline:
            for period, number in seasons:
                pipeline.zcard(self._leaderboard if board_id == MAIN.board_id else keys.scores(period, number))
            counts: list[int] = pipeline.execute()
        return counts

    @translated()
    def has_players(self, board_id: str, seasons: Sequence[Season]) -> list[bool]:
        """Whether anybody stands in each of these seasons, shown or hidden."""
        keys = self._shard.defined(board_id)
        with self._redis.pipeline(transaction=False) as pipeline:
            for season in seasons:
                pipeline.exists(keys.members(season.period, season.number))
            return list(map(bool, pipeline.execute()))

    @translated()
    def place(self, verb: Verb, held: Iterable[HeldBoard], user_ids: Sequence[str]) -> int:
        """Show these players in every season of these boards, or hide them, with the scores they have.

        Returns how often somebody moved. One step a board for some hundred players.
        """
        placed = [(self._shard.defined(each.state.definition.board_id), each.seasons) for each in held]
        return sum(place_members(self._redis, keys, seasons, verb, user_ids) for keys, seasons in placed)

    @translated()
    def hidden(self, held: Iterable[HeldBoard]) -> list[str]:
        """Ids of all who are hidden in a season of these boards, in no order; what is no member of ours is left out."""
        found: set[str] = set()
        for state, seasons in ((each.state, each.seasons) for each in held):
            keys = self._shard.defined(state.definition.board_id)
            for season in seasons:
                members = self._redis.zscan_iter(keys.hidden(*season), count=SCANNED_AT_ONCE)
                found |= {user_id_in(state.definition, member) for member, _ in members}
        return list(found - {""})

    @translated()
    def _put(
        self,
        before: str,
        mark: str,
        state: BoardState,
        ended: Sequence[Season],
        pairs: Sequence[str],
        sizes: Sequence[int],
        resets: Mapping[str, str] = NO_RESETS,
    ) -> BoardState | None:
        state = replace(state, version=_new_version())
        keys = (self._shard.defined(state.definition.board_id).board, self._whole, *pairs)
        told = (text for field in resets.items() for text in field)
        outcome = run_script(self._redis, "put_board", keys, (before, mark, *sizes, *_fields(state, ended), *told))
        if outcome == b"rebuilding":
            raise LeaderboardRebuilding
        if outcome != b"ok":
            return None
        self._on_changed(state.definition.board_id)
        return state


def _new_version() -> str:
    return secrets.token_hex(8)


def _chunks(board_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(board_ids), LOADED_AT_ONCE):
        yield board_ids[first : first + LOADED_AT_ONCE]


def _season_keys(keys: DefinedBoardKeys, period: str, number: int) -> tuple[str, str, str]:
    return keys.scores(period, number), keys.members(period, number), keys.hidden(period, number)


def _places(keys: DefinedBoardKeys, state: BoardState) -> list[str]:
    return [key for season in state.open_seasons for key in _season_keys(keys, season.period, season.number)]


def _ended_field(season: Season) -> str:
    return f"ended:{season.period}:{season.number}"


def _fields(state: BoardState, ended: Sequence[Season]) -> list[str]:
    fields = {"version": state.version, "definition": json.dumps(state.definition.as_json())}
    for season in state.seasons:
        fields[f"season:{season.period}"] = f"{season.number} {season.starts_at} {season.until}"
        if season.last:
            fields[f"last:{season.period}"] = str(season.last)
    fields |= {_ended_field(season): f"{season.starts_at} {season.until}" for season in ended}
    return [text for field in fields.items() for text in field]


def _held(board_id: str, fields: dict[bytes, bytes]) -> HeldBoard:
    told = {name.decode(): value.decode() for name, value in fields.items()}
    definition = BoardDefinition.from_json(board_id, json.loads(told["definition"]))
    seasons = []
    for period in definition.periods:
        number, starts_at, until = map(int, told[f"season:{period.name}"].split())
        seasons.append(Season(period.name, number, starts_at, until, int(told.get(f"last:{period.name}", 0))))
    ended = []
    for name, value in told.items():
        kind, _, rest = name.partition(":")
        if kind == "ended":
            period_name, _, number_text = rest.rpartition(":")
            ended.append(Season(period_name, int(number_text), *map(int, value.split())))
    return HeldBoard(BoardState(told["version"], definition, tuple(seasons)), ended)
