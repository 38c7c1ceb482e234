"""The players whom a simulation makes: marked as simulated from the beginning, and off the board when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

Change = Callable[[Sequence[str], str], None]


class Crew:
    """Who was made; from many threads.

    `change` sets a flag of accounts, `simulated` or `disabled`; None where nobody may do that.
    """

    def __init__(self, change: Change | None = None) -> None:
        self._change = change
        self._usernames: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def usernames(self) -> list[str]:
        """Of those who were made and did not end."""
        return list(self._usernames.values())

    def add(self, user_id: str, username: str) -> None:
        """Mark a player who has just registered."""
        with self._lock:
            self._usernames[user_id] = username
            if self._change is not None:
                self._change([user_id], "simulated")

    def end(self) -> int:
        """Disable their accounts, which takes them off the board and deletes nothing; returns how many ended."""
        if self._change is None or not self._usernames:
            return 0
        ended = list(self._usernames)
        self._change(ended, "disabled")
        self._usernames.clear()
        return len(ended)
