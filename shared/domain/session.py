"""Sessions: what came from one log-in, until somebody ends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.player import Role

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
# An ended session must be known for as long as one of its access tokens could be shown, by whichever clock.
REMEMBERED = ACCESS_TOKEN_LIFETIME + timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that ended, and when (UTC)."""

    session_id: str
    ended_at: datetime

    @property
    def known_until(self) -> datetime:
        """When every access token of it has expired."""
        return self.ended_at + REMEMBERED


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of a refresh token that was shown: whose it is, of which session, and whether that goes on."""

    user_id: str
    session_id: str
    ended: EndedSession | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller may come in, with the role the account has now; `board` is the prepared board where that was asked for, too."""

    role: Role
    board: bytes | None = None
