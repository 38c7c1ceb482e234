"""The live board, its cache and what leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from shared.accounts.session import Missing, Question
from shared.boards.ranking import Position
from shared.boards.rate_window import Losses
from shared.boards.score import AcceptedUpdate, NewestEpoch, ScoreUpdate
from shared.ledger.events import Acceptance, FirstResult


class Leaderboard(Protocol):
    """The live board (Redis)."""

    def apply(self, update: ScoreUpdate, *, not_in_ledger: bool = False) -> AcceptedUpdate | Missing:
        """Do the whole update in one atomic script: session, role, API key, rate window, replay, increment, number, outbox.

        What is missing must be given (open an epoch, restore the ended sessions, put the profile, enter the player, remember
        what the ledger has of the request id, or say that it is `not_in_ledger`), then it is tried again. Raises SessionEnded,
        NotAPlayer, UnknownPlayer, InvalidApiKey, RateLimited (with rate headers), IdempotencyKeyReused, TicketAlreadyUsed,
        InvalidActionTicket, LeaderboardRebuilding.
        """
        ...

    def ensure_kept(self, update: ScoreUpdate, accepted: AcceptedUpdate) -> None:
        """Return when an update that nobody but Redis is known to have outlives Redis's process; raises RedisUnavailable."""
        ...

    def remember(self, results: Sequence[FirstResult]) -> None:
        """Keep first results of idempotency keys for retries; those that are kept stay as they are."""
        ...

    def enter(self, user_id: str) -> None:
        """Put a new player on the board with 0; a player who is there keeps their score."""
        ...

    def top(self, limit: int) -> list[Position]:
        """The first `limit` places, best first; raises LeaderboardRebuilding."""
        ...

    def places(self, user_id: str, neighbours: int) -> Question[list[Position]]:
        """For a player's place and so many on each side of it, best first; none for who is not on the board.

        Reading the answer raises LeaderboardRebuilding.
        """
        ...

    def scores(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Scores of those of the players who are on the board, read at one instant."""
        ...

    def suspect(self, user_ids: Iterable[str]) -> None:
        """Have the next reconciliation look at these players."""
        ...

    def is_whole(self) -> bool:
        """False when Redis came up empty and the board has not been rebuilt since."""
        ...

    def newest_epoch(self) -> NewestEpoch:
        """How far updates have been numbered."""
        ...

    def open_epoch(self, epoch: int, before: NewestEpoch) -> bool:
        """Have updates numbered in a new epoch; False when another one was opened since `before` was read."""
        ...

    def ask_for_rebuild(self) -> bool:
        """Whether the caller is the one, of many who find the board empty at the same time, to ask for its rebuild."""
        ...

    def rebuild(self, pages: Iterable[Mapping[str, int]]) -> int:
        """Fill an incomplete board with points by player and open it for updates; answer the number of players.

        Of several rebuilds at the same time the first one counts: the board of a later one never replaces an open one.
        """
        ...


class RateWindows(Protocol):
    """What is kept of players' latest updates: their instants, the tickets spent on them, and first results of idempotency
    keys.
    """

    @property
    def reach(self) -> timedelta:
        """Updates that were accepted longer ago are neither in a window nor spent a ticket that could be sent again."""
        ...

    def losses(self) -> Losses:
        """What Redis may have lost."""
        ...

    def restore(self, accepted: Mapping[str, Sequence[Acceptance]]) -> None:
        """Add the instants and spent tickets of these updates, by player, where they are missing."""
        ...

    def windows_restored(self) -> None:
        """No instant is missing any more."""
        ...

    def results_restored(self, losses: Losses) -> None:
        """No first result or spent ticket of `losses` is missing any more."""
        ...

    def forget(self, limit: int) -> int:
        """Drop what is past of up to `limit` players; returns of how many."""
        ...

    def forget_results(self, limit: int) -> int:
        """Drop up to `limit` first results whose day is over; returns how many."""
        ...


class BoardCache(Protocol):
    """The prepared board of GET /api/scores: at most 5 s old."""

    def get(self, limit: int) -> bytes | None:
        """The cached JSON document that holds at least `limit` places, or None."""
        ...

    def cached(self, limit: int) -> Question[bytes | None]:
        """For the same, with the check of a caller's access."""
        ...

    def put(self, limit: int, document: bytes) -> None:
        """Keep a document for 5 s."""
        ...
