"""The board as readers see it: prepared documents, places, names."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.accounts.check_access import Accounts, ask
from shared.accounts.player import Caller
from shared.accounts.ports import Profiles, Users
from shared.boards.ports import BoardCache, Leaderboard
from shared.boards.ranking import Position, Standing
from shared.core.clock import Clock, utc_text
from shared.core.errors import UnknownUser

MAX_KEPT = 50_000  # some 10 MB
TOP, MAX_TOP = 10, 100
FRESH_SECONDS = 5.0
DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS = 2, 50


class Names:
    """The names of players; a process has one. A name is the one thing of an account that nobody changes."""

    def __init__(self, profiles: Profiles, users: Users) -> None:
        self._profiles = profiles
        self._users = users
        self._known: dict[str, str] = {}

    def of(self, positions: Sequence[Position]) -> list[Standing]:
        """Places with their names; a member whom nobody knows (reconciliation removes its points) shows its id."""
        known = self._known if len(self._known) <= MAX_KEPT else {}
        self._know([position.user_id for position in positions if position.user_id not in known], known)
        return [
            Standing(position.user_id, known.get(position.user_id, position.user_id), position.rank, position.score)
            for position in positions
        ]

    def _know(self, missing: Sequence[str], known: dict[str, str]) -> None:
        if not missing:
            return
        found = self._profiles.get_many(missing)
        uncached = [user_id for user_id in missing if user_id not in found]
        if uncached:
            stored = self._users.profiles(uncached)
            self._profiles.put_many(stored.values())
            found |= stored
        known.update({user_id: profile.username for user_id, profile in found.items()})
        self._known = known


class Document(NamedTuple):
    """JSON, and the entity tag (RFC 9110) that names these very bytes."""

    body: bytes
    etag: str


class PreparedBoards:
    """What a process keeps of the boards it answers with: nobody makes, cuts or hashes the same one twice."""

    def __init__(self, leaderboard: Leaderboard, cache: BoardCache, accounts: Accounts, names: Names, clock: Clock) -> None:
        self._leaderboard = leaderboard
        self._cache = cache
        self._accounts = accounts
        self._names = names
        self._clock = clock
        self._kept = {places: _Kept() for places in (TOP, MAX_TOP)}

    def get(self, limit: int, caller: Caller | None) -> Document:
        """`{"data": [...], "cache_time": "...Z"}` with at most `limit` places; None is a caller whom nobody asks who they are.

        One round trip to Redis, in which the caller is checked, too; none for None. Raises what check_access raises.
        """
        places = TOP if limit <= TOP else MAX_TOP
        kept = self._kept[places]
        if caller is None:
            if self._clock.monotonic() >= kept.fresh_until:
                self._prepare(places, kept)
        else:
            document = ask(self._cache.cached(places), caller, self._accounts)
            if document is None:
                self._prepare(places, kept)
            elif document != kept.document:
                kept.keep(document, self._clock)
        return kept.first(limit)

    def _prepare(self, places: int, kept: _Kept) -> None:
        """Whoever comes first does it for all who wait meanwhile."""
        with kept.preparing:
            if self._clock.monotonic() < kept.fresh_until:
                return
            document = self._cache.get(places)
            if document is None:
                as_of = self._clock.now()
                board = self._names.of(self._leaderboard.top(places))
                document = _encoded({"data": [line.as_json() for line in board], "cache_time": utc_text(as_of)})
                self._cache.put(places, document)
            kept.keep(document, self._clock)


class _Kept:
    """The newest document of one size, and shorter ones cut from it."""

    def __init__(self) -> None:
        self.preparing = threading.Lock()
        self.fresh_until = 0.0
        self.document = b""
        self._cut: dict[int, Document] = {}

    def keep(self, document: bytes, clock: Clock) -> None:
        """A new one; it is as fresh as it says itself, and one of the future was made before the clock was set back."""
        whole = json.loads(document)
        age = (clock.now() - datetime.fromisoformat(whole["cache_time"]).astimezone(UTC)).total_seconds()
        self._cut = {}
        self.document = document
        self.fresh_until = clock.monotonic() + FRESH_SECONDS - max(0.0, age)

    def first(self, limit: int) -> Document:
        """The document with so many places."""
        cut = self._cut
        found = cut.get(limit)
        if found is None:
            whole = json.loads(self.document)
            is_shorter = len(whole["data"]) > limit
            body = _encoded({**whole, "data": whole["data"][:limit]}) if is_shorter else self.document
            digest = hashlib.blake2b(body, digest_size=12).hexdigest()
            found = cut[limit] = Document(body, f'"{digest}"')
        return found


def _encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def get_user_score(
    user_id: str, neighbours: int, caller: Caller, leaderboard: Leaderboard, accounts: Accounts, names: Names
) -> dict[str, Any]:
    """`{userId, username, rank, score, neighbours: [...]}`, the player left out of the neighbours.

    One round trip to Redis, in which the caller is checked, too. Raises UnknownUser and what ask raises.
    """
    standings = names.of(ask(leaderboard.places(user_id, neighbours), caller, accounts))
    own = next((line for line in standings if line.user_id == user_id), None)
    if own is None:
        raise UnknownUser
    return {**own.as_json(), "neighbours": [line.as_json() for line in standings if line is not own]}
