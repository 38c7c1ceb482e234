"""Where a page ends, as clients carry it to the next one."""

from __future__ import annotations

import base64
import binascii

from shared.core.errors import InvalidParameter

_BEFORE, _AFTER = b"before:", b"after:"
_MAX_NAME = 50
MAX_ID = 2**63 - 1


def make_cursor(before_id: int) -> str:
    """Text fit for a query string."""
    return _written(_BEFORE, str(before_id))


def read_cursor(cursor: str) -> int | None:
    """The id, or None for the first page; raises InvalidParameter."""
    if not cursor:
        return None
    digits = _read(_BEFORE, cursor)
    if not digits.isdigit() or len(digits) > 19 or int(digits) > MAX_ID:
        raise _nonsense()
    return int(digits)


def make_name_cursor(name: str) -> str:
    """The same for what is in the order of names."""
    return _written(_AFTER, name)


def read_name_cursor(cursor: str) -> str:
    """The name, or "" for the first page; raises InvalidParameter."""
    if not cursor:
        return ""
    name = _read(_AFTER, cursor)
    if not name.isascii() or len(name) > _MAX_NAME or b"\0" in name:
        raise _nonsense()
    return name.decode()


def _written(prefix: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(prefix + text.encode()).decode().rstrip("=")


def _read(prefix: bytes, cursor: str) -> bytes:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    if not text.startswith(prefix):
        raise _nonsense()
    return text.removeprefix(prefix)


def _nonsense() -> InvalidParameter:
    return InvalidParameter("`cursor` must be the `nextCursor` of the page before, or left out.")
