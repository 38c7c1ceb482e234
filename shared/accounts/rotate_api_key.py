"""Somebody gets another API key; the old one is worth nothing from that moment on."""

from __future__ import annotations

import hashlib
import secrets

from shared.accounts.player import API_KEY_BYTES, Caller
from shared.accounts.ports import AccountChanges, RequestLimits
from shared.accounts.take_effect import LiveAccounts, spread_profile
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept


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
