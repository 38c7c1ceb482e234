"""Sessions end, and are forgotten when nobody can go on with them any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.accounts.check_access import Accounts, restore_sessions
from shared.accounts.player import Caller
from shared.accounts.session import EndedSession
from shared.accounts.take_effect import LiveAccounts, dismiss_viewers, end_access
from shared.core.errors import NoSession
from shared.stores.actor import Actor
from shared.stores.everywhere import everywhere
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.accounts.redis import RequestLimits
    from shared.stores.kept_answers import KeptAnswers


# Twice the interval of the schedule, and a minute for one run that failed.
TOLD_AGAIN = timedelta(minutes=3)


def log_out(
    caller: Caller,
    actor: Actor,
    limits: RequestLimits,
    accounts: LiveAccounts,
    *,
    everywhere: bool,
    attempt: Attempt = not_kept,
) -> None:
    """Raises TooManyRequests, and NoSession for the token of an outside provider, whose session is not ours to end."""
    limits.admit("log_out", user_id=caller.user_id)
    if not caller.session_id and not everywhere:
        raise NoSession
    end_access(accounts.sessions.end(caller, actor, everywhere=everywhere, answer=attempt(None)), accounts)


def forget_sessions(accounts: LiveAccounts, answers: KeptAnswers) -> int:
    """Return how many, and forget the answers of keyed requests whose day is over; safe to run twice and side by side.

    Those that ended of late are told to Redis again, and the latest of them to the viewers: a request that ended some may have
    died between the stores, or Redis may have lost its last moments.
    """
    ended: list[EndedSession] = []

    def restore(shard: Accounts) -> None:
        ended[:] = restore_sessions(shard)
        shard.access.forget()

    answers.forget()
    forgotten = accounts.sessions.forget()
    try:
        everywhere(accounts.everywhere, restore)
    finally:
        told_again_from = accounts.clock.now() - TOLD_AGAIN
        dismiss_viewers([session for session in ended if session.ended_at > told_again_from], accounts)
    return forgotten
