"""The live board, its cache and those who watch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from shared.domain.ranking import Position, Standing
from shared.domain.reconciliation import LedgerTotal
from shared.domain.score import AcceptedUpdate, ScoreAccepted, ScoreUpdate


class Leaderboard(Protocol):
    """The live board (Redis)."""

    def apply(self, update: ScoreUpdate) -> AcceptedUpdate | None:
        """Do the whole update in one atomic script: role, API key, rate window, replay, increment, outbox.

        None: the player's profile is not cached; put it and try again. Raises NotAPlayer, UnknownPlayer, InvalidApiKey,
        RateLimited (with rate headers), IdempotencyKeyReused, LeaderboardRebuilding.
        """
        ...

    def enter(self, user_id: str) -> None:
        """Put a new player on the board with 0; a player who is there keeps their score."""
        ...

    def top(self, limit: int) -> list[Position]:
        """The first `limit` places, best first."""
        ...

    def around(self, user_id: str, neighbours: int) -> list[Position]:
        """The player's place and `neighbours` places on each side, best first; empty when the player is not on the board."""
        ...

    def scores(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Scores of those of the players who are on the board, read at one instant."""
        ...

    def all_scores(self) -> dict[str, int]:
        """Every player's score."""
        ...

    def adjust(self, user_id: str, difference: int) -> int:
        """Add an atomic difference (a repair) and answer the new score."""
        ...

    def is_whole(self) -> bool:
        """False when Redis came up empty and the board has not been rebuilt since."""
        ...

    def rebuild(self, totals: Iterable[LedgerTotal]) -> int:
        """Fill an incomplete board with the ledger's totals and open it for updates; answer the number of players."""
        ...


class BoardCache(Protocol):
    """The prepared board of GET /api/scores: at most 5 s old."""

    def get(self, limit: int) -> bytes | None:
        """The cached JSON document that holds at least `limit` places, or None."""
        ...

    def put(self, limit: int, document: bytes) -> None:
        """Keep a document for 5 s."""
        ...


class Outbox(Protocol):
    """The stream in which an accepted update waits until the broker has confirmed it."""

    def pending(self, older_than_seconds: float, limit: int) -> list[tuple[str, ScoreAccepted]]:
        """Entries (id, event), oldest first, that have waited longer than `older_than_seconds`."""
        ...

    def settle(self, outbox_ids: Sequence[str]) -> None:
        """Remove entries that the broker has confirmed."""
        ...

    def newest_id(self) -> str:
        """The id of the newest entry ever added."""
        ...

    def waiting_up_to(self, outbox_id: str) -> int:
        """How many entries up to and including `outbox_id` still wait."""
        ...


class Viewers(Protocol):
    """Everybody who watches."""

    def welcome(self, connection_id: str) -> bool:
        """Note a new viewer; False when no frame is kept for newcomers yet, so that one must be broadcast."""
        ...

    def farewell(self, connection_id: str) -> None:
        """Forget a viewer."""
        ...

    def broadcast(self, read_board: Callable[[], tuple[Sequence[Standing], datetime]]) -> int:
        """Send the board, as `read_board` gives it with its instant, to everybody as the next version; answer the version.

        The board is read after the version is taken, so that a newer version never shows an older board.
        """
        ...
