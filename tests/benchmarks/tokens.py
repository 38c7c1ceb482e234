"""What it takes to know an access token: at its first sight, seen by another worker, and again, with 200,000 of them about."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import jwt

from shared.accounts.tokens import REMEMBERED_TOKENS, AccessTokens
from shared.accounts.verified_tokens import VerifiedTokens
from shared.core.secret_keys import SigningKey
from tests.benchmarks.figures import Figure, figure
from tests.support.keys import new_keys

TOKENS, ROUNDS = 4_000, 5
FIRST_SIGHT_RATIO, ELSEWHERE_LIMIT_US, AGAIN_LIMIT_US = 1.2, 40.0, 2.0


def measure() -> list[Figure]:
    """Microseconds of CPU a token."""
    setting = new_keys()["JWT_SIGNING_KEY"]
    issuer, now = AccessTokens(setting), datetime.now(UTC)
    many = [issuer.issue(f"u-{number}", "player", now)[0] for number in range(REMEMBERED_TOKENS)]
    signature: list[float] = []
    first: list[float] = []
    elsewhere: list[float] = []
    again: list[float] = []
    verified = VerifiedTokens()
    for token in many:
        verified.add(token)
    for _ in range(ROUNDS):
        tokens = [issuer.issue(str(uuid.uuid4()), "player", now, str(uuid.uuid4()))[0] for _ in range(TOKENS)]
        one, other = (AccessTokens(setting, verified=verified) for _ in range(2))
        [key] = one._keys.values()
        parts = [(jwt.utils.base64url_decode(end), start.encode()) for start, _, end in (each.rpartition(".") for each in tokens)]
        signature.append(_each(partial(_check, key), parts))
        first.append(_each(one.verify, tokens))
        elsewhere.append(_each(other.verify, tokens))
        again.append(_each(one.verify, tokens))
    crowd = AccessTokens(setting)
    for token in many:
        crowd.verify(token)
    return [
        figure("a token at its first sight", "us", first, "its signature alone", sorted(signature)[ROUNDS // 2]),
        figure("a token at its first sight", "us", first, "limit", FIRST_SIGHT_RATIO * sorted(signature)[ROUNDS // 2]),
        figure("a token that another worker has seen", "us", elsewhere, "limit", ELSEWHERE_LIMIT_US),
        figure("a token seen before", "us", again, "limit", AGAIN_LIMIT_US),
        figure(f"the same of {REMEMBERED_TOKENS:,} tokens", "us", [_each(crowd.verify, many)], "limit", AGAIN_LIMIT_US),
    ]


def _check(key: SigningKey, part: tuple[bytes, bytes]) -> None:
    key.public.verify(*part)


def _each(do: Callable[[Any], object], values: Sequence[object]) -> float:
    began = time.process_time()
    for value in values:
        do(value)
    return (time.process_time() - began) / len(values) * 1e6
