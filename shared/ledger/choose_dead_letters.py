"""Which dead letters an operator means, read from a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core.errors import InvalidParameter
from shared.core.ids import canonical_id
from shared.ledger.dead_letter import Choice

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
MAX_NAMED = 1000
_MAX_ID = 2**63 - 1


def parse_choice(body: Mapping[str, Any]) -> Choice:
    """Read `{"limit"?: n, "ids"?: [...], "requestIds"?: [...]}`; raises InvalidParameter.

    A list that is null or empty is refused: it does not mean all of them.
    """
    limit = body.get("limit", DEFAULT_LIMIT)
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidParameter(f"`limit` must be an integer from 1 to {MAX_LIMIT}.")
    return Choice(limit, _listed(body, "ids", int), _listed(body, "requestIds", str))


def _listed(body: Mapping[str, Any], name: str, kind: type) -> tuple[Any, ...]:
    if name not in body:
        return ()
    values = body[name]
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_NAMED or not all(type(value) is kind for value in values):
        what = "ids of dead letters" if kind is int else "request ids"
        raise InvalidParameter(f"`{name}` must be a list of 1 to {MAX_NAMED} {what}, or left out.")
    if kind is int and not all(0 < value <= _MAX_ID for value in values):
        raise InvalidParameter(f"`{name}` must be ids of dead letters.")
    return tuple(map(canonical_id, values)) if kind is str else tuple(values)
