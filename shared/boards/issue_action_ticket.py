"""Give a player a ticket for their next update: its request id, signed, so that the update can be made once and no other."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from shared.accounts.player import Caller
from shared.accounts.ports import RequestLimits
from shared.boards.ports import TicketSigner
from shared.boards.ticket import ActionTicket
from shared.core.clock import utc_text
from shared.core.errors import NotAPlayer
from shared.core.platform import Clock


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
