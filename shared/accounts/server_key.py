"""Server keys: credentials of a game's own server, which is no user."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from shared.core.clock import utc_text
from shared.core.errors import InvalidParameter, InvalidServerKey
from shared.core.ids import BOARD_NAME
from shared.core.text import is_readable

BEGINNING = "sk_"
MAX_BOARDS, MAX_NAME_LENGTH = 100, 50
SCOPES = ("boards", "read", "write", "moderate")
DEFAULT_SCOPES = ("read", "write")
KEY_ID = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(rf"sk_({KEY_ID.pattern})_[A-Za-z0-9_-]{{43}}")
_USUAL = " and ".join(DEFAULT_SCOPES)


class ServerCredential(NamedTuple):
    """Which server key was shown, and its SHA-256 (hex): whether it is good is for the script to say that it is shown to."""

    key_id: str
    key_hash: str

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"server:{self.key_id}"


class GoodKey(NamedTuple):
    """What is asked of a key that is shown: SHA-256 (hex); the boards it is good for, None for all; what it may do there."""

    key_hash: str
    boards: Sequence[str] | None
    scopes: Sequence[str] = DEFAULT_SCOPES


class MintedKey(NamedTuple):
    """A key that was just made; `text` is shown this once."""

    text: str
    credential: ServerCredential


@dataclass(frozen=True, slots=True)
class ServerKey:
    """What is known of a key; `boards` is None where it is good for all, `scopes` where it has those that keys had always."""

    key_id: str
    name: str
    boards: Sequence[str] | None
    scopes: Sequence[str] | None
    created_by: str
    created_at: datetime
    rotated_at: datetime | None = None
    revoked_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """In the words of the API."""
        return {
            "keyId": self.key_id,
            "name": self.name,
            "boards": None if self.boards is None else list(self.boards),
            "scopes": list(self.scopes or DEFAULT_SCOPES),
            "createdBy": self.created_by,
            "createdAt": utc_text(self.created_at),
            "rotatedAt": None if self.rotated_at is None else utc_text(self.rotated_at),
            "revokedAt": None if self.revoked_at is None else utc_text(self.revoked_at),
        }


def mint(key_id: str | None = None) -> MintedKey:
    """A new key, or another secret for one that there is."""
    text = f"{BEGINNING}{key_id or secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"
    return MintedKey(text, parse_server_key(text))


def parse_server_key(text: str) -> ServerCredential:
    """The key in a bearer token; raises InvalidServerKey."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise InvalidServerKey
    return ServerCredential(match[1], hashlib.sha256(text.encode()).hexdigest())


def parse_new_key(body: Mapping[str, Any]) -> tuple[str, list[str] | None, list[str]]:
    """Read `{"name", "boards"?, "scopes"?}`; raises InvalidParameter."""
    name, boards = body.get("name"), body.get("boards")
    if not isinstance(name, str) or not is_readable(name) or len(name.strip()) > MAX_NAME_LENGTH:
        raise InvalidParameter(
            f"`name` must be a text of 1 to {MAX_NAME_LENGTH} characters, on one line, that says which server has the key."
        )
    if boards is not None and not (
        isinstance(boards, list)
        and 1 <= len(boards) <= MAX_BOARDS
        and all(isinstance(board, str) and BOARD_NAME.fullmatch(board) for board in boards)
    ):
        raise InvalidParameter(f"`boards` must be a list of 1 to {MAX_BOARDS} ids of boards; without it the key is good for all.")
    scopes = body.get("scopes")
    if scopes is not None and (not isinstance(scopes, list) or not scopes or any(each not in SCOPES for each in scopes)):
        raise InvalidParameter(f"`scopes` must be a list of one or more of {', '.join(SCOPES)}; without it the key may {_USUAL}.")
    return name.strip(), boards, [each for each in SCOPES if each in (scopes or DEFAULT_SCOPES)]
