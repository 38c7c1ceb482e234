"""How often what costs us something may be asked for, by kind of request; updates have a rule of their own (update_score.lua)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.core.rate_window import RateWindow

Scope = Literal["user", "network", "everybody"]
RequestKind = Literal[
    "registration",
    "password_check",
    "session",
    "token_refresh",
    "password_change",
    "display_name_change",
    "log_out",
    "ws_ticket",
    "anonymous_ws_ticket",
    "action_ticket",
    "api_key_rotation",
]


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """`requests` at once by whom `scope` says, and as many again, evenly, in each `window_seconds` that follow."""

    scope: Scope
    requests: int
    window_seconds: int

    def window(self, kind: RequestKind, remaining: int, reset_seconds: float) -> RateWindow:
        """What is left of it, under a name that says whom it counts."""
        return RateWindow(self.requests, self.window_seconds, remaining, reset_seconds, f"{kind}_{self.scope}")


def request_limits(
    *, network_registrations: int, registrations: int, updates: int, update_window_seconds: int
) -> Mapping[RequestKind, Sequence[RequestLimit]]:
    """The limits of each kind: registrations in an hour, from a network and in all; `updates` are those a player may make."""
    return {
        # A hall full of players behind one address registers within minutes; a hundred halls do not.
        "registration": (RequestLimit("network", network_registrations, 3600), RequestLimit("everybody", registrations, 3600)),
        # Also those that fit: each costs as much as a thousand other requests, and who waits for it keeps others waiting.
        "password_check": (RequestLimit("network", 300, 60),),
        # Each is a row in the database for a month. Counted when the password was right: nobody uses up another's.
        "session": (RequestLimit("user", 300, 3600),),
        # Whose token it is shows only in the database, which is what this protects.
        "token_refresh": (RequestLimit("network", 300, 60),),
        "password_change": (RequestLimit("user", 10, 3600),),
        "display_name_change": (RequestLimit("user", 10, 3600),),
        "log_out": (RequestLimit("user", 30, 60),),
        "ws_ticket": (RequestLimit("user", 100, 60),),
        # A hall full of spectators behind one address opens a public board at once.
        "anonymous_ws_ticket": (RequestLimit("network", 1000, 60),),
        # For every update one, and another where the first one expired.
        "action_ticket": (RequestLimit("user", 2 * updates, update_window_seconds),),
        "api_key_rotation": (RequestLimit("user", 10, 3600),),
    }
