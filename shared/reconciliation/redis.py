"""The board as reconciliation sees it: read in steps that block nobody, changed by differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import redis

from shared.core.errors import LeaderboardRebuilding, ReconciliationRunning
from shared.ledger.events import Number
from shared.reconciliation.model import Reading, Sweep
from shared.stores.keys import Keys
from shared.stores.redis.connection import server_of, translated
from shared.stores.redis.scripts import run_script

STEP = 5000
_MEMBER = b"user:"
_FOREIGN = "no member of ours: "
T = TypeVar("T")


class RedisBoardCheck:
    """The port BoardCheck."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def scan(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """ZSCAN."""
        following, found = self._redis.zscan(self._keys.leaderboard, cursor, count=count)
        return int(following), [_name_of(member) for member, _ in found]

    @translated()
    def read(self, user_ids: Sequence[str]) -> Reading:
        """MULTI: HMGET of the number and as many ZMSCORE as there are STEPs."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(self._keys.leaderboard_numbers, "open", "epoch", "sequence")
            for step in _steps(user_ids):
                pipeline.zmscore(self._keys.leaderboard, [_member_of(user_id) for user_id in step])
            (is_open, epoch, sequence), *answers = pipeline.execute()
        scores = zip(user_ids, chain.from_iterable(answers), strict=True)
        number = Number(int(epoch), int(sequence)) if is_open else None
        return Reading({user_id: int(score) for user_id, score in scores if score is not None}, number)

    @translated()
    def suspects(self) -> set[str]:
        """SMEMBERS."""
        return {user_id.decode() for user_id in self._redis.smembers(self._keys.leaderboard_suspects)}

    @translated()
    def clear(self, user_ids: Iterable[str]) -> None:
        """SREM."""
        for step in _steps(user_ids):
            self._redis.srem(self._keys.leaderboard_suspects, *step)

    @translated()
    def sweep(self) -> Sweep:
        """Cursors are worth something only in the run of Redis that gave them."""
        server, after, cursor = self._redis.hmget(self._keys.leaderboard_sweep, "server", "ledger_after", "board_cursor")
        if server is None or server.decode() != self.server():
            return Sweep()
        return Sweep(after.decode(), int(cursor))

    @translated()
    def save_sweep(self, sweep: Sweep) -> None:
        """HSET."""
        position = {"server": self.server(), "ledger_after": sweep.ledger_after, "board_cursor": sweep.board_cursor}
        self._redis.hset(self._keys.leaderboard_sweep, mapping=position)

    @translated()
    def mark(self, run_number: int) -> str:
        """The value that the script of an update also reads. The number of the run is kept beside it."""
        self._redis.hset(self._keys.leaderboard_sweep, "run_number", run_number)
        value: bytes | None = self._redis.get(self._keys.leaderboard_whole)
        if value is None:
            raise LeaderboardRebuilding
        return value.decode()

    @translated()
    def repair(self, differences: Mapping[str, int] | Mapping[str, int | None], mark: str, run_number: int) -> None:
        """A script for each STEP of players."""
        for step in _steps(differences.items()):
            changes: list[bytes | str | int] = []
            for user_id, difference in step:
                changes += (_member_of(user_id), "" if difference is None else difference)
            keys = (self._keys.leaderboard, self._keys.leaderboard_whole, self._keys.leaderboard_sweep)
            verdict = run_script(self._redis, "repair_leaderboard", keys, (mark, run_number, *changes))
            if verdict == b"another board":
                raise LeaderboardRebuilding
            if verdict == b"another run":
                raise ReconciliationRunning(retry_after_seconds=10)

    @translated()
    def server(self) -> str:
        """INFO."""
        return server_of(self._redis)

    @translated()
    def is_known_server(self, server: str) -> bool:
        """GET."""
        known: bytes | None = self._redis.get(self._keys.leaderboard_server)
        return known is not None and known.decode() == server

    @translated()
    def know_server(self, server: str) -> None:
        """SET."""
        self._redis.set(self._keys.leaderboard_server, server)


def _name_of(member: bytes) -> str:
    """The user id, or for what is no member of ours a name that no user id can be."""
    if member.startswith(_MEMBER):
        try:
            return member[len(_MEMBER) :].decode()
        except UnicodeDecodeError:
            pass
    return _FOREIGN + member.decode("latin-1")


def _member_of(name: str) -> bytes:
    if name.startswith(_FOREIGN):
        return name.removeprefix(_FOREIGN).encode("latin-1")
    return _MEMBER + name.encode()


def _steps(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while step := list(islice(iterator, STEP)):
        yield step
