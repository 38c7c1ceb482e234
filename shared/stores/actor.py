"""Who does something that is audited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something that is audited: a user id or `operator`, from which address, with which request."""

    name: str
    source_ip: str | None = None
    request_id: str | None = None


OPERATOR = Actor("operator")
