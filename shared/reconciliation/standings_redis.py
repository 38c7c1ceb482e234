"""The seasons of boards as reconciliation sees them: read at an instant, repaired if they are still as they were read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, TypeVar

import redis

from shared.boards.definition import BoardDefinition
from shared.boards.member import EPOCH, SECOND, SEQUENCE
from shared.core.errors import LeaderboardRebuilding, ReconciliationRunning
from shared.ledger.events import Number
from shared.reconciliation.standings import BoardDiscrepancy, BoardSeason, SeasonReading, SeasonSweep, Seen, Sizes
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import server_of, translated
from shared.stores.redis.scripts import run_script

READ_AT_ONCE, REPAIRED_AT_ONCE, DROPPED_AT_ONCE, MEASURED_AT_ONCE = 1000, 200, 200, 300
T = TypeVar("T")


class SeasonCheck:
    """`keys` are those of `main`, which has the marks of the shard. User ids are what stands in Redis, surrogates for what is no
    text.
    """

    def __init__(self, client: redis.Redis, keys: BoardKeys, shard: ShardKeys) -> None:
        self._redis: Any = client
        self._keys, self._shard = keys, shard

    @translated()
    def sizes(self, seasons: Sequence[BoardSeason]) -> list[Sizes]:
        """Of each season, in one step for some hundred of them."""
        found: list[Sizes] = []
        for step in _steps(seasons, MEASURED_AT_ONCE):
            with self._redis.pipeline(transaction=True) as pipeline:
                for season in step:
                    scores, members, hidden = self._season(season)
                    pipeline.zcard(scores)
                    pipeline.zcard(hidden)
                    pipeline.hlen(members)
                counts = pipeline.execute()
            found += [Sizes(*counts[at : at + 3]) for at in range(0, len(counts), 3)]
        return found

    @translated()
    def read(self, season: BoardSeason, players: Sequence[tuple[str, bytes]]) -> SeasonReading | None:
        """What these players have, each given with a member that was seen to be theirs, or none; at most READ_AT_ONCE.

        None when the season is not here any more.
        """
        keys = (self._shard.defined(season.board.board_id).board, self._keys.numbers, *self._season(season))
        words = [word for user_id, member in players for word in (_encoded(user_id), member)]
        answer = run_script(self._redis, "read_standings", keys, (season.period, season.number, *words))
        if answer is None:
            return None
        version, is_open, epoch, sequence, *found = answer
        seen = [
            Seen(user_id, found[at], found[at + 1], found[at + 2], member if found[at + 3] else b"", found[at + 3])
            for at, (user_id, member) in zip(range(0, len(found), 4), players, strict=True)
        ]
        return SeasonReading(version.decode(), Number(int(epoch), int(sequence)) if is_open else None, seen)

    @translated()
    def scan_scores(self, season: BoardSeason, cursor: int, count: int) -> tuple[int, list[tuple[str, bytes]]]:
        """A step of about `count` through all members that are shown, with whose they say they are; cursor 0 at both ends."""
        return self._scan(season, self._season(season)[0], cursor, count)

    @translated()
    def scan_members(self, season: BoardSeason, cursor: int, count: int) -> tuple[int, list[str]]:
        """The same through the players whom the hash names."""
        following, found = self._redis.hscan(self._season(season)[1], cursor, count=count)
        return int(following), [_decoded(name) for name in found]

    @translated()
    def hidden(self, season: BoardSeason) -> list[tuple[str, bytes]]:
        """All members that are hidden, with whose they say they are."""
        cursor, found = 0, []
        while True:
            cursor, some = self._scan(season, self._season(season)[2], cursor, READ_AT_ONCE)
            found += some
            if not cursor:
                return found

    def _scan(self, season: BoardSeason, key: str, cursor: int, count: int) -> tuple[int, list[tuple[str, bytes]]]:
        following, found = self._redis.zscan(key, cursor, count=count)
        return int(following), [(_owner(season.board, member), member) for member, _ in found]

    @translated()
    def repair(self, found: Iterable[BoardDiscrepancy], mark: str, run_number: int | None) -> None:
        """Have these players stand where the ledger says, in steps, each of them atomic; members that no hash names go.

        Who was changed since they were read stays as they are, unless entries add up: then what is wrong is added, but outside of
        a run (None), beside which another one may add the same.

        Raises LeaderboardRebuilding and ReconciliationRunning as BoardCheck.repair does.
        """

        def of(entry: BoardDiscrepancy) -> tuple[BoardSeason, str]:
            return entry.season, entry.version

        for (season, version), entries in groupby(found, of):
            scores, members, hidden = self._season(season)
            entered = list(entries)
            keys = (self._shard.defined(season.board.board_id).board, self._keys.whole, self._keys.sweep, scores, members, hidden)
            about = (
                mark,
                "" if run_number is None else run_number,
                version,
                season.period,
                season.number,
                "1" if season.board.has_second else "",
            )
            for step in _steps((entry for entry in entered if entry.seen.member or entry.member), REPAIRED_AT_ONCE):
                words = (word for entry in step for word in _words(entry, adds=run_number is not None))
                verdict = run_script(self._redis, "repair_standings", keys, (*about, *words))
                if verdict == b"another board":
                    raise LeaderboardRebuilding
                if verdict == b"another run":
                    raise ReconciliationRunning(retry_after_seconds=10)
            for step in _steps((entry for entry in entered if entry.seen.stray), DROPPED_AT_ONCE):
                pairs = [word for entry in step for word in (_encoded(entry.user_id), entry.seen.stray)]
                run_script(self._redis, "drop_strays", (scores, members, hidden), pairs)

    @translated()
    def sweep(self, season: BoardSeason) -> SeasonSweep:
        """How far the rolling comparison has come; from the beginning where that is unknown, or was in another run of Redis."""
        text: bytes | None = self._redis.hget(self._shard.defined(season.board.board_id).board, f"sweep:{season.period}")
        number, server, *position = json.loads(text or "[0, 0]")
        return SeasonSweep(*position) if (number, server) == (season.number, server_of(self._redis)) else SeasonSweep()

    @translated()
    def save_sweeps(self, sweeps: Mapping[BoardSeason, SeasonSweep]) -> None:
        """Go on from there the next time, in seasons that are open."""
        server = server_of(self._redis)
        for season, position in sweeps.items():
            key = self._shard.defined(season.board.board_id).board
            if season.is_open:
                told = json.dumps([season.number, server, *position])
                run_script(self._redis, "save_sweep", (key,), (season.period, told))

    @translated()
    def entries_seen(self) -> tuple[int, int] | None:
        """The newest entry of the ledger when the last but one and the last run began."""
        seen = self._redis.hmget(self._keys.sweep, "entries_before", "entries_since")
        return None if None in seen else (int(seen[0]), int(seen[1]))

    @translated()
    def save_entries_seen(self, before: int, since: int) -> None:
        """The next run looks at everybody who entered after `before`."""
        self._redis.hset(self._keys.sweep, mapping={"entries_before": before, "entries_since": since})

    def _season(self, season: BoardSeason) -> tuple[str, str, str]:
        keys, of = self._shard.defined(season.board.board_id), (season.period, season.number)
        return keys.scores(*of), keys.members(*of), keys.hidden(*of)


def _words(entry: BoardDiscrepancy, *, adds: bool) -> tuple[bytes | str | int, ...]:
    seen, expected = entry.seen, entry.expected
    differences: tuple[int | str, int | str] = (entry.differences if adds else None) or ("", "")
    return (
        _encoded(entry.user_id),
        seen.member,
        seen.shown,
        seen.hidden,
        entry.member,
        "" if expected.score is None else expected.score,
        "1" if expected.is_hidden else "",
        *differences,
    )


def _owner(board: BoardDefinition, member: bytes) -> str:
    return _decoded(member[(SECOND if board.has_second else 0) + EPOCH + SEQUENCE :])


def _decoded(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


def _encoded(user_id: str) -> bytes:
    return user_id.encode(errors="surrogateescape")


def _steps(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while step := list(islice(iterator, size)):
        yield step
