"""Whether a password is an account's: a bounded number of answers to each network, slower and slower ones to guesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from shared.accounts.password import MAX_LENGTH, normalized
from shared.accounts.player import Account
from shared.core.errors import TooManyRequests, Unavailable

if TYPE_CHECKING:
    from shared.accounts.argon2 import PasswordHasher
    from shared.accounts.redis import LoginThrottle, RequestLimits


class Gatekeeper(Protocol):
    """Compares passwords, and counts who has it done how often."""

    @property
    def password_hasher(self) -> PasswordHasher:
        """Compares them."""
        ...

    @property
    def login_throttle(self) -> LoginThrottle:
        """Counts failures."""
        ...

    @property
    def request_limits(self) -> RequestLimits:
        """Counts all of them, also those that fit."""
        ...


def check_password(
    username: str, password: str, source_ip: str, find: Callable[[], Account | None], gatekeeper: Gatekeeper
) -> Account | None:
    """The account that `find` gives if this is its password, and it is not disabled.

    None otherwise, after the same time for one that is not there. Raises TooManyAttempts while a delay after failures lasts,
    TooManyRequests and TooBusy.
    """
    throttle = gatekeeper.login_throttle
    throttle.attempt(username, source_ip)
    text = normalized(password)
    try:
        gatekeeper.request_limits.admit("password_check", source_ip=source_ip)
        account = find()
        fits = gatekeeper.password_hasher.verify(account.hashed_password if account else None, text[:MAX_LENGTH])
    except (TooManyRequests, Unavailable):
        # Not a guess: whoever tries again while the database is away, or others keep the hasher busy, is not to wait for that.
        throttle.withdraw(username, source_ip)
        raise
    if account is None or not fits or len(text) > MAX_LENGTH or account.disabled:
        return None
    throttle.succeeded(username, source_ip)
    return account
