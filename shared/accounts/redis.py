"""Accounts in Redis: who may come in, cached profiles, and how often requests may be made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from shared.accounts.player import Caller, Profile, Role
from shared.accounts.request_limit import RequestKind, RequestLimit
from shared.accounts.session import Admission, EndedSession, Missing, Question
from shared.core.errors import ScoreboardError, SessionEnded, TooManyAttempts, TooManyRequests, UnknownPlayer
from shared.core.invocation import tell_windows
from shared.core.network import counted_network, is_this_machine
from shared.core.rate_window import RateWindow
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import server_of, translated
from shared.stores.redis.scripts import run_script, run_script_with

# A member that no session id can be: with it, the sorted set holds every session that ended of late.
ALL_HERE = "*"
STEP = 1000
_QUESTIONS = {b"sessions": Missing.SESSIONS, b"profile": Missing.PROFILE}
_REFUSALS: dict[bytes, type[ScoreboardError]] = {
    b"ended": SessionEnded,
    b"unknown": UnknownPlayer,
}
PROFILE_SECONDS = 60
_PROFILE_FIELDS = ("username", "role", "api_key", "disabled", "display_name", "hidden_on")
CHANGES_KEPT = 1000
KNOWN_NETWORKS, KNOWN_DAYS = 16, 90
KNOWN_MS = KNOWN_DAYS * 24 * 3600 * 1000


class Access:
    """Whether a caller may still come in: ended sessions and cached profiles, asked in one round trip (Redis).

    Ended sessions have no TTL, which a full Redis would take for leave to drop them: `forget` does it.
    """

    def __init__(self, client: redis.Redis, keys: ShardKeys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def admit(self, caller: Caller, question: Question[Any] | None = None, *, no_account: bool = False) -> Admission | Missing:
        """The caller's admission, and with it the answer to what they came for.

        What is missing must be given (put the profile, or say that there is `no_account`; restore the ended sessions), then it is
        tried again. Raises SessionEnded, and UnknownPlayer for a disabled account.
        """
        keys: tuple[str, ...] = (self._keys.ended_sessions, self._keys.user(caller.user_id).profile)
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
        """From now on nobody comes in with an access token of these sessions."""
        self._add(ended)

    @translated()
    def restore(self, ended: Iterable[EndedSession]) -> None:
        """These are all sessions that ended of late, as far as anybody knows who asks the database.

        Profiles that were changed of late must have been replaced before.
        """
        self._add(ended)
        self._redis.zadd(self._keys.ended_sessions, {ALL_HERE: "+inf"})

    @translated()
    def forget(self) -> int:
        """Drop the sessions whose access tokens have all expired; answer how many."""
        seconds, microseconds = self._redis.time()
        now_ms = int(seconds * 1000 + microseconds // 1000)
        return int(self._redis.zremrangebyscore(self._keys.ended_sessions, "-inf", now_ms))

    def _add(self, ended: Iterable[EndedSession]) -> None:
        until = {session.session_id: round(session.known_until.timestamp() * 1000) for session in ended}
        names = list(until)
        for first in range(0, len(names), STEP):
            self._redis.zadd(self._keys.ended_sessions, {name: until[name] for name in names[first : first + STEP]})


class Profiles:
    """Cached player profiles (Redis, short TTL), and whose was changed of late: whoever keeps names is told so with the board."""

    def __init__(self, client: redis.Redis, keys: ShardKeys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Those of the profiles that are cached."""
        rows = run_script(self._redis, "get_profiles", [self._keys.user(user_id).profile for user_id in user_ids], ())
        return {user_id: _profile(user_id, row) for user_id, row in zip(user_ids, rows, strict=True) if None not in row}

    @translated()
    def put_many(self, profiles: Iterable[Profile]) -> None:
        """Cache profiles that were read; one that is cached stays, for it may be newer than what was read."""
        if found := list(profiles):
            keys = [self._keys.user(profile.user_id).profile for profile in found]
            fields = [field for profile in found for field in _fields(profile)]
            run_script(self._redis, "put_profiles", keys, (PROFILE_SECONDS, *fields))

    @translated()
    def replace(self, profile: Profile) -> None:
        """Cache a profile that has just changed, in place of what is cached, and note whose it is."""
        key = self._keys.user(profile.user_id).profile
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, mapping=dict(zip(_PROFILE_FIELDS, _fields(profile), strict=True)))
            pipeline.expire(key, PROFILE_SECONDS)
            pipeline.xadd(self._keys.changed_profiles, {"user_id": profile.user_id}, maxlen=CHANGES_KEPT, approximate=False)
            pipeline.execute()

    @translated()
    def renew(self, profiles: Sequence[Profile]) -> None:
        """Cache profiles in which something has changed that nobody shows, in place of what is cached."""
        for first in range(0, len(profiles), STEP):
            with self._redis.pipeline(transaction=False) as pipeline:
                for profile in profiles[first : first + STEP]:
                    key = self._keys.user(profile.user_id).profile
                    pipeline.hset(key, mapping=dict(zip(_PROFILE_FIELDS, _fields(profile), strict=True)))
                    pipeline.expire(key, PROFILE_SECONDS)
                pipeline.execute()

    @translated()
    def drop(self, user_id: str) -> None:
        """Forget a profile."""
        self._redis.delete(self._keys.user(user_id).profile)


def _fields(profile: Profile) -> tuple[str, ...]:
    """In the order of _PROFILE_FIELDS."""
    shown = profile.display_name or ""
    return (profile.username, profile.role, profile.api_key_hash, str(int(profile.disabled)), shown, profile.hidden_on)


def _profile(user_id: str, row: Sequence[bytes]) -> Profile:
    username, role, api_key, disabled, display_name, hidden_on = (value.decode() for value in row)
    return Profile(user_id, username, cast("Role", role), api_key, disabled == "1", display_name or None, hidden_on)


class LimitsSince:
    """A mark in Redis. Where it is missing (Redis was emptied, or another one serves) limits begin anew, and not open."""

    def __init__(self, client: redis.Redis, keys: ShardKeys, registrations: Callable[[], int | None]) -> None:
        """`registrations` says how many there were in the last hour, as the database knows; None where there are no accounts."""
        self._redis = client
        self.key = keys.limits_since
        self._registrations = registrations

    def begin(self) -> None:
        """Count from now on, unless that has begun: open where there are no accounts. Raises PostgresUnavailable."""
        registrations = self._registrations()
        arguments = (server_of(self._redis), "" if registrations is None else registrations)
        run_script(self._redis, "begin_limits", (self.key,), arguments)

    def ask(self, name: str, keys: tuple[str, ...], arguments: tuple[str | int, ...]) -> list[int]:
        """The ms to wait and what else a script answers that asks with -1 for the mark."""
        while (answer := run_script(self._redis, name, keys, arguments))[0] < 0:
            self.begin()
        return [int(number) for number in answer]


class RequestLimits:
    """How often requests of a kind may be made (Redis); the limits are those of request_limit.py.

    One number for each limit and whom it counts, gone when it is used up no more.

    Addresses of this machine are not counted by network: that is an operator, or a proxy that was not declared. Without Redis
    nothing is admitted: it could not be counted.
    """

    def __init__(self, since: LimitsSince, keys: ShardKeys, limits: Mapping[RequestKind, Sequence[RequestLimit]]) -> None:
        self._since = since
        self._keys = keys
        self._limits = limits

    @translated()
    def admit(self, kind: RequestKind, *, source_ip: str = "", user_id: str = "") -> None:
        """Count a request of whom the kind's limits are about; raises TooManyRequests when one is reached. The answer tells.

        When Redis has lost its counts, they are assumed to be nearly used up.

        One script over all limits of the kind: it counts for all of them or, when one is reached, for none.
        """
        whom = {"user": user_id, "network": counted_network(source_ip), "everybody": "all"}
        limits = [limit for limit in self._limits[kind] if limit.scope != "network" or not is_this_machine(source_ip)]
        keys = [self._keys.request_limit(kind, limit.scope, whom[limit.scope]) for limit in limits]
        numbers = [number for limit in limits for number in (limit.requests, limit.window_seconds * 1000)]
        arguments = ("1" if kind == "registration" else "", *numbers)
        wait_ms, *left = self._since.ask("admit_request", (self._since.key, *keys), arguments)
        tell_windows(
            limit.window(kind, remaining, next_ms / 1000)
            for limit, remaining, next_ms in zip(limits, left[::2], left[1::2], strict=True)
        )
        if wait_ms:
            raise TooManyRequests(retry_after_seconds=wait_ms / 1000)

    @translated()
    def begin(self) -> None:
        """Count from now on unless that has begun; nothing is assumed where there are no accounts. Raises PostgresUnavailable."""
        self._since.begin()


@dataclass(frozen=True, slots=True)
class Delays:
    """After `free_attempts` 2 s, then doubled each time, up to `max_seconds`; forgotten after `memory_seconds` without one.

    When Redis has lost its counters, `lost_attempts` are assumed for as long as they would have been remembered.
    """

    free_attempts: int
    max_seconds: int
    memory_seconds: int
    lost_attempts: int

    def arguments(self) -> tuple[int, int, int, int]:
        """As the script wants them."""
        return self.free_attempts, self.max_seconds * 1000, self.memory_seconds * 1000, self.lost_attempts

    def window(self, free: int, reset_seconds: float) -> RateWindow:
        """So many more may fail without a delay; in `reset_seconds` none is counted, or the next one may be made."""
        return RateWindow(self.free_attempts, self.memory_seconds, free, reset_seconds, "failed_log_in")


# One account from one network: a guesser at a known place, or its owner with a bad memory.
OF_ACCOUNT_FROM_NETWORK = Delays(5, 900, 900, 7)
# One account from everywhere else: many machines on one account. Its owner in a new place waits with them, so not for long.
OF_ACCOUNT = Delays(20, 60, 3600, 22)
# All accounts from one network: one machine on many accounts. A hall full of players is behind one address, too.
OF_NETWORK = Delays(50, 60, 3600, 49)


class LoginThrottle:
    """Growing delays after failed log-ins: of one account from one network, of one account, from one network (Redis).

    The latter two do not concern an account that was logged in from the network before.

    The attempt is counted before it is made, so that many at once get no further than one by one.

    Addresses of this machine are not counted by network: that is an operator, or a proxy that was not declared. Without Redis
    there is no log-in: guesses that nobody counts would be worse. After it lost its counters there are no free attempts for a
    while: one at once, another 16 s after it failed (2 s where the network's other accounts are concerned), and then longer.
    """

    def __init__(self, client: redis.Redis, keys: ShardKeys, since: LimitsSince) -> None:
        self._redis = client
        self._since = since
        self._keys = keys

    @translated()
    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until one of the others says otherwise; raises TooManyAttempts while a delay lasts.

        The answer tells how many more of the account from there may fail before that.
        """
        keys, network = self._counters(username, source_ip)
        delays = (*OF_ACCOUNT_FROM_NETWORK.arguments(), *OF_ACCOUNT.arguments(), *OF_NETWORK.arguments())
        wait_ms, free, next_ms = self._since.ask("attempt_login", (*keys, self._since.key), (*network, KNOWN_MS, *delays))
        tell_windows([OF_ACCOUNT_FROM_NETWORK.window(free, next_ms / 1000)])
        if wait_ms:
            raise TooManyAttempts(retry_after_seconds=wait_ms / 1000)

    @translated()
    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the account's failures from there, and know the network from now on."""
        keys, network = self._counters(username, source_ip)
        run_script(self._redis, "settle_login", keys, (*network, KNOWN_MS, KNOWN_NETWORKS))
        tell_windows([OF_ACCOUNT_FROM_NETWORK.window(OF_ACCOUNT_FROM_NETWORK.free_attempts, 0)])

    @translated()
    def withdraw(self, username: str, source_ip: str) -> None:
        """Count the attempt no longer: nobody looked at its password."""
        keys, network = self._counters(username, source_ip)
        counted = int(run_script(self._redis, "withdraw_login", keys, network))
        delays = OF_ACCOUNT_FROM_NETWORK
        tell_windows([delays.window(max(delays.free_attempts - counted, 0), delays.memory_seconds if counted else 0)])

    def _counters(self, username: str, source_ip: str) -> tuple[tuple[str, ...], tuple[str, int]]:
        """The keys, and the first arguments, of each script."""
        network = counted_network(source_ip)
        keys = (
            self._keys.login_failures(username, network),
            self._keys.login_failures_of_account(username),
            self._keys.login_failures_of_network(network),
            self._keys.login_networks(username),
        )
        return keys, (network, 0 if is_this_machine(source_ip) else 1)
