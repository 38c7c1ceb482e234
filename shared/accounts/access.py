"""Who may come in: ended sessions and cached profiles, asked in one script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import redis

from shared.accounts.player import Caller, Role
from shared.accounts.session import Admission, EndedSession, Missing, Question
from shared.core.errors import ScoreboardError, SessionEnded, UnknownPlayer
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script, run_script_with

# A member that no session id can be: with it, the sorted set holds every session that ended of late.
ALL_HERE = "*"
STEP = 1000
_QUESTIONS = {b"sessions": Missing.SESSIONS, b"profile": Missing.PROFILE}
_REFUSALS: dict[bytes, type[ScoreboardError]] = {
    b"ended": SessionEnded,
    b"unknown": UnknownPlayer,
}


class RedisAccess:
    """The port Access. Ended sessions have no TTL, which a full Redis would take for leave to drop them: `forget` does it."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def admit(self, caller: Caller, question: Question[Any] | None = None, *, no_account: bool = False) -> Admission | Missing:
        """Run the script, in one round trip with the question."""
        keys: tuple[str, ...] = (self._keys.ended_sessions, self._keys.profile(caller.user_id))
        arguments = (caller.session_id, "1" if no_account else "")
        if question is None:
            (outcome, *role), answer = run_script(self._redis, "admit", keys, arguments), None
        else:
            (outcome, *role), answer = run_script_with(self._redis, "admit", keys, arguments, question.command)
        if outcome in _QUESTIONS:
            return _QUESTIONS[outcome]
        if outcome in _REFUSALS:
            raise _REFUSALS[outcome]
        if isinstance(answer, redis.RedisError):
            raise answer
        return Admission(cast("Role", role[0].decode() or "player"), answer)

    @translated()
    def end(self, ended: Iterable[EndedSession]) -> None:
        """ZADD."""
        self._add(ended)

    @translated()
    def restore(self, ended: Iterable[EndedSession]) -> None:
        """ZADD, and the mark after all of them."""
        self._add(ended)
        self._redis.zadd(self._keys.ended_sessions, {ALL_HERE: "+inf"})

    @translated()
    def forget(self) -> int:
        """ZREMRANGEBYSCORE up to now."""
        seconds, microseconds = self._redis.time()
        now_ms = int(seconds * 1000 + microseconds // 1000)
        return int(self._redis.zremrangebyscore(self._keys.ended_sessions, "-inf", now_ms))

    def _add(self, ended: Iterable[EndedSession]) -> None:
        until = {session.session_id: round(session.known_until.timestamp() * 1000) for session in ended}
        names = list(until)
        for first in range(0, len(names), STEP):
            self._redis.zadd(self._keys.ended_sessions, {name: until[name] for name in names[first : first + STEP]})
