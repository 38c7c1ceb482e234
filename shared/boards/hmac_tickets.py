"""Action tickets as text that only we can have written: nothing is stored until one is spent."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.boards.action_tickets import ActionTicket
from shared.core.errors import InvalidActionTicket
from shared.core.secret_keys import read_payload_keys
from shared.stores.sealing import derived_keys

MAX_TEXT_LENGTH = 256
_PURPOSE = b"scoreboard action ticket 1"
_ID_BYTES, _TIME_BYTES = 16, 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TicketSigner:
    """Action tickets as text that nobody else can write; nothing is stored.

    `<key id>.<base64url of request id, expiry and user id>.<base64url of HMAC-SHA-256>`.

    The first key signs, all of them verify. They are derived (HKDF, RFC 5869) from keys that serve another purpose, so that what
    is made with one tells nothing of the other.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = derived_keys(keys, _PURPOSE)
        self._current = next(iter(keys))

    @classmethod
    def from_setting(cls, setting: str) -> TicketSigner:
        """Derive from PAYLOAD_KEYS; raises ConfigurationError, never printing a key."""
        return cls(read_payload_keys(setting))

    def sign(self, ticket: ActionTicket) -> str:
        """The ticket with its signature, ASCII, fit for a header; its request id must be a UUID."""
        expires_ms = (ticket.expires_at - _EPOCH) // timedelta(milliseconds=1)
        fields = UUID(ticket.request_id).bytes + expires_ms.to_bytes(_TIME_BYTES, "big") + ticket.user_id.encode()
        signed = f"{self._current}.{_base64url(fields)}"
        return f"{signed}.{self._signature(self._current, signed)}"

    def verify(self, text: str) -> ActionTicket:
        """The ticket of a text; raises InvalidActionTicket.

        Whether it has expired is for the clock of those who spend it to say.
        """
        if len(text) > MAX_TEXT_LENGTH or not text.isascii():
            raise InvalidActionTicket
        signed, _, signature = text.rpartition(".")
        key_id, _, encoded = signed.partition(".")
        if key_id not in self._keys or not hmac.compare_digest(signature, self._signature(key_id, signed)):
            raise InvalidActionTicket
        fields = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        expires_ms = int.from_bytes(fields[_ID_BYTES : _ID_BYTES + _TIME_BYTES], "big")
        return ActionTicket(
            request_id=str(UUID(bytes=fields[:_ID_BYTES])),
            user_id=fields[_ID_BYTES + _TIME_BYTES :].decode(),
            expires_at=_EPOCH + timedelta(milliseconds=expires_ms),
        )

    def _signature(self, key_id: str, signed: str) -> str:
        return _base64url(hmac.digest(self._keys[key_id], signed.encode(), "sha256"))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
