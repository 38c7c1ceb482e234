"""Sessions: what came from one log-in, until somebody ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Generic, NamedTuple, TypeVar

from shared.accounts.player import Role

T_co = TypeVar("T_co", covariant=True)
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
class Question(Generic[T_co]):
    """What a caller came for: a command that is sent along with the check of their access, and how its answer is read.

    `read` may raise what the question's subject raises. It is not called for somebody who may not come in.
    """

    command: tuple[Any, ...]
    read: Callable[[Any], T_co]


class Admission(NamedTuple):
    """A caller may come in, with the role the account has now; `answer` is what Redis said to their question, unread."""

    role: Role
    answer: Any = None


class Missing(Enum):
    """What a script must be given before it can decide."""

    EPOCH = auto()
    SESSIONS = auto()
    PROFILE = auto()
    MEMBER = auto()
    HISTORY = auto()
    SERVER_KEY = auto()
