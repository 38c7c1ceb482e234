"""Sessions: what came from one log-in, until somebody ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from shared.accounts.player import Role
from shared.boards.ranking import Position

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
# An ended session must be known for as long as one of its access tokens could be shown, by whichever clock.
REMEMBERED = ACCESS_TOKEN_LIFETIME + timedelta(minutes=1)
# For so long after its first use a refresh token gives its successor again; with the Idempotency-Key of its first use, so long.
RENEWAL_GRACE = timedelta(seconds=30)
RENEWAL_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that ended, when (UTC), and of which account."""

    session_id: str
    ended_at: datetime
    user_id: str = ""

    @property
    def known_until(self) -> datetime:
        """When every access token of it has expired."""
        return self.ended_at + REMEMBERED


@dataclass(frozen=True, slots=True)
class Successor:
    """A refresh token that is to follow another one: its hash, the token `sealed` under the one before it, and a hash of the
    Idempotency-Key of the request, empty without one.
    """

    token_hash: str
    sealed: str = field(repr=False)
    key_hash: str = ""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of a refresh token that was shown: whose it is, of which session, and whether that goes on or `ended`.

    `first_successor` is the sealed token that it gave before and gives again.
    """

    user_id: str
    session_id: str
    ended: Sequence[EndedSession] = ()
    first_successor: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PreparedBoard:
    """Somebody came for the prepared board of so many places."""

    places: int


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody came for a player's place, and so many places on each side of it."""

    user_id: str
    neighbours: int


Errand = PreparedBoard | Place | None


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller may come in, with the role the account has now.

    `board` is the prepared board, where they came for that and there is one; `positions` are those on both sides of the player
    they came for, best first, and none when that player is not on the board.
    """

    role: Role
    board: bytes | None = None
    positions: Sequence[Position] = ()


class Missing(Enum):
    """What a script must be given before it can decide."""

    EPOCH = auto()
    SESSIONS = auto()
    PROFILE = auto()
    MEMBER = auto()
    HISTORY = auto()
