"""What processes forked from one know together of verified tokens."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.accounts.tokens import AccessTokens
from shared.accounts.verified_tokens import VerifiedTokens
from shared.core.errors import InvalidToken, TokenExpired
from tests.support.product import ROOT
from tests.unit.tokens import NOW, PEM, PRIVATE, Time, claims, pem_of, signed

FORKED = """
import os
from shared.accounts.verified_tokens import VerifiedTokens
verified = VerifiedTokens()
if os.fork() == 0:
    verified.add("seen by the child")
    os._exit(0)
os.wait()
print("seen by the child" in verified, "seen by nobody" in verified)
"""


def test_what_one_process_verifies_its_siblings_know() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_each_is_known_by_its_own_mark_and_nearly_all_of_200000_find_room() -> None:
    verified = VerifiedTokens()
    tokens = [f"token-{number}" for number in range(200_000)]
    for token in tokens:
        verified.add(token)
    assert tokens[-1] in verified
    assert not any(f"{token}." in verified for token in tokens)
    assert sum(token in verified for token in tokens) > 0.8 * len(tokens)


def test_a_signature_is_checked_once_for_all_and_everything_else_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, verified, checked = Time(), VerifiedTokens(), []
    one, other = (AccessTokens(PEM, clock=clock, verified=verified) for _ in range(2))

    class Counting:
        def verify(self, signature: bytes, data: bytes) -> None:
            checked.append(data)
            PRIVATE.public_key().verify(signature, data)

    class Key:
        public = Counting()

    for tokens in (one, other):
        monkeypatch.setattr(tokens, "_headers", dict.fromkeys(tokens._headers, Key()))
    token, lifetime_seconds = one.issue("u-1", "player", NOW, "s-1")
    assert one.verify(token) == other.verify(token)
    assert len(checked) == 1
    for wrong in (f"{token[:-4]}AAAA", token.replace(".", "..")):
        for tokens in (one, other):
            with pytest.raises(InvalidToken):
                tokens.verify(wrong)
    assert len(checked) == 1 + 4, "nobody took a wrong one's word"
    useless = signed(claims(aud="elsewhere"))
    for tokens in (one, other):
        with pytest.raises(InvalidToken):
            tokens.verify(useless)
    assert len(checked) == 1 + 4 + 1
    late = one.issue("u-2", "player", NOW)[0]
    one.verify(late)
    clock.now += lifetime_seconds
    for tokens in (one, other):
        with pytest.raises(TokenExpired):
            tokens.verify(late)


def test_a_token_whose_mark_another_has_taken_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.accounts.verified_tokens.PLACES", 1)
    verified = VerifiedTokens()
    verified.add("first")
    verified.add("second")
    assert "first" not in verified
    assert "second" in verified


def test_a_token_of_a_key_that_is_gone_is_not_known_by_its_mark() -> None:
    verified = VerifiedTokens()
    token = signed(claims())
    verified.add(token)
    with pytest.raises(InvalidToken):
        AccessTokens(pem_of(Ed25519PrivateKey.generate()), clock=Time(), verified=verified).verify(token)
