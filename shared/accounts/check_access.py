"""Whether the caller of a verified access token may still come in, and in which role: what the token says may be outdated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shared.accounts.player import Caller, Profile
from shared.accounts.session import Admission, EndedSession, Missing, Question
from shared.core.errors import RedisUnavailable
from shared.core.invocation import note

if TYPE_CHECKING:
    from shared.accounts.postgresql import Sessions, Users
    from shared.accounts.redis import Access, Profiles


MAX_TRIES = 4
T = TypeVar("T")


class Accounts(Protocol):
    """Where accounts and sessions are known: at hand (Redis), and for sure (PostgreSQL, asked only for what is missing)."""

    @property
    def access(self) -> Access:
        """Who may come in."""
        ...

    @property
    def profiles(self) -> Profiles:
        """Cached profiles."""
        ...

    @property
    def users(self) -> Users:
        """The accounts."""
        ...

    @property
    def sessions(self) -> Sessions:
        """The sessions, and which of them ended."""
        ...


def cache_profile(user_id: str, accounts: Accounts) -> Profile | None:
    """Cache the profile of somebody in whom it is missing; None when there is no such account."""
    profile = accounts.users.profiles([user_id]).get(user_id)
    if profile is not None:
        accounts.profiles.put_many([profile])
    return profile


def knows_less(user_id: str, accounts: Accounts) -> bool:
    """Whether the cached profile is another one than that of record; then it is forgotten."""
    if accounts.profiles.get_many([user_id]).get(user_id) == accounts.users.profiles([user_id]).get(user_id):
        return False
    accounts.profiles.drop(user_id)
    return True


def restore_sessions(accounts: Accounts) -> list[EndedSession]:
    """Tell Redis, which lost them or never knew, how accounts were changed and which sessions ended of late; the latter.

    Profiles are read until they stay the same: a change meanwhile may have been written to Redis before what was read here.
    """
    written: list[Profile] = []
    while (changed := accounts.users.changed_of_late()) != written:
        for profile in changed:
            accounts.profiles.replace(profile)
        written = changed
    ended = accounts.sessions.ended()
    accounts.access.restore(ended)
    return ended


def check_access(caller: Caller, accounts: Accounts) -> Caller:
    """The caller in the role that the account has now; raises SessionEnded, and UnknownPlayer for a disabled account.

    Somebody without an account here, whom an outside provider vouches for, is a player who may look.
    """
    note(user_id=caller.user_id)  # a ticket's
    return replace(caller, role=_admitted(caller, accounts).role)


def ask(question: Question[T], caller: Caller, accounts: Accounts) -> T:
    """What the caller came for, in one round trip with the check; raises what check_access and the question raise."""
    return question.read(_admitted(caller, accounts, question).answer)


def _admitted(caller: Caller, accounts: Accounts, question: Question[Any] | None = None) -> Admission:
    no_account = False
    for _ in range(MAX_TRIES):
        answer = accounts.access.admit(caller, question, no_account=no_account)
        if isinstance(answer, Admission):
            return answer
        if answer is Missing.SESSIONS:
            restore_sessions(accounts)
        else:
            no_account = cache_profile(caller.user_id, accounts) is None
    raise RedisUnavailable
