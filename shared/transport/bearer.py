"""Finds the access token in a request's headers (RFC 6750)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.core.errors import MissingToken

_BEARER = re.compile(r"(?i:Bearer) +([A-Za-z0-9._~+/=-]+) *")


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token of the Authorization header (lower-case names); raises MissingToken."""
    match = _BEARER.fullmatch(headers.get("authorization", ""))
    if match is None:
        raise MissingToken
    return match[1]
