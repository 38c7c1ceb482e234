"""Forget ended sessions whose access tokens have all expired: they have no TTL, so somebody must."""

from __future__ import annotations

from shared.services.check_access import Accounts, restore_sessions


def forget_sessions(accounts: Accounts) -> int:
    """Answer how many; safe to run twice and side by side.

    Those that ended of late are told to Redis again, for a request that ended some may have died between the two stores, or
    Redis may have lost its last moments.
    """
    restore_sessions(accounts)
    accounts.access.forget()
    return accounts.sessions.forget()
