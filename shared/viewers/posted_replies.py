"""Replies to messages of connections that API Gateway holds: nothing of what a function answers there reaches the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from shared.core.errors import ViewersUnavailable
from shared.core.logs import get_logger
from shared.viewers.frame import version_in
from shared.viewers.posts import GONE
from shared.viewers.view import View

if TYPE_CHECKING:
    from shared.viewers.connections_redis import Connections
    from shared.viewers.management_api import ManagementApi
    from shared.viewers.subscriptions_redis import Subscriptions

# The function's time-out must leave room for this and the time-out of a request, twice: a refusal may come behind the answer.
POST_SECONDS = 3.0
_log = get_logger(__name__)


class Reply(Protocol):
    """A message to a connection, and the subscription (id and view) or the end of one (id) behind it."""

    @property
    def text(self) -> str:
        """The message."""
        ...

    @property
    def subscribe(self) -> tuple[str, str] | None:
        """What is watched from then on."""
        ...

    @property
    def unsubscribe(self) -> str | None:
        """What is watched no longer."""
        ...


class PostedReplies:
    """Posts replies, and keeps the subscriptions behind them. `ask_for_broadcast` is told of boards."""

    def __init__(
        self,
        connections: Connections,
        subscriptions: Subscriptions,
        gateway: ManagementApi,
        ask_for_broadcast: Callable[[list[str]], object],
    ) -> None:
        self._connections = connections
        self._subscriptions = subscriptions
        self._gateway = gateway
        self._ask_for_broadcast = ask_for_broadcast

    def known(self, connection_id: str) -> Mapping[str, str]:
        """As a gateway of our own tells it: whose the connection is, and the ids of its subscriptions. Raises TokenExpired."""
        known = self._subscriptions.known(connection_id)
        return {"principalId": known.user_id, "subscriptions": " ".join(quote(each, safe="") for each in known.subscriptions)}

    def heed(self, connection_id: str, reply: Reply) -> None:
        """Post the message; a subscription begins behind it, so that no frame overtakes the answer, and ends in front of it.

        Raises ViewersUnavailable, TokenExpired and TooManyRequests.
        """
        if reply.unsubscribe is not None and (view := self._subscriptions.view_of(connection_id, reply.unsubscribe)):
            self._subscriptions.leave(connection_id, view, reply.unsubscribe)
        status = self._gateway.post(connection_id, reply.text.encode(), POST_SECONDS)
        if status in GONE:
            self._connections.forget([connection_id])
            self._subscriptions.forget([connection_id])
            return
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            _log.warning("an answer could not be posted", extra={"status": status})
            raise ViewersUnavailable
        if reply.subscribe is not None:
            subscription_id, view = reply.subscribe
            is_owed = self._subscriptions.watch(connection_id, subscription_id, view, version_in(reply.text))
            if is_owed and (watched := View.parse(view)) is not None:
                self._ask_for_broadcast([watched.board_id])
