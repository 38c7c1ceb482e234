"""The live board, its cache and what leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from shared.domain.ranking import Position
from shared.domain.rate_window import Losses
from shared.domain.reconciliation import Reading, Sweep
from shared.domain.score import (
    Acceptance,
    AcceptedUpdate,
    FirstResult,
    Missing,
    NewestEpoch,
    ScoreAccepted,
    ScoreUpdate,
    Unpublished,
)


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


class BoardCheck(Protocol):
    """The board as reconciliation sees it."""

    def scan(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """A step of about `count` through all names of the board, cursor 0 to begin with and at the end.

        Who is there all the time is seen at least once.
        """
        ...

    def read(self, user_ids: Sequence[str]) -> Reading:
        """The scores of these players, and up to which number they count, in one step."""
        ...

    def suspects(self) -> set[str]:
        """Players that somebody wants to be looked at."""
        ...

    def clear(self, user_ids: Iterable[str]) -> None:
        """They were looked at."""
        ...

    def sweep(self) -> Sweep:
        """How far the rolling comparison has come; from the beginning where that is unknown."""
        ...

    def save_sweep(self, sweep: Sweep) -> None:
        """Go on from there the next time."""
        ...

    def mark(self, run_number: int) -> str:
        """What tells this board from the one before or after a rebuild; runs that began earlier may not repair any more."""
        ...

    def repair(self, differences: Mapping[str, int] | Mapping[str, int | None], mark: str, run_number: int) -> None:
        """Add atomic differences; 0 enters a player who is not there, None takes a member off the board.

        Raises LeaderboardRebuilding when the board is not the marked one any more (it is then rebuilt, and needs no repair), and
        ReconciliationRunning when another run has begun.
        """
        ...

    def server(self) -> str:
        """Which run of which Redis this is."""
        ...

    def is_known_server(self, server: str) -> bool:
        """Whether the board was held against the ledger in this run: a Redis that died may have lost its last writes."""
        ...

    def know_server(self, server: str) -> None:
        """The board was held against the ledger."""
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

    def put(self, limit: int, document: bytes) -> None:
        """Keep a document for 5 s."""
        ...


class Outbox(Protocol):
    """The stream in which an accepted update waits until the ledger has it. Entry ids rise."""

    def pending(self, older_than_seconds: float, limit: int) -> list[ScoreAccepted]:
        """Events, oldest first, that have waited longer than `older_than_seconds`."""
        ...

    def unpublished(self, older_than_seconds: float, limit: int) -> Unpublished:
        """Those of the next `limit` such events that no process is known to have published."""
        ...

    def published(self, outbox_ids: Sequence[str]) -> None:
        """The broker has confirmed these entries of this process."""
        ...

    def relayed(self, outbox_id: str) -> None:
        """All entries up to this one have been published."""
        ...

    def settle(self, outbox_ids: Sequence[str]) -> None:
        """Remove entries that the ledger has."""
        ...

    def claim_relay(self, what: str) -> bool:
        """Whether the caller is the one who relays this now; of those who ask within a few seconds it is the first."""
        ...

    def newest_id(self) -> str:
        """The id of the newest entry ever added."""
        ...

    def waiting(self, after: str, up_to: str, limit: int) -> list[ScoreAccepted]:
        """At most `limit` events with ids above `after` ("" for the beginning) and up to `up_to`, oldest first."""
        ...

    def trim(self, entries: int) -> int:
        """Remove the oldest beyond so many `entries`; returns how many. Only what was published may be beyond them."""
        ...
