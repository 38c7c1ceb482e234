"""The board as readers see it: prepared documents, places, names."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.accounts.check_access import Accounts, ask
from shared.accounts.player import Caller
from shared.boards.board import Board
from shared.boards.ranking import Places, Standing
from shared.core.clock import Clock, utc_text
from shared.core.errors import UnknownUser

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.accounts.redis import Profiles
    from shared.boards.redis import BoardCache, Leaderboard


MAX_KEPT = 50_000  # some 15 MB
KEPT_SECONDS = 600
FRESH_SECONDS = 5.0
DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS = 2, 50


class Names:
    """The names of players, kept until they change; a process has one.

    Whose profile was changed comes with the places, in the same round trip, from the entry `since` of a stream on: the names of
    those are asked for again. When that entry is gone (too many changes, or another Redis) all of them are; and after ten
    minutes, too, for the note of a change may have been lost with a Redis.
    """

    def __init__(self, profiles: Profiles, users: Users, clock: Clock) -> None:
        self._profiles = profiles
        self._users = users
        self._clock = clock
        self._known: dict[str, tuple[str, str]] = {}
        self._kept_until = 0.0
        self._changing = threading.Lock()
        self.since = ""

    def of(self, places: Places) -> list[Standing]:
        """Places with their names; a member whom nobody knows (reconciliation removes its points) shows its id."""
        with self._changing:
            self._heed(places)
            known, since = self._known, self.since
        names = [known.get(position.user_id) for position in places.positions]
        if None in names:
            missing = [position.user_id for position, name in zip(places.positions, names, strict=True) if name is None]
            found = self._read(missing)
            names = [name or found.get(position.user_id) for position, name in zip(places.positions, names, strict=True)]
            with self._changing:
                if self.since == since:  # otherwise a name may have changed after it was read
                    self._known |= found
        return [
            Standing(position.user_id, *(name or (position.user_id, position.user_id)), position.rank, position.score)
            for position, name in zip(places.positions, names, strict=True)
        ]

    def _heed(self, places: Places) -> None:
        """Forget the names that changed, or all of them."""
        now = self._clock.monotonic()
        first = places.changes[0][0] if places.changes else ""
        if first != places.since or now >= self._kept_until or len(self._known) > MAX_KEPT:
            self._known = {}
            self._kept_until = now + KEPT_SECONDS
        for _, user_id in places.changes[1:]:
            self._known.pop(user_id, None)
        self.since = places.changes[-1][0] if places.changes else ""

    def _read(self, missing: Sequence[str]) -> dict[str, tuple[str, str]]:
        found = self._profiles.get_many(missing)
        if uncached := [user_id for user_id in missing if user_id not in found]:
            stored = self._users.profiles(uncached)
            self._profiles.put_many(stored.values())
            found |= stored
        return {user_id: (profile.username, profile.display_name or profile.username) for user_id, profile in found.items()}


class Document(NamedTuple):
    """JSON, and the entity tag (RFC 9110) that names these very bytes."""

    body: bytes
    etag: str


class PreparedBoards:
    """What a process keeps of the boards it answers with: nobody makes, cuts or hashes the same one twice."""

    def __init__(
        self, board: Board, leaderboard: Leaderboard, cache: BoardCache, accounts: Accounts, names: Names, clock: Clock
    ) -> None:
        self._board = board
        self._leaderboard = leaderboard
        self._cache = cache
        self._accounts = accounts
        self._names = names
        self._clock = clock
        self._kept = {places: _Kept() for places in (board.top, board.max_top)}

    def get(self, limit: int, caller: Caller | None) -> Document:
        """`{"data": [...], "cache_time": "...Z"}` with at most `limit` places; None is a caller whom nobody asks who they are.

        One round trip to Redis, in which the caller is checked, too; none for None. Raises what check_access raises.
        """
        places = self._board.top if limit <= self._board.top else self._board.max_top
        kept = self._kept[places]
        if caller is None:
            if self._clock.monotonic() >= kept.fresh_until:
                self._prepare(places, kept)
        else:
            known = kept.document
            document = ask(self._cache.cached(places), caller, self._accounts)
            if document is None:
                self._prepare(places, kept, gone=known)
            elif document != kept.document:
                kept.keep(document, self._clock)
        return kept.first(limit)

    def _prepare(self, places: int, kept: _Kept, gone: bytes | None = None) -> None:
        """Whoever comes first does it for all who wait meanwhile; a document that is `gone` from Redis is not fresh."""
        with kept.preparing:
            if self._clock.monotonic() < kept.fresh_until and kept.document is not gone:
                return
            document = self._cache.get(places)
            if document is None:
                as_of = self._clock.now()
                board = self._names.of(self._leaderboard.top(places, self._names.since))
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
    """`{userId, username, rank, score, neighbours: [...]}`, the player left out of the neighbours. One who is hidden sees where
    they would stand; nobody else finds them.

    One round trip to Redis, in which the caller is checked, too. Raises UnknownUser and what ask raises.
    """
    question = leaderboard.places(user_id, neighbours, names.since, is_own=caller.user_id == user_id)
    places = ask(question, caller, accounts)
    if places is None:
        raise UnknownUser
    standings = names.of(places)
    own = next(line for line in standings if line.user_id == user_id)
    return {**own.as_json(), "neighbours": [line.as_json() for line in standings if line is not own]}
