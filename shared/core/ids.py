"""How ids are made and compared: of players, so that the order of equal scores is a fair one, of updates, and of boards."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, ascii_uppercase
from uuid import UUID

_secret_bits = random.SystemRandom().getrandbits
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BITS = 60
RANDOM_BYTES = 8
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
BOARD_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")  # the id of a board, and the name of a period
_SMALL_LETTERS = str.maketrans(ascii_uppercase, ascii_lowercase)
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # RFC 9562: the two upper bits are 10


def new_user_id(now: datetime, random_bytes: bytes) -> str:
    """A UUID of version 8 (RFC 9562) that sorts before every id made earlier; give it 8 random bytes.

    Redis orders members of equal score by name, and ZREVRANGE reads them backwards: the greatest name first. So the id begins
    with the time turned around (48 bits of milliseconds, then 12 bits of their fraction, subtracted from the greatest value):
    who registered earlier has the greater id and stands first. The other 62 bits are random.
    """
    ticks = ((now - _EPOCH) // timedelta(microseconds=1)) * 4096 // 1000
    backwards = (1 << _TIME_BITS) - 1 - ticks
    milliseconds, fraction = backwards >> 12, backwards & 0xFFF
    random = int.from_bytes(random_bytes[:RANDOM_BYTES], "big") & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 0x8 << 76 | fraction << 64 | 0b10 << 62 | random))


def new_request_id(random_bits: Callable[[int], int] = _secret_bits) -> str:
    """A UUID of version 4; the standard library's takes four times as long to make one.

    `random.getrandbits` may make those that are names and no secrets.
    """
    digits = f"{random_bits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


def canonical_id(text: str) -> str:
    """The one form in which ids are compared and stored: a UUID in small letters, whatever the client's platform prints.

    Anything else is returned unchanged: ids of an outside identity provider may differ in nothing but the case of a letter.
    A UUID without hyphens or in braces is not one here.
    """
    return text.lower() if not text.islower() and _UUID.fullmatch(text) else text


def folded(username: str) -> str:
    """The form in which names are compared: A to Z in small letters, no other change: lower() of PostgreSQL in collation "C"."""
    return username.translate(_SMALL_LETTERS)
