"""How often what costs us something may be asked for, by kind of request; updates have a rule of their own (rate_window)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Scope = Literal["user", "network", "everybody"]
RequestKind = Literal["registration", "token_refresh", "log_out", "ws_ticket", "action_ticket", "api_key_rotation"]


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """`requests` at once by whom `scope` says, and as many again, evenly, in each `window_seconds` that follow."""

    scope: Scope
    requests: int
    window_seconds: int


def registration_limits(of_a_network: int, in_all: int) -> tuple[RequestLimit, ...]:
    """In an hour: a hall full of players behind one address registers within minutes; a hundred halls do not."""
    return RequestLimit("network", of_a_network, 3600), RequestLimit("everybody", in_all, 3600)


LIMITS: Mapping[RequestKind, Sequence[RequestLimit]] = MappingProxyType(
    {
        "registration": registration_limits(600, 10_000),
        # Whose token it is shows only in the database, which is what this protects.
        "token_refresh": (RequestLimit("network", 300, 60),),
        "log_out": (RequestLimit("user", 30, 60),),
        "ws_ticket": (RequestLimit("user", 100, 60),),
        # Twice the updates that a ticket may be spent on.
        "action_ticket": (RequestLimit("user", 200, 60),),
        "api_key_rotation": (RequestLimit("user", 10, 3600),),
    }
)
