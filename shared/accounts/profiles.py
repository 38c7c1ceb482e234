"""Cached profiles: a hash a player, gone after a minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import redis

from shared.accounts.player import Profile, Role
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

LIFETIME_SECONDS = 60
_FIELDS = ("username", "role", "api_key", "disabled")


class RedisProfiles:
    """The port Profiles."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Those that are cached, in one round trip."""
        rows = run_script(self._redis, "get_profiles", [self._keys.profile(user_id) for user_id in user_ids], ())
        return {user_id: _profile(user_id, row) for user_id, row in zip(user_ids, rows, strict=True) if row[0] is not None}

    @translated()
    def put_many(self, profiles: Iterable[Profile]) -> None:
        """Those that are not cached, in one round trip."""
        if found := list(profiles):
            keys = [self._keys.profile(profile.user_id) for profile in found]
            fields = [field for profile in found for field in _fields(profile)]
            run_script(self._redis, "put_profiles", keys, (LIFETIME_SECONDS, *fields))

    @translated()
    def replace(self, profile: Profile) -> None:
        """HSET, with a whole lifetime before it."""
        key = self._keys.profile(profile.user_id)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, mapping=dict(zip(_FIELDS, _fields(profile), strict=True)))
            pipeline.expire(key, LIFETIME_SECONDS)
            pipeline.execute()

    @translated()
    def drop(self, user_id: str) -> None:
        """Forget one."""
        self._redis.delete(self._keys.profile(user_id))


def _fields(profile: Profile) -> tuple[str, ...]:
    """In the order of _FIELDS."""
    return (profile.username, profile.role, profile.api_key_hash, str(int(profile.disabled)))


def _profile(user_id: str, row: Sequence[bytes]) -> Profile:
    username, role, api_key, disabled = (value.decode() for value in row)
    return Profile(user_id, username, cast("Role", role), api_key, disabled == "1")
