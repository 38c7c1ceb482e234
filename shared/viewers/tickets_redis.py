"""One-use tickets for the WebSocket handshake."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime

import redis

from shared.accounts.player import Caller
from shared.core.errors import InvalidTicket
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated

LIFETIME_SECONDS = 30
MAX_TICKET_LENGTH = 64


class WsTickets:
    """Tickets for the WebSocket handshake (Redis, 30 s), good for one use of each step it takes.

    Only a hash of the ticket is kept, and spending takes it away.
    """

    def __init__(self, client: redis.Redis, keys: ShardKeys) -> None:
        self._redis = client
        self._keys = keys

    def issue(self, caller: Caller) -> tuple[str, int]:
        """A ticket and the seconds it lives."""
        ticket = secrets.token_urlsafe(32)
        self.allow(ticket, "connect", caller)
        return ticket, LIFETIME_SECONDS

    def allow(self, ticket: str, step: str, caller: Caller) -> None:
        """Let a ticket that was spent be spent on another step as well."""
        document = {
            "userId": caller.user_id,
            "role": caller.role,
            "expiresAt": caller.expires_at.timestamp(),
            "sessionId": caller.session_id,
        }
        with translated():
            self._redis.set(self._key(ticket, step), json.dumps(document), ex=LIFETIME_SECONDS)

    def spend(self, ticket: str, step: str = "connect") -> Caller:
        """Who the ticket was made for; raises InvalidTicket."""
        if len(ticket) > MAX_TICKET_LENGTH or not ticket.isascii():
            raise InvalidTicket
        with translated():
            document = self._redis.getdel(self._key(ticket, step))
        if document is None:
            raise InvalidTicket
        fields = json.loads(document)
        expires_at = datetime.fromtimestamp(fields["expiresAt"], UTC)
        return Caller(fields["userId"], fields["role"], expires_at, fields["sessionId"])

    def _key(self, ticket: str, step: str) -> str:
        return self._keys.ws_ticket(hashlib.sha256(f"{step} {ticket}".encode()).hexdigest())
