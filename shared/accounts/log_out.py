"""End the session of an access token, or all sessions of the account."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.accounts.ports import RequestLimits
from shared.accounts.take_effect import LiveAccounts, end_access
from shared.core.errors import NoSession
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept


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
