"""Action tickets: each lets one update count, once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.accounts.player import Caller
from shared.core.clock import Clock, utc_text
from shared.core.errors import InvalidActionTicket, NotAPlayer

if TYPE_CHECKING:
    from shared.accounts.redis import RequestLimits
    from shared.boards.hmac_tickets import TicketSigner


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


@dataclass(frozen=True, slots=True)
class SignedTicket:
    """A ticket and the text that is to be sent as X-Action-Ticket."""

    ticket: ActionTicket
    text: str = field(repr=False)

    def as_json(self) -> dict[str, str]:
        """In the words of the API."""
        expires_at = utc_text(self.ticket.expires_at)
        return {"requestId": self.ticket.request_id, "ticket": self.text, "expiresAt": expires_at}


def issue_action_ticket(user_id: str, caller: Caller, limits: RequestLimits, tickets: TicketSigner, clock: Clock) -> SignedTicket:
    """Nothing is stored, so tickets that are never spent cost nothing; raises NotYourScore, NotAPlayer or TooManyRequests."""
    caller.must_own(user_id)
    if caller.role != "player":
        raise NotAPlayer
    limits.admit("action_ticket", user_id=caller.user_id)
    ticket = ActionTicket.new(user_id, str(uuid.uuid4()), clock.now())
    return SignedTicket(ticket, tickets.sign(ticket))
