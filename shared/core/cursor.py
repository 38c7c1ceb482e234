"""Where a page ends, as clients carry it to the next one."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from shared.core.errors import InvalidParameter

_BEFORE, _AFTER, _PLACE = b"before:", b"after:", b"place:"
_MAX_NAME = 50
_MAX_TEXT, _MAX_INTEGER = 150, 2**53 - 1
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
        raise nonsense()
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
        raise nonsense()
    return name.decode()


def make_place_cursor(values: Sequence[str | int]) -> str:
    """The same for a place that takes several values to tell."""
    return _written(_PLACE, json.dumps(values, separators=(",", ":")))


def read_place_cursor(cursor: str, kinds: Sequence[tuple[type, ...]]) -> list[Any]:
    """The values, each of one of the kinds (str, int) that are possible in its place; raises InvalidParameter."""
    try:
        values = json.loads(_read(_PLACE, cursor))
    except (ValueError, RecursionError):
        raise nonsense() from None
    if not isinstance(values, list) or len(values) != len(kinds):
        raise nonsense()
    for value, possible in zip(values, kinds, strict=True):
        if type(value) not in possible:
            raise nonsense()
        if len(value) > _MAX_TEXT or not value.isprintable() if isinstance(value, str) else abs(value) > _MAX_INTEGER:
            raise nonsense()
    return values


def _written(prefix: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(prefix + text.encode()).decode().rstrip("=")


def _read(prefix: bytes, cursor: str) -> bytes:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    if not text.startswith(prefix):
        raise nonsense()
    return text.removeprefix(prefix)


def nonsense() -> InvalidParameter:
    """What is raised for a cursor that nobody was given."""
    return InvalidParameter("`cursor` must be the `nextCursor` of the page before, or left out.")
