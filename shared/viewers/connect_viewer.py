"""Admit who may watch, through any of the gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.accounts.check_access import Accounts, check_access
from shared.accounts.player import Caller
from shared.boards.board import MAIN
from shared.core.clock import Clock
from shared.core.errors import Forbidden, MissingToken, TokenExpired
from shared.ledger.ask_for_broadcast import ask_for_broadcast
from shared.ledger.ports import EventPublisher
from shared.viewers.ports import Viewers

if TYPE_CHECKING:
    from shared.viewers.tickets_redis import WsTickets
    from shared.viewers.views_redis import BoardViews


CONNECT = "EVENT_CONNECT"
SUBSCRIBE = "EVENT_SUBSCRIBE"
_STEP = "subscribe"


def check_viewer(caller: Caller, accounts: Accounts, *, is_public: bool) -> Caller:
    """Whose ticket was spent, in the role that the account has now; without an account only while there is something public.

    Raises MissingToken and what check_access does.
    """
    if not caller.is_anonymous:
        return check_access(caller, accounts)
    if not is_public:
        raise MissingToken
    return caller


def authorize_viewer(
    operation: str,
    channel: str,
    ticket: str,
    live_channel: str,
    tickets: WsTickets,
    accounts: Accounts,
    clock: Clock,
    *,
    is_public: bool,
) -> None:
    """Each ticket is good for one connection and for one subscription on it, to the live channel and nothing else.

    Raises InvalidTicket, TokenExpired, what check_viewer does, and Forbidden for whatever else is asked: viewers never publish.
    """
    if operation == CONNECT:
        caller = check_viewer(tickets.spend(ticket), accounts, is_public=is_public)
        tickets.allow(ticket, _STEP, caller)
    elif operation == SUBSCRIBE and channel == live_channel:
        caller = check_viewer(tickets.spend(ticket, _STEP), accounts, is_public=is_public)
    else:
        raise Forbidden
    if caller.expires_at <= clock.now():
        raise TokenExpired


def connect_viewer(
    caller: Caller,
    connection_id: str,
    viewers: Viewers,
    publisher: EventPublisher,
    clock: Clock,
    *,
    hears_broadcast: bool = True,
) -> int:
    """Note the viewer; answer the epoch second at which the session ends.

    Raises TokenExpired, TooManyViewers, ViewersUnavailable. A newcomer who `hears_broadcast` is shown the newest frame; where it
    is not there to be shown a broadcast brings it. Others see what they subscribe to.
    """
    if caller.expires_at <= clock.now():
        raise TokenExpired
    viewers.know(connection_id, caller, hears_broadcast=hears_broadcast)
    if hears_broadcast and not viewers.welcome(connection_id, caller.expires_at):
        ask_for_broadcast(publisher, clock)
    return int(caller.expires_at.timestamp())


def sweep_viewers(viewers: Viewers, views: BoardViews | None, publisher: EventPublisher, clock: Clock) -> int:
    """Answer how many were dropped. `views` is None where only `main` is live."""
    sweep = viewers.sweep()
    behind = [*([MAIN.board_id] if sweep.is_behind else []), *(views.behind() if views is not None else [])]
    if behind:
        ask_for_broadcast(publisher, clock, behind)
    return sweep.ended
