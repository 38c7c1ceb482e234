"""Have refusals that matter stand in the audit log, without anybody waiting for the database.

A refusal is counted in Redis by its kind (one round trip, bounded however many come), and each minute record_refusals writes a
row for each kind. An accepted update costs nothing more than before. What is counted and not yet written is lost with a Redis
that loses its last moments; every refusal is in the logs of its function besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shared.accounts.player import USERNAME, Caller
from shared.audit.refusal import ANYBODY, Refusal
from shared.core.errors import InvalidToken, ScoreboardError, Unavailable
from shared.core.invocation import stand_out
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.audit.redis import Refusals


_log = get_logger(__name__)


class AuditedRequest(Protocol):
    """What is noted of a request."""

    @property
    def request_id(self) -> str:
        """Names it in the logs."""
        ...

    @property
    def source_ip(self) -> str:
        """Where it came from."""
        ...

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """`user_id` is whom it was about."""
        ...

    @property
    def bearer_token(self) -> str:
        """Its access token; raises MissingToken."""
        ...


class Door(Protocol):
    """Knows who somebody is, and takes notes."""

    @property
    def refusals(self) -> Refusals:
        """Where refusals are counted."""
        ...

    def identify(self, bearer_token: str) -> Caller:
        """Whose token this is; raises an error of the tree."""
        ...


Request = TypeVar("Request", bound=AuditedRequest)
Answer = TypeVar("Answer")


def audited(
    action: str, door: Callable[[], Door], username: Callable[[Any], object] | None = None
) -> Callable[[Callable[[Request], Answer]], Callable[[Request], Answer]]:
    """A decorator below `@http_handler`: refusals that matter are noted under `action`, and go on as they were.

    `username` reads whom a refused log-in was about.
    """

    def decorate(function: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        @wraps(function)
        def noting(request: Request) -> Answer:
            try:
                return function(request)
            except ScoreboardError as error:
                if error.is_audited:
                    stand_out()
                    refusal = Refusal(
                        action=action,
                        reason=error.code,
                        actor=_actor(request, error, door()),
                        user_id=request.path_parameters.get("user_id", ""),
                        username=_checked(username(request)) if username else "",
                        source_ip=request.source_ip,
                        request_id=request.request_id,
                    )
                    note_refusal(refusal, door().refusals)
                raise

        return noting

    return decorate


def note_refusal(refusal: Refusal, refusals: Refusals) -> None:
    """The answer must not depend on it: with Redis away the log is all that tells."""
    try:
        refusals.note(refusal)
    except Unavailable:
        _log.warning(
            "a refusal is not in the audit log",
            extra={"action": refusal.action, "reason": refusal.reason, "actor": refusal.actor, "request_id": refusal.request_id},
        )


def _actor(request: AuditedRequest, error: ScoreboardError, door: Door) -> str:
    """Whoever the token names, may they come in or not; one that was good a moment ago is remembered by whoever checks it."""
    if isinstance(error, InvalidToken):
        return ANYBODY
    try:
        return door.identify(request.bearer_token).user_id
    except ScoreboardError:
        return ANYBODY


def _checked(username: object) -> str:
    """What cannot be a name is not kept."""
    return username if isinstance(username, str) and USERNAME.fullmatch(username) else ""
