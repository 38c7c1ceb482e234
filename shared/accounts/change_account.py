"""Changes of accounts: what an admin changes, another password, another API key."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.accounts.check_password import Gatekeeper, check_password
from shared.accounts.display_name import checked_display_name
from shared.accounts.password import checked_password
from shared.accounts.player import API_KEY_BYTES, Account, AccountChange, Caller
from shared.accounts.take_effect import LiveAccounts, end_access, spread_profile
from shared.core.errors import InvalidParameter, UnknownUser, WrongPassword
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.accounts.postgresql import AccountChanges
    from shared.accounts.redis import RequestLimits


def change_user(
    user_id: str,
    change: AccountChange,
    actor: Actor,
    changes: AccountChanges,
    accounts: LiveAccounts,
    attempt: Attempt = not_kept,
) -> Account:
    """The account as it is then; raises UnknownUser or LastAdmin.

    When Redis is away it is committed all the same, and asking again makes it known: a cached profile is a minute old at most.
    """
    account, ended = changes.change(user_id, change, actor, attempt)
    spread_profile(user_id, accounts)  # first: who watches with a disabled account is told that, and not to log in again
    end_access(ended, accounts)
    return account


@dataclass(frozen=True, slots=True)
class ChangeDisplayName:
    """The caller is to be shown by another name; None is the username."""

    user_id: str
    display_name: str | None
    actor: Actor

    @classmethod
    def parse(cls, body: Mapping[str, Any], caller: Caller, actor: Actor) -> ChangeDisplayName:
        """Read `{"displayName"}`, which may be null; raises InvalidParameter or InvalidDisplayName."""
        if "displayName" not in body:
            raise InvalidParameter("Send `displayName`: a text, or null to be shown by the username.")
        shown = body["displayName"]
        return cls(caller.user_id, None if shown is None else checked_display_name(shown), actor)


def change_display_name(
    command: ChangeDisplayName,
    limits: RequestLimits,
    changes: AccountChanges,
    accounts: LiveAccounts,
    attempt: Attempt = not_kept,
) -> dict[str, str]:
    """The account as its owner sees it then; raises TooManyRequests, and UnknownUser where the caller has no account here.

    Whoever keeps names is told with the next board that is read.
    """
    limits.admit("display_name_change", user_id=command.user_id)
    account = changes.change_display_name(command.user_id, command.display_name, command.actor, attempt)
    spread_profile(command.user_id, accounts)
    return account.as_own_json()


def rotate_api_key(
    user_id: str,
    caller: Caller,
    actor: Actor,
    limits: RequestLimits,
    changes: AccountChanges,
    accounts: LiveAccounts,
    attempt: Attempt = not_kept,
) -> dict[str, str]:
    """`{"apiKey"}`; raises NotYourAccount, TooManyRequests or UnknownUser."""
    caller.must_be(user_id)
    limits.admit("api_key_rotation", user_id=user_id)
    api_key = secrets.token_urlsafe(API_KEY_BYTES)
    told = {"apiKey": api_key}
    changes.change_api_key(user_id, hashlib.sha256(api_key.encode()).hexdigest(), actor, attempt(told))
    spread_profile(user_id, accounts)
    return told


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """The caller's own password is to change; the session it is changed from goes on."""

    caller: Caller
    current_password: str = field(repr=False)
    new_password: object = field(repr=False)
    actor: Actor

    @classmethod
    def parse(cls, user_id: str, body: Mapping[str, Any], caller: Caller, actor: Actor) -> ChangePassword:
        """Read `{"currentPassword", "newPassword"}`; raises NotYourAccount or InvalidParameter."""
        caller.must_be(user_id)
        current = body.get("currentPassword")
        if not isinstance(current, str):
            raise InvalidParameter("`currentPassword` must be a text.")
        return cls(caller, current, body.get("newPassword"), actor)


def change_password(
    command: ChangePassword,
    common_passwords: Container[str],
    gatekeeper: Gatekeeper,
    changes: AccountChanges,
    accounts: LiveAccounts,
    attempt: Attempt = not_kept,
) -> None:
    """Raises WeakPassword, WrongPassword, TooManyRequests, TooBusy, and TooManyAttempts: a stolen access token is no way around
    the delay of log-ins.
    """
    account = accounts.users.by_id(command.caller.user_id)
    if account is None:
        raise UnknownUser
    new_password = checked_password(command.new_password, account.username, common_passwords, member="newPassword")
    source_ip = command.actor.source_ip or ""
    if check_password(account.username, command.current_password, source_ip, lambda: account, gatekeeper) is None:
        raise WrongPassword
    gatekeeper.request_limits.admit("password_change", user_id=account.user_id)
    hashed = gatekeeper.password_hasher.hash(new_password)
    ended = changes.change_password(account, hashed, command.caller.session_id, command.actor, attempt(None))
    end_access(ended, accounts)


def has_new_password(command: ChangePassword, gatekeeper: Gatekeeper, accounts: LiveAccounts) -> bool:
    """Whether the account has the new password of the command already; raises what change_password raises for guesses."""
    account = accounts.users.by_id(command.caller.user_id)
    if account is None or not isinstance(command.new_password, str):
        return False
    source_ip = command.actor.source_ip or ""
    return check_password(account.username, command.new_password, source_ip, lambda: account, gatekeeper) is not None
