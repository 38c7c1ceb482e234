"""Closes connections whose account or session is not welcome any more, as those say who ended it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from local_runtime.gateway.websocket.connection import Connection

logger = logging.getLogger(__name__)

# For so long a handshake may be under way that was admitted before the dismissal.
_REMEMBERED_SECONDS = 60.0


class Dismissal(msgspec.Struct, frozen=True):
    """All connections with this label that began before `at` (seconds since the epoch) are closed with code and reason."""

    label: str
    at: float
    code: int
    reason: str


class Dismissals:
    """Knows the labels of the open connections; what `$connect` gives as labels is what dismissals name."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._labels: dict[str, Sequence[str]] = {}
        self._labelled: dict[str, dict[str, tuple[float, Connection]]] = {}
        self._recent: dict[str, Dismissal] = {}

    def join(self, connection_id: str, connected_at: float, connection: Connection, labels: Sequence[str]) -> None:
        """A new connection; it is closed at once when it was dismissed while its handshake was under way.

        One that ended at its first words has taken its leave already, so nothing is kept of it.
        """
        if not connection.is_open:
            return
        self._labels[connection_id] = labels
        for label in labels:
            self._labelled.setdefault(label, {})[connection_id] = (connected_at, connection)
            dismissal = self._recent.get(label)
            if dismissal is not None and connected_at < dismissal.at:
                connection.close(dismissal.code, dismissal.reason)

    def labels_of(self, connection_id: str) -> Sequence[str]:
        """Those of an open connection."""
        return self._labels.get(connection_id, ())

    def leave(self, connection_id: str) -> None:
        """It has ended."""
        for label in self._labels.pop(connection_id, ()):
            connections = self._labelled[label]
            connections.pop(connection_id, None)
            if not connections:
                del self._labelled[label]

    def publish(self, text: bytes) -> None:
        """Take a published dismissal; the same one may come again."""
        try:
            dismissal = msgspec.json.decode(text, type=Dismissal)
        except msgspec.DecodeError as error:
            logger.error("dismissal ignored: %s", error)  # noqa: TRY400 - the message says it all
            return
        now = self._clock()
        self._recent = {label: one for label, one in self._recent.items() if now - one.at < _REMEMBERED_SECONDS}
        self._recent[dismissal.label] = dismissal
        for connected_at, connection in list(self._labelled.get(dismissal.label, {}).values()):
            if connected_at < dismissal.at:
                connection.close(dismissal.code, dismissal.reason)
