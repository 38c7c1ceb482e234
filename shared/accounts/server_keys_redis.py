"""Server keys as scripts look at them (Redis): a cache of those in use."""

from __future__ import annotations

from typing import Any

import redis

from shared.accounts.server_key import DEFAULT_SCOPES, GoodKey
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated

KNOWN_SECONDS = 900
REVOKED = "revoked"
_SCOPE = ":"  # no board's id begins so


class KnownServerKeys:
    """`<hash> <boards, or *>` of each, and `:<scope>` for each where they are not the usual ones; or that it is not good."""

    def __init__(self, client: redis.Redis, shard: ShardKeys) -> None:
        self._redis: Any = client
        self._shard = shard

    @translated()
    def get(self, key_id: str) -> GoodKey | tuple[()] | None:
        """Empty for one that is not good, None where nothing is known."""
        text = self._redis.get(self._shard.server_key(key_id))
        if text is None:
            return None
        key_hash, *words = text.decode().split(" ")
        if not words:
            return ()
        boards = [word for word in words if not word.startswith(_SCOPE)]
        scopes = [word.removeprefix(_SCOPE) for word in words if word.startswith(_SCOPE)]
        return GoodKey(key_hash, None if boards == ["*"] else boards, scopes or DEFAULT_SCOPES)

    @translated()
    def remember(self, key_id: str, known: GoodKey | None) -> None:
        """What was read of it; what somebody changed meanwhile counts more."""
        self._redis.set(self._shard.server_key(key_id), _text(known), ex=KNOWN_SECONDS, nx=True)

    @translated()
    def change(self, key_id: str, known: GoodKey | None) -> None:
        """What counts from now on; None revokes."""
        self._redis.set(self._shard.server_key(key_id), _text(known), ex=KNOWN_SECONDS)


def _text(known: GoodKey | None) -> str:
    if known is None:
        return REVOKED
    usual = tuple(known.scopes) == DEFAULT_SCOPES
    scopes = () if usual else tuple(f"{_SCOPE}{scope}" for scope in known.scopes)
    return " ".join([known.key_hash, *(("*",) if known.boards is None else known.boards), *scopes])
