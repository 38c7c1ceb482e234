"""The one error tree: what can go wrong, its stable code, its HTTP status and what the client should do."""

from __future__ import annotations

from typing import Any, ClassVar

PROBLEMS_PAGE = "/docs/problems"


def problem_type(code: str) -> str:
    """The `type` of a problem document: where this very server explains the code to whoever opens it."""
    return f"{PROBLEMS_PAGE}#{code}"


class ScoreboardError(Exception):
    """Base of all errors of the product, most of which a client may see.

    `detail` says what to do about it; `extensions` are further members of the problem document (RFC 9457);
    `headers` go with the reply; `retry_after_seconds` makes a Retry-After header.

    `is_audited`: it belongs into the audit log, for it tells of an attempt at something that is not one's own, or of too much.
    Slips (a body that cannot be read, a token that has expired) are answered and forgotten.

    `is_internal`: it is for the log and for operators; a client is told of an internal error, and no more.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    is_audited: ClassVar[bool] = False
    is_internal: ClassVar[bool] = False
    default_detail: ClassVar[str] = "Something went wrong on our side; it has been logged. Try again later."

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after_seconds: float | None = None,
        headers: dict[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        self.detail = detail or self.default_detail
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or {}
        self.extensions = extensions
        super().__init__(self.detail)

    def as_message(self, **about: str | None) -> dict[str, str | int | None]:
        """What a viewer is told over a socket; `about` says of what."""
        return {"type": "error", **about, "status": self.status, "code": self.code, "detail": self.detail}


def told(error: Exception) -> ScoreboardError:
    """What a client is told of an error: one that is not of this tree, or internal, tells nothing of itself."""
    return error if isinstance(error, ScoreboardError) and not error.is_internal else ScoreboardError()


# 400: the request cannot be read


class MalformedJson(ScoreboardError):
    status, code, title = 400, "malformed_json", "Malformed JSON"
    default_detail = "The body is not valid JSON in UTF-8."


class MalformedRequest(ScoreboardError):
    status, code, title = 400, "malformed_request", "Malformed request"
    default_detail = "The request cannot be read."


# 401: who are you


class Unauthenticated(ScoreboardError):
    """Base of everything answered 401."""

    status, code, title = 401, "unauthenticated", "Authentication required"
    default_detail = "Send an access token from POST /api/tokens as `Authorization: Bearer <token>`."


class MissingToken(Unauthenticated):
    code, title = "missing_token", "Authentication required"


class InvalidToken(Unauthenticated):
    is_audited = True
    code, title = "invalid_token", "Invalid access token"
    default_detail = "The access token is not valid. Get a new one from POST /api/tokens."


class TokenExpired(Unauthenticated):
    code, title = "token_expired", "Access token expired"
    default_detail = "The access token has expired. Get a new one from POST /api/tokens with your refresh token."


class SessionEnded(Unauthenticated):
    is_audited = True
    code, title = "session_ended", "Session ended"
    default_detail = "The session of this access token has ended: the user logged out, or the session was revoked. Log in again."


class InvalidApiKey(Unauthenticated):
    is_audited = True
    code, title = "invalid_api_key", "Invalid API key"
    default_detail = "X-API-Key is not this player's key. Send the right one or leave the header out."


class InvalidServerKey(Unauthenticated):
    is_audited = True
    code, title = "invalid_server_key", "Invalid server key"
    default_detail = "This server key is unknown, or was rotated or revoked. Ask an admin for a new one."


class InvalidCredentials(Unauthenticated):
    is_audited = True
    code, title = "invalid_credentials", "Invalid credentials"
    default_detail = "Username and password, or the refresh token, are not valid."


class InvalidTicket(Unauthenticated):
    is_audited = True
    code, title = "invalid_ticket", "Invalid ticket"
    default_detail = "The ticket is unknown, spent or older than 30 seconds. Get a new one from POST /api/ws-tickets."


# 403: not you


class Forbidden(ScoreboardError):
    is_audited = True
    status, code, title = 403, "forbidden", "Forbidden"
    default_detail = "This account may not do that."


class NotYourScore(Forbidden):
    code, title = "not_your_score", "Not your score"
    default_detail = "The user id in the path is not the one in the access token: a player raises only their own score."


class NotYourHistory(NotYourScore):
    """Somebody else's updates or entries were asked for."""

    default_detail = (
        "The user id in the path is not the one in the access token: only that player and admins may read what they entered."
    )


class NotItsBoard(Forbidden):
    code, title = "not_its_board", "Not its board"
    default_detail = "This server key is not valid for this board."


class NotItsScope(Forbidden):
    code, title = "not_its_scope", "Not its scope"
    default_detail = "This server key lacks the scope for that. Ask an admin for a key that has it."


class NotYourAccount(Forbidden):
    code, title = "not_your_account", "Not your account"
    default_detail = "The user id in the path is not the one in the access token: only the owner of an account may change this."


class WrongPassword(Forbidden):
    code, title = "wrong_password", "Wrong password"
    default_detail = "`currentPassword` is not the password of this account."


class NotAPlayer(Forbidden):
    code, title = "not_a_player", "Not a player"
    default_detail = "Only accounts with the role `player` have a score."


class UnknownPlayer(Forbidden):
    code, title = "unknown_user", "Unknown user"
    default_detail = "There is no such user, or the account is disabled."


class InvalidActionTicket(Forbidden):
    code, title = "invalid_action_ticket", "Invalid action ticket"
    default_detail = (
        "The action ticket was not made here for this player, or is older than 60 seconds."
        " Get a new one from POST /api/score/{user_id}/tickets."
    )


class OriginNotAllowed(Forbidden):
    code, title = "origin_not_allowed", "Origin not allowed"
    default_detail = "Pages of this origin may not connect."


# 404


class NotFound(ScoreboardError):
    status, code, title = 404, "not_found", "Not found"
    default_detail = "There is nothing here."


class UnknownServerKey(NotFound):
    code, title = "unknown_server_key", "Unknown server key"
    default_detail = "There is no such server key, or it is revoked. GET /api/admin/server-keys lists them."


class UnknownUser(NotFound):
    code, title = "unknown_user", "Unknown user"
    default_detail = "There is no player with this id."


class UnknownBoard(NotFound):
    code, title = "unknown_board", "Unknown board"
    default_detail = "There is no board with this id. GET /api/boards lists all boards."


class UnknownSeason(NotFound):
    code, title = "unknown_season", "Unknown season"
    default_detail = "The board has no season with this number in this period."


class UnknownEntry(NotFound):
    code, title = "unknown_entry", "Unknown entry"
    default_detail = "This player has no entry with this request id on this board."


class UnknownDecision(NotFound):
    code, title = "unknown_decision", "Unknown decision"
    default_detail = "There is no decision with this id on this board."


# 409


class Conflict(ScoreboardError):
    status, code, title = 409, "conflict", "Conflict"


class UsernameTaken(Conflict):
    code, title = "username_taken", "Username taken"
    default_detail = "Another account has this username. Choose another one."


class LastAdmin(Conflict):
    is_audited = True
    code, title = "last_admin", "Last admin"
    default_detail = "This account is the last active admin. Make another admin first."


class NoSession(Conflict):
    code, title = "no_session", "No session"
    default_detail = "This access token was not issued here: log out where it was issued, or with `everywhere=true`."


class TicketAlreadyUsed(Conflict):
    is_audited = True
    code, title = "ticket_already_used", "Ticket already used"
    default_detail = "This action ticket has been spent. Get a new one for every update."


class ScoreOutOfBounds(Conflict):
    code, title = "score_out_of_bounds", "Score out of bounds"
    default_detail = "Your score would exceed 2147483647, the highest that can be recorded. Nothing was changed."


class BoardScoreOutOfBounds(ScoreOutOfBounds):
    """On a board beside `main`: of a score or a second value, on either side of 0."""

    default_detail = "The score would exceed 9007199254740991 in size. Nothing was changed."


class BoardInUse(Conflict):
    code, title = "board_in_use", "Board in use"
    default_detail = "The change would alter the meaning of entries that this board already has. Nothing was changed."


class NeverReset(Conflict):
    code, title = "never_reset", "Never reset"
    default_detail = (
        "`all_time` is never reset: it counts everything. Give the board another period with PUT /api/boards/{board},"
        " and reset that: without `cron` it lasts until you do."
    )


class NoOpenSeason(Conflict):
    code, title = "no_open_season", "No open season"
    default_detail = "No season of this board is open now. GET /api/boards/{board} says when the next one begins."


class AlreadyStruck(Conflict):
    code, title = "already_struck", "Already struck"
    default_detail = "The entry has already been struck out. Nothing was changed."


class AlreadyUndone(Conflict):
    code, title = "already_undone", "Already undone"
    default_detail = "The decision has already been undone. Nothing was changed. To restore it, make the same decision again."


class WithoutEffect(Conflict):
    code, title = "without_effect", "Without effect"
    default_detail = "The player already has a better score. Strike out the wrong entries instead. Nothing was changed."


class RequestInProgress(Conflict):
    code, title = "request_in_progress", "Request in progress"
    default_detail = "A request with this Idempotency-Key is still in progress. Retry after the time in Retry-After."

    def __init__(self, detail: str | None = None, *, retry_after_seconds: float = 1.0, **more: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **more)


# 413, 415


class PayloadTooLarge(ScoreboardError):
    status, code, title = 413, "payload_too_large", "Payload too large"
    default_detail = "The body is larger than 64 KiB."


class UnsupportedMediaType(ScoreboardError):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"
    default_detail = "Send the body as `Content-Type: application/json`."


# 422: readable, but not acceptable


class InvalidInput(ScoreboardError):
    """Base of everything answered 422."""

    status, code, title = 422, "invalid_request", "Invalid request"


class InvalidParameter(InvalidInput):
    code, title = "invalid_parameter", "Invalid parameter"


class TooManyPlayers(InvalidInput):
    code, title = "too_many_players", "Too many players"
    default_detail = "This concerns more than 10,000 players. Name fewer of them, or a shorter time. Nothing was changed."


class InvalidIncrement(InvalidInput):
    code, title = "invalid_increment", "Invalid increment"
    default_detail = "`increment` must be a JSON integer from 1 to 5."


class InvalidBoard(InvalidInput):
    code, title = "invalid_board", "Invalid board"


class ValueOutOfBounds(InvalidInput):
    code, title = "value_out_of_bounds", "Value out of bounds"
    default_detail = "The value is outside the bounds of this board. Nothing was changed."


class InvalidUsername(InvalidInput):
    code, title = "invalid_username", "Invalid username"


class InvalidDisplayName(InvalidInput):
    code, title = "invalid_display_name", "Invalid display name"


class WeakPassword(InvalidInput):
    code, title = "weak_password", "Weak password"


class IdempotencyKeyReused(InvalidInput):
    is_audited = True
    code, title = "idempotency_key_reused", "Idempotency key reused"
    default_detail = "This Idempotency-Key was used with another request. Use a new key for every new request."


# 428, 429


class TicketRequired(ScoreboardError):
    status, code, title = 428, "ticket_required", "Action ticket required"
    default_detail = "Get an action ticket from POST /api/score/{user_id}/tickets and send it as X-Action-Ticket."


class RateLimited(ScoreboardError):
    is_audited = True
    status, code, title = 429, "rate_limited", "Too many requests"
    default_detail = "Too many updates. Wait as long as Retry-After says."


class RateWindowLost(RateLimited):
    """Redis lost the latest updates of every player: until the ledger has told them, no update is provably within the limit."""

    default_detail = "The server is counting recent updates again. Try again in a second."


class TooManyAttempts(ScoreboardError):
    is_audited = True
    status, code, title = 429, "too_many_attempts", "Too many attempts"
    default_detail = "Too many failed attempts. Wait as long as Retry-After says."


class TooManyRequests(ScoreboardError):
    is_audited = True
    status, code, title = 429, "too_many_requests", "Too many requests"
    default_detail = "Too many requests of this kind. Wait as long as Retry-After says."


# 503: ours to mend, worth another try


class Unavailable(ScoreboardError):
    """Base of everything answered 503; always carries Retry-After."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"
    default_detail = "A part of the service is not available at the moment. Try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after_seconds: float = 1.0, **more: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **more)


class RedisUnavailable(Unavailable):
    code = "leaderboard_unavailable"


class PostgresUnavailable(Unavailable):
    code = "database_unavailable"


class RabbitUnavailable(Unavailable):
    code = "broker_unavailable"


class ViewersUnavailable(Unavailable):
    code = "viewers_unavailable"
    default_detail = "The service that holds the viewers' connections is not accepting messages. Try again shortly."


class TooManyViewers(Unavailable):
    code, title = "too_many_viewers", "Too many viewers"
    default_detail = "The maximum number of viewers is connected. Try again later."


class TooBusy(Unavailable):
    code, title = "too_busy", "Too busy"
    default_detail = "Too many passwords are being checked at the moment. Try again shortly."


class NotReady(Unavailable):
    code, title = "not_ready", "Not ready"
    default_detail = "No update can be accepted at the moment."


class LeaderboardRebuilding(Unavailable):
    code, title = "leaderboard_rebuilding", "Leaderboard rebuilding"
    default_detail = "The leaderboard is being rebuilt from the ledger; nothing is lost. Try again shortly."


class BoardElsewhere(LeaderboardRebuilding):
    code, title = "board_moving", "Board moving"
    default_detail = "The board is being moved to another shard; nothing is lost. Try again shortly."


class BoardBusy(Unavailable):
    code, title = "board_busy", "Board busy"
    default_detail = "The board is already being moved. Try again when the move has ended."


class ReconciliationRunning(Unavailable):
    code, title = "reconciliation_running", "Reconciliation running"
    default_detail = "Another reconciliation is running; nothing was compared. Try again when it has ended."


class LedgerBehind(Unavailable):
    code, title = "ledger_behind", "Ledger behind"
    default_detail = "The ledger did not catch up with the leaderboard in time; nothing was compared. Try again later."


# Internal: no client sees these


class BadMessage(ScoreboardError):
    """A queue message that can never succeed: it does not decrypt or has the wrong shape. It is parked, with this reason."""

    is_internal = True
    code, title = "bad_message", "Bad message"


class NewerMessage(BadMessage):
    """A queue message in a form that a newer version writes. While such a version runs the message is left to it."""


class LeftToNewer(ScoreboardError):
    """A batch that an instance of a newer version is to have; it comes back to the queue."""

    is_internal = True
    code, title = "left_to_newer", "Left to a newer version"


class ConfigurationError(ScoreboardError):
    """The environment cannot be used; the detail lists every problem."""

    is_internal = True
    code, title = "configuration_error", "Configuration error"


class KeysStillNeeded(Conflict):
    """Keys cannot be given up: what they have sealed is on its way, or in the stores."""

    is_internal = True
    code, title = "keys_still_needed", "Keys still needed"


class UnknownPart(NotFound):
    """No part of the archive has this name."""

    is_internal = True
    code, title = "unknown_part", "Unknown part"
    default_detail = "There is no such part of the archive: `scoreboard archive list` shows them."


class PartNotReady(Conflict):
    """A part of the archive is not in the state for what was asked, or a file is not its file; the detail says what to do."""

    is_internal = True
    code, title = "part_not_ready", "Part not ready"


class ForeignStores(ConfigurationError):
    """The stores belong to another installation, or hold what these keys cannot read; the detail says what to do."""

    code, title = "foreign_stores", "Foreign stores"
