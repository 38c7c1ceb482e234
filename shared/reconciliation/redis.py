"""The board as reconciliation sees it: read in steps that block nobody, changed by differences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import redis

from shared.boards.board import Board
from shared.core.errors import LeaderboardRebuilding, ReconciliationRunning
from shared.ledger.events import Number
from shared.reconciliation.model import Reading, Sweep
from shared.stores.keys import BoardKeys
from shared.stores.redis.connection import server_of, translated
from shared.stores.redis.scripts import run_script

STEP = 5000
_FOREIGN = "no member of ours: "
T = TypeVar("T")


class BoardCheck:
    """The board as reconciliation sees it."""

    def __init__(self, client: redis.Redis, board: Board, keys: BoardKeys) -> None:
        self._redis: Any = client
        self._keys = keys
        self._operator = board.operator
        self._member_prefix = board.member_prefix.encode()

    @translated()
    def scan(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """A step of about `count` through all names of the board, cursor 0 to begin with and at the end.

        Who is there all the time is seen at least once.
        """
        return self._scan(self._keys.leaderboard, cursor, count)

    def hidden(self) -> Iterator[list[str]]:
        """All names that are hidden beside the board, in steps; likewise."""
        cursor, is_over = 0, False
        while not is_over:
            cursor, names = self._scan_hidden(cursor)
            yield names
            is_over = cursor == 0

    @translated()
    def _scan_hidden(self, cursor: int) -> tuple[int, list[str]]:
        return self._scan(self._keys.hidden, cursor, STEP)

    def _scan(self, key: str, cursor: int, count: int) -> tuple[int, list[str]]:
        following, found = self._redis.zscan(key, cursor, count=count)
        return int(following), [self._name_of(member) for member, _ in found]

    @translated()
    def read(self, user_ids: Sequence[str]) -> Reading:
        """The scores of these players, and up to which number they count, in one step.

        MULTI: HMGET of the number and twice as many ZMSCORE as there are STEPs.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(self._keys.numbers, "open", "epoch", "sequence")
            for key in (self._keys.leaderboard, self._keys.hidden):
                for step in _steps(user_ids):
                    pipeline.zmscore(key, [self._member_of(user_id) for user_id in step])
            (is_open, epoch, sequence), *answers = pipeline.execute()
        middle = len(answers) // 2
        shown, hidden = _scores(user_ids, answers[:middle]), _scores(user_ids, answers[middle:])
        return Reading(shown, Number(int(epoch), int(sequence)) if is_open else None, hidden)

    @translated()
    def suspects(self) -> set[str]:
        """Players that somebody wants to be looked at."""
        return {user_id.decode() for user_id in self._redis.smembers(self._keys.suspects)}

    @translated()
    def clear(self, user_ids: Iterable[str]) -> None:
        """They were looked at."""
        for step in _steps(user_ids):
            self._redis.srem(self._keys.suspects, *step)

    @translated()
    def sweep(self) -> Sweep:
        """How far the rolling comparison has come; from the beginning where that is unknown.

        Cursors are worth something only in the run of Redis that gave them.
        """
        server, after, cursor = self._redis.hmget(self._keys.sweep, "server", "ledger_after", "board_cursor")
        if server is None or server.decode() != self.server():
            return Sweep()
        return Sweep(after.decode(), int(cursor))

    @translated()
    def save_sweep(self, sweep: Sweep) -> None:
        """Go on from there the next time."""
        position = {"server": self.server(), "ledger_after": sweep.ledger_after, "board_cursor": sweep.board_cursor}
        self._redis.hset(self._keys.sweep, mapping=position)

    @translated()
    def mark(self, run_number: int) -> str:
        """What tells this board from the one before or after a rebuild; runs that began earlier may not repair any more.

        The value that the script of an update also reads. The number of the run is kept beside it.
        """
        self._redis.hset(self._keys.sweep, "run_number", run_number)
        return self.present_mark()

    @translated()
    def present_mark(self) -> str:
        """The mark as it is; raises LeaderboardRebuilding."""
        value: bytes | None = self._redis.get(self._keys.whole)
        if value is None:
            raise LeaderboardRebuilding
        return value.decode()

    @translated()
    def repair(
        self,
        differences: Mapping[str, int] | Mapping[str, int | None],
        mark: str,
        run_number: int,
        *,
        hidden: Collection[str] = (),
    ) -> None:
        """Add atomic differences, to players where they are; who is nowhere enters, even with 0, beside the board if they are
        among the `hidden`. None takes a member off.

        Raises LeaderboardRebuilding when the board is not the marked one any more (it is then rebuilt, and needs no repair), and
        ReconciliationRunning when another run has begun.
        """
        for step in _steps(differences.items()):
            changes: list[bytes | str | int] = []
            for user_id, difference in step:
                changes += (self._member_of(user_id), "" if difference is None else difference, "1" if user_id in hidden else "")
            keys = (self._keys.leaderboard, self._keys.whole, self._keys.sweep, self._keys.hidden)
            verdict = run_script(self._redis, "repair_leaderboard", keys, (mark, run_number, self._operator, *changes))
            if verdict == b"another board":
                raise LeaderboardRebuilding
            if verdict == b"another run":
                raise ReconciliationRunning(retry_after_seconds=10)

    @translated()
    def server(self) -> str:
        """Which run of which Redis this is."""
        return server_of(self._redis)

    @translated()
    def is_known_server(self, server: str) -> bool:
        """Whether the board was held against the ledger in this run: a Redis that died may have lost its last writes."""
        known: bytes | None = self._redis.get(self._keys.server)
        return known is not None and known.decode() == server

    @translated()
    def know_server(self, server: str) -> None:
        """The board was held against the ledger."""
        self._redis.set(self._keys.server, server)

    def _name_of(self, member: bytes) -> str:
        """The user id, or for what is no member of ours a name that no user id can be."""
        if member.startswith(self._member_prefix):
            try:
                return member[len(self._member_prefix) :].decode()
            except UnicodeDecodeError:
                pass
        return _FOREIGN + member.decode("latin-1")

    def _member_of(self, name: str) -> bytes:
        if name.startswith(_FOREIGN):
            return name.removeprefix(_FOREIGN).encode("latin-1")
        return self._member_prefix + name.encode()


def _scores(user_ids: Sequence[str], answers: Iterable[Sequence[float | None]]) -> dict[str, int]:
    found = zip(user_ids, chain.from_iterable(answers), strict=True)
    return {user_id: int(score) for user_id, score in found if score is not None}


def _steps(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while step := list(islice(iterator, STEP)):
        yield step
