"""What the use cases ask of the world; adapters implement these, and neither side imports the other.

Every method may raise the `Unavailable` error of its store; whatever else it raises is said at the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.domain.player import Account, Caller, Profile
from shared.domain.ranking import Position, Standing
from shared.domain.reconciliation import Discrepancy, LedgerTotal
from shared.domain.score import AcceptedUpdate, HistoryEntry, RecordedBatch, ScoreAccepted, ScoresRecorded, ScoreUpdate


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


class Profiles(Protocol):
    """Cached player profiles (Redis, short TTL)."""

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Those of the profiles that are cached."""
        ...

    def put_many(self, profiles: Iterable[Profile]) -> None:
        """Cache profiles."""
        ...

    def drop(self, user_id: str) -> None:
        """Forget a profile at once: the role changed or the account was disabled."""
        ...


class Users(Protocol):
    """Accounts (PostgreSQL)."""

    def add(self, account: Account, *, actor: str | None = None, source_ip: str | None = None) -> None:
        """Store a new account and its audit row; `actor` is who made it, None the user; raises UsernameTaken."""
        ...

    def by_username(self, username: str) -> Account | None:
        """The account with this name."""
        ...

    def by_id(self, user_id: str) -> Account | None:
        """The account with this id."""
        ...

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Profiles of those of the users that exist."""
        ...


class RefreshTokens(Protocol):
    """Refresh tokens, stored as hashes; a family is everything that came from one log-in."""

    def add(self, token_hash: str, family_id: str, user_id: str, expires_at: datetime) -> None:
        """Store a new token."""
        ...

    def rotate(self, token_hash: str, new_token_hash: str, now: datetime, expires_at: datetime) -> str:
        """Spend one token and store its successor in one transaction; answer the user id.

        Raises InvalidCredentials for an unknown, expired or already spent token; a spent one ends its whole family.
        """
        ...


class Ledger(Protocol):
    """The history of record (PostgreSQL)."""

    def record(self, events: Sequence[ScoreAccepted], marker_ids: Sequence[str] = ()) -> RecordedBatch:
        """Write events, running totals, audit rows and markers in one transaction; request ids it has are ignored."""
        ...

    def history(self, user_id: str, limit: int, before_id: int | None) -> list[HistoryEntry]:
        """Entries of one player, newest first, with ids below `before_id`."""
        ...

    def totals(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Running totals of these players."""
        ...

    def all_totals(self) -> Iterable[LedgerTotal]:
        """Every player of the ledger with the running total (0 for those who never scored)."""
        ...

    def audit(self, action: str, *, actor: str, user_id: str | None, detail: Mapping[str, Any]) -> None:
        """Write one row of audit_log."""
        ...

    def save_reconciliation(
        self, checked: int, discrepancies: Sequence[Discrepancy], *, dry_run: bool, started_at: datetime
    ) -> int:
        """Write one row of reconciliation_runs and one audit row per repair; answer the run's id."""
        ...

    def passed_marker(self, marker_id: str) -> bool:
        """Whether the consumer has committed this marker."""
        ...


class EventPublisher(Protocol):
    """Confirmed publishing (RabbitMQ)."""

    def publish_accepted(self, events: Sequence[tuple[str, ScoreAccepted]], *, keep: bool = True) -> None:
        """Publish (outbox id, event) pairs and wait, bounded, until confirmed and settled; raises RabbitUnavailable otherwise.

        With `keep` they go out by themselves when the broker is back, if this process still lives.
        """
        ...

    def publish_recorded(self, event: ScoresRecorded) -> None:
        """Tell the broadcast that scores changed."""
        ...

    def publish_marker(self, marker_id: str) -> None:
        """Send a marker through the queue of updates: when the ledger has it, it has all that was published before."""
        ...


class Sealer(Protocol):
    """Authenticated encryption of event payloads."""

    def seal(self, secret: bytes, associated: bytes) -> str:
        """Encrypt; the answer names its key."""
        ...

    def open(self, sealed: str, associated: bytes) -> bytes:
        """Decrypt; raises BadMessage."""
        ...


class PasswordHasher(Protocol):
    """argon2id."""

    def hash(self, password: str) -> str:
        """The encoded hash."""
        ...

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it fits; with None (no such account) it takes the same time and is False."""
        ...


class AccessTokens(Protocol):
    """Signed access tokens."""

    def issue(self, user_id: str, role: str, now: datetime) -> tuple[str, int]:
        """A signed JWT and the seconds it lives."""
        ...

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken or TokenExpired."""
        ...

    def jwks(self) -> dict[str, Any]:
        """The public keys, as a JWK set."""
        ...


class WsTickets(Protocol):
    """One-use tickets for the WebSocket handshake (Redis, 30 s)."""

    def issue(self, caller: Caller) -> tuple[str, int]:
        """A ticket and the seconds it lives."""
        ...

    def spend(self, ticket: str) -> Caller:
        """Who the ticket was made for; raises InvalidTicket."""
        ...


class LoginThrottle(Protocol):
    """Growing delay after failed log-ins, for one account from one address (Redis)."""

    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise; raises TooManyAttempts while a delay lasts."""
        ...

    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the failures."""
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


class Dependency(Protocol):
    """Something that may be down."""

    @property
    def name(self) -> str:
        """`redis`, `rabbitmq`, `postgresql`."""
        ...

    def ping(self) -> None:
        """Raises Unavailable when it is."""
        ...


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The instant, UTC, with its zone."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class EventCodec(Protocol):
    """What stands in a queue message, sealed and opened."""

    def open_update(self, body: bytes) -> ScoreAccepted | str:
        """The event of a message of score_history_queue, or the id of a marker; raises BadMessage."""
        ...

    def open_recorded(self, body: bytes) -> ScoresRecorded:
        """The event of a message of score_updated_queue; raises BadMessage."""
        ...


class Migrations(Protocol):
    """The schema (PostgreSQL)."""

    def apply(self) -> list[str]:
        """Bring the schema up to date, safe to run side by side; answer the names of the migrations that ran."""
        ...


class Topology(Protocol):
    """The queues (RabbitMQ)."""

    def declare(self) -> list[str]:
        """Declare every queue, idempotent; answer their names."""
        ...

    def backlog(self) -> int:
        """How many updates wait for the ledger."""
        ...

    def park(self, messages: Sequence[tuple[bytes, str]]) -> None:
        """Put (body, reason) pairs into the dead-letter queue, confirmed."""
        ...
