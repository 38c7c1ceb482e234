"""What was just committed about an account counts from the next request on, everywhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from shared.accounts.check_access import Accounts
from shared.accounts.player import Profile
from shared.accounts.session import EndedSession
from shared.core.clock import Clock
from shared.stores.everywhere import everywhere


class Dismissals(Protocol):
    """Those who watch, to be sent away when their session ends or their account is disabled."""

    def dismiss(self, user_id: str, session_ids: Collection[str], at: datetime) -> None:
        """Close the account's connections of these sessions that were made before `at`."""
        ...

    def dismiss_all(self, user_id: str, at: datetime) -> None:
        """Close all of the account's connections that were made before `at`: it is disabled."""
        ...


class LiveAccounts(Accounts, Protocol):
    """The accounts, and those of them who watch."""

    @property
    def viewers(self) -> Dismissals:
        """Everybody who watches."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def everywhere(self) -> Sequence[Accounts]:
        """They as each shard knows them, this one among the others."""
        ...


def end_access(ended: Sequence[EndedSession], accounts: LiveAccounts) -> None:
    """No access token of these sessions is accepted any more, and the sockets opened with one are closed."""
    if not ended:
        return
    try:
        everywhere(accounts.everywhere, lambda shard: shard.access.end(ended))
    finally:
        dismiss_viewers(ended, accounts)


def dismiss_viewers(ended: Sequence[EndedSession], accounts: LiveAccounts) -> None:
    """Close the sockets that were opened with these sessions."""
    sessions_of: dict[str, list[str]] = {}
    for session in ended:
        sessions_of.setdefault(session.user_id, []).append(session.session_id)
    for user_id, session_ids in sessions_of.items():
        accounts.viewers.dismiss(user_id, session_ids, accounts.clock.now())


def spread_profile(user_id: str, accounts: LiveAccounts) -> Profile:
    """Cache the account as it is now, and return it; nobody watches with one that is disabled.

    Of two changes at the same time the earlier one may come to the cache last; so whoever wrote to it looks again whether that
    was the last word, and writes once more if it was not.
    """
    profile = accounts.users.profiles([user_id])[user_id]
    while True:
        everywhere(accounts.everywhere, partial(_replace, profile))
        now = accounts.users.profiles([user_id])[user_id]
        if now == profile:
            break
        profile = now
    if profile.disabled:
        accounts.viewers.dismiss_all(user_id, accounts.clock.now())
    return profile


def spread_profiles(user_ids: Sequence[str], accounts: LiveAccounts) -> None:
    """Cache many accounts as they are now, where something has changed that nobody shows; as spread_profile does."""
    written: dict[str, Profile] = {}
    while (profiles := accounts.users.profiles(user_ids)) != written:
        everywhere(accounts.everywhere, partial(_renew, list(profiles.values())))
        written = profiles


def _replace(profile: Profile, shard: Accounts) -> None:
    shard.profiles.replace(profile)


def _renew(profiles: Sequence[Profile], shard: Accounts) -> None:
    shard.profiles.renew(profiles)


def take_effect_again(user_id: str, accounts: LiveAccounts) -> Profile:
    """Tell the other stores what became of the account, which is returned: whoever changed it may have died before."""
    profile = spread_profile(user_id, accounts)
    end_access(accounts.sessions.ended_of(user_id), accounts)
    return profile
