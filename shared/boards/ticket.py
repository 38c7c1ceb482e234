"""Action tickets: whose next update goes under which request id, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.core.errors import InvalidActionTicket

LIFETIME_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ActionTicket:
    """Good for one update of one player before `expires_at` (UTC, whole milliseconds)."""

    request_id: str
    user_id: str
    expires_at: datetime

    @classmethod
    def new(cls, user_id: str, request_id: str, now: datetime) -> ActionTicket:
        """A ticket that lives for LIFETIME_SECONDS from now on."""
        whole = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return cls(request_id, user_id, whole + timedelta(seconds=LIFETIME_SECONDS))

    def must_belong_to(self, user_id: str) -> None:
        """Raise InvalidActionTicket when it was made for somebody else."""
        if user_id != self.user_id:
            raise InvalidActionTicket
