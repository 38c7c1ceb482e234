"""What was just committed about an account counts from the next request on, everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from shared.domain.session import EndedSession
from shared.services.check_access import Accounts


def end_access(ended: Sequence[EndedSession], accounts: Accounts) -> None:
    """Nobody comes in with an access token of these sessions any more."""
    if ended:
        accounts.access.end(ended)


def spread_profile(user_id: str, accounts: Accounts) -> None:
    """Cache the account as it is now.

    Of two changes at the same time the earlier one may come to the cache last; so whoever wrote to it looks again whether that
    was the last word, and writes once more if it was not.
    """
    profile = accounts.users.profiles([user_id])[user_id]
    while True:
        accounts.profiles.replace(profile)
        now = accounts.users.profiles([user_id])[user_id]
        if now == profile:
            return
        profile = now
