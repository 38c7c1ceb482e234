"""Give a browser, which cannot set headers on a WebSocket, a ticket for one handshake."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.accounts.player import Caller
from shared.accounts.session import ACCESS_TOKEN_LIFETIME
from shared.core.clock import Clock

if TYPE_CHECKING:
    from shared.accounts.redis import RequestLimits
    from shared.viewers.tickets_redis import WsTickets


# API Gateway ends a connection after two hours, and after ten minutes in which nothing was sent.
LONGEST_SECONDS = 7200
PING_SECONDS = 240
# A crowd that came together is spread over a fifth of the time it may stay.
EARLIEST, LATEST = 0.75, 0.95
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class WatchingPlace:
    """Where viewers connect: the `url`, empty for /ws of the same host, and where it is an AppSync Events API the `channel`."""

    url: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class WsTicket:
    """Good once, for `expires_in_seconds`; the connection it opens should be replaced after `reconnect_in_seconds`.

    Unless it `hears_broadcast` it is sent what it subscribes to, and nothing of `main`.
    """

    ticket: str = field(repr=False)
    expires_in_seconds: int
    reconnect_in_seconds: int
    place: WatchingPlace
    hears_broadcast: bool = True

    def as_json(self) -> dict[str, str | int]:
        """In the words of the API."""
        told: dict[str, str | int] = {} if self.hears_broadcast else {"broadcast": False}
        told |= {
            "ticket": self.ticket,
            "expiresIn": self.expires_in_seconds,
            "pingInterval": PING_SECONDS,
            "reconnectIn": self.reconnect_in_seconds,
        }
        return told | {name: text for name, text in (("url", self.place.url), ("channel", self.place.channel)) if text}


def issue_ws_ticket(
    caller: Caller, limits: RequestLimits, tickets: WsTickets, place: WatchingPlace, clock: Clock, spread: float
) -> WsTicket:
    """The connection it opens ends when the caller's access token does; raises TooManyRequests.

    `spread`, a random number from 0 to 1, keeps those who connect at the same time from reconnecting at the same time.
    """
    limits.admit("ws_ticket", user_id=caller.user_id)
    return _issue(caller, tickets, place, clock, spread)


def issue_anonymous_ws_ticket(
    source_ip: str,
    limits: RequestLimits,
    tickets: WsTickets,
    place: WatchingPlace,
    clock: Clock,
    spread: float,
    *,
    hears_broadcast: bool,
) -> WsTicket:
    """For a public board: the connection belongs to no account and lasts as long as one with a new access token.

    Limited for each network; raises TooManyRequests. Otherwise as issue_ws_ticket.
    """
    limits.admit("anonymous_ws_ticket", source_ip=source_ip)
    ticket = _issue(Caller("", "player", clock.now() + ACCESS_TOKEN_LIFETIME), tickets, place, clock, spread)
    return replace(ticket, hears_broadcast=hears_broadcast)


def issue_operator_ticket(tickets: WsTickets, clock: Clock, spread: float) -> WsTicket:
    """Whoever shows it may watch, as a player may, and no more; otherwise as issue_ws_ticket."""
    caller = Caller(OPERATOR, "player", clock.now() + timedelta(seconds=LONGEST_SECONDS))
    return _issue(caller, tickets, WatchingPlace(), clock, spread)


def _issue(caller: Caller, tickets: WsTickets, place: WatchingPlace, clock: Clock, spread: float) -> WsTicket:
    ticket, expires_in_seconds = tickets.issue(caller)
    stays = min((caller.expires_at - clock.now()) / timedelta(seconds=1), LONGEST_SECONDS)
    reconnect_in_seconds = max(1, int(stays * (EARLIEST + (LATEST - EARLIEST) * spread)))
    return WsTicket(ticket, expires_in_seconds, reconnect_in_seconds, place)
