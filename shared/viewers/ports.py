"""Those who watch the board."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.accounts.player import Caller
from shared.accounts.take_effect import Dismissals
from shared.boards.ranking import Standing


@dataclass(frozen=True, slots=True)
class Delivery:
    """The version that went out; not complete when there was no time left for all viewers, so that another one must go on."""

    version: int
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class ViewerSweep:
    """How many viewers were dropped because their session had ended, and whether others wait for a frame."""

    ended: int = 0
    is_behind: bool = False


class Viewers(Dismissals, Protocol):
    """Everybody who watches."""

    def welcome(self, connection_id: str, ends_at: datetime) -> bool:
        """Note a new viewer until `ends_at`; False when the caller must ask for a broadcast, or the viewer would see nothing.

        Raises TooManyViewers, and ViewersUnavailable where viewers connect elsewhere.
        """
        ...

    def know(self, connection_id: str, caller: Caller, *, hears_broadcast: bool) -> None:
        """Note whose connection it is, so that it can be dismissed and may subscribe; see `welcome` for who `hears_broadcast`.

        Raises TooManyViewers.
        """
        ...

    def farewell(self, connection_id: str) -> None:
        """Forget a viewer."""
        ...

    def broadcast(
        self, read_board: Callable[[], tuple[Sequence[Standing], datetime]], accepted_at: datetime | None = None
    ) -> Delivery:
        """Send the board, as `read_board` gives it with its instant, to everybody as the next version.

        `accepted_at` is when the oldest update was accepted that it is sent for: how late viewers are is measured from there.

        The board is read after the version is taken, so that a newer version never shows an older board. It may be read several
        times, and where changes are frequent not every one becomes a version; the last one always does. Raises
        ViewersUnavailable.
        """
        ...

    def sweep(self) -> ViewerSweep:
        """Drop viewers whose session has ended and see whether anybody was left waiting."""
        ...

    def close(self) -> None:
        """End the connections of its own."""
        ...
