"""What connections watch beside the broadcast: each view is a channel with a conflated broadcast of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import gevent

from local_runtime import metrics
from local_runtime.gateway.websocket.broadcast import Broadcast
from local_runtime.gateway.websocket.connection import Connection, QueueFull

# Published in a view's channel it is the last word: the view is watched no longer.
_END = b'{"type":"error",'


class Subscription(NamedTuple):
    """The view that a connection watches under a key of its own, and the message by which it asked for that."""

    view: str
    message: str


class Views:
    """Views by name, as long as somebody watches them.

    `on_changed` is told that others are watched than before; it is called in the event loop and must not wait. `ask_again` is
    given the messages by which views were asked for that may have missed something.
    """

    def __init__(
        self,
        interval_seconds: float,
        ask_again: Callable[[Connection, str], object],
        on_changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._ask_again = ask_again
        self.on_changed = on_changed
        self._views: dict[str, _View] = {}
        self._subscriptions: dict[str, dict[str, Subscription]] = {}

    @property
    def names(self) -> list[str]:
        """Of those that somebody watches."""
        return list(self._views)

    def keys_of(self, connection_id: str) -> Iterable[str]:
        """Under which a connection watches something."""
        return self._subscriptions.get(connection_id, {})

    def is_subscribed(self, connection_id: str, message: str) -> bool:
        """Whether what was asked for by this message is still watched."""
        return any(each.message == message for each in self._subscriptions.get(connection_id, {}).values())

    def subscribe(self, connection: Connection, key: str, subscription: Subscription, since: int) -> None:
        """Send a connection all frames newer than the version `since`, in the place of what had the key."""
        connection_id, name = connection.peer.connection_id, subscription.view
        subscriptions = self._subscriptions.setdefault(connection_id, {})
        before = subscriptions.get(key)
        subscriptions[key] = subscription
        if before is not None and before.view != name:
            self._leave_view(connection_id, before.view)
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = _View(self._interval_seconds)
            self._changed()
        watcher = view.watchers.setdefault(connection_id, _Watcher(connection, name))
        watcher.since = max(watcher.since, since)
        newest = view.broadcast.snapshot()
        if newest is not None and view.broadcast.version > watcher.since:
            watcher.offer(newest)

    def unsubscribe(self, connection_id: str, key: str) -> None:
        """What has the key is watched no longer."""
        subscriptions = self._subscriptions.get(connection_id, {})
        subscription = subscriptions.pop(key, None)
        if not subscriptions:
            self._subscriptions.pop(connection_id, None)
        if subscription is not None:
            self._leave_view(connection_id, subscription.view)

    def give_up(self, connection_id: str, message: str) -> None:
        """What was asked for by this message is watched no longer."""
        for key, subscription in list(self._subscriptions.get(connection_id, {}).items()):
            if subscription.message == message:
                self.unsubscribe(connection_id, key)

    def leave(self, connection_id: str) -> None:
        """The connection has ended."""
        for subscription in self._subscriptions.pop(connection_id, {}).values():
            self._leave_view(connection_id, subscription.view)

    def publish(self, name: str, text: bytes) -> None:
        """Take a frame of a view, or its end."""
        view = self._views.get(name)
        if view is None:
            return
        if not text.startswith(_END):
            view.broadcast.publish(text)
            return
        for watcher in list(view.watchers.values()):
            connection = watcher.connection
            for key, subscription in list(self._subscriptions.get(connection.peer.connection_id, {}).items()):
                if subscription.view == name:
                    self.unsubscribe(connection.peer.connection_id, key)
            if connection.is_open:
                with contextlib.suppress(QueueFull):
                    connection.post_text(text)

    def missed(self, names: Sequence[str]) -> None:
        """Frames of these views may not have been made for a while: all who watch them ask for them again."""
        for name in names:
            view = self._views.get(name)
            for watcher in list(view.watchers.values()) if view is not None else ():
                connection_id = watcher.connection.peer.connection_id
                for subscription in list(self._subscriptions.get(connection_id, {}).values()):
                    if subscription.view == name:
                        self._ask_again(watcher.connection, subscription.message)

    def _leave_view(self, connection_id: str, name: str) -> None:
        if any(each.view == name for each in self._subscriptions.get(connection_id, {}).values()):
            return
        view = self._views.get(name)
        watcher = view.watchers.pop(connection_id, None) if view is not None else None
        if watcher is not None:
            watcher.connection.forget(name)
        if view is not None and not view.watchers:
            view.end()
            del self._views[name]
            self._changed()

    def _changed(self) -> None:
        metrics.views.set(len(self._views))
        self.on_changed()


class _Watcher:
    """A connection that watches a view; it has the version `since`."""

    __slots__ = ("_name", "connection", "since")

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.since = 0
        self._name = name

    def offer(self, frame: bytes) -> int:
        """See Viewer."""
        self.connection.last_active_at = time.monotonic()
        return self.connection.offer(frame, self._name)


class _View:
    """Who watches it, and the greenlet that sends them its frames."""

    def __init__(self, interval_seconds: float) -> None:
        self.watchers: dict[str, _Watcher] = {}
        self.broadcast = Broadcast(self._behind, interval_seconds)
        self._sending = gevent.spawn(self.broadcast.run)

    def end(self) -> None:
        """Send nothing more."""
        self._sending.kill(block=False)

    def _behind(self) -> list[_Watcher]:
        """Those who have not got the frame that is being sent, or a newer one."""
        return [watcher for watcher in self.watchers.values() if watcher.since < self.broadcast.version]
