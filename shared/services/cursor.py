"""Where a page ends, as clients carry it to the next one."""

from __future__ import annotations

import base64
import binascii

from shared.errors import InvalidParameter

_PREFIX = b"before:"


def make_cursor(before_id: int) -> str:
    """Text fit for a query string."""
    return base64.urlsafe_b64encode(_PREFIX + str(before_id).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> int | None:
    """The id, or None for the first page; raises InvalidParameter."""
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    digits = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or not digits.isdigit() or len(digits) > 12:
        raise InvalidParameter("`cursor` must be the `nextCursor` of the page before, or left out.")
    return int(digits)
