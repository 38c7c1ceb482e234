"""Access tokens: ours, an outside provider's, and everything that only looks like one (RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.accounts.tokens import AccessTokens
from shared.core.errors import ConfigurationError, InvalidToken, TokenExpired
from shared.core.secret_keys import SigningKey, read_signing_keys
from tests.unit.tokens import KEY_ID, NOW, PEM, PRIVATE, Time, base64url, claims, encoded, pem_of, signed


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def tokens(clock: Time) -> AccessTokens:
    return AccessTokens(PEM, clock=clock)


def test_an_issued_token_says_who_it_is_for(tokens: AccessTokens) -> None:
    token, lifetime_seconds = tokens.issue("u-1", "admin", NOW)
    caller = tokens.verify(token)
    assert (caller.user_id, caller.role) == ("u-1", "admin")
    assert caller.expires_at.timestamp() == NOW.timestamp() + lifetime_seconds == NOW.timestamp() + 900


def test_the_claims_are_those_of_the_contract(tokens: AccessTokens) -> None:
    token, _ = tokens.issue("u-1", "player", NOW)
    assert set(jwt.decode(token, options={"verify_signature": False})) == {"iss", "aud", "sub", "role", "iat", "exp", "jti"}
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": KEY_ID, "typ": "at+jwt"}


def test_the_key_id_is_the_thumbprint_of_the_published_key(tokens: AccessTokens) -> None:
    (key,) = tokens.jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    canonical = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":")).encode()
    assert key["kid"] == base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def test_a_token_ends_on_the_second_even_when_it_is_remembered(tokens: AccessTokens, clock: Time) -> None:
    token, lifetime_seconds = tokens.issue("u-1", "player", NOW)
    tokens.verify(token)
    clock.now += lifetime_seconds - 0.001
    tokens.verify(token)
    clock.now += 0.001
    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.verify(token)


def test_no_more_tokens_are_remembered_than_allowed(clock: Time) -> None:
    tokens = AccessTokens(PEM, clock=clock, remember=3)
    issued = [tokens.issue("u-1", "player", NOW)[0] for _ in range(10)]
    for token in issued * 2:
        tokens.verify(token)
    assert len(tokens._known) == 3


def test_a_token_that_has_expired_is_forgotten_when_another_is_remembered(tokens: AccessTokens, clock: Time) -> None:
    for _ in range(3):
        tokens.verify(tokens.issue("u-1", "player", NOW)[0])
    clock.now += 900
    late, _ = tokens.issue("u-1", "player", NOW + timedelta(minutes=15))
    tokens.verify(late)
    assert list(tokens._known) == [late]


def forgeries() -> dict[str, str]:
    public = PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, body, signature = signed(claims()).split(".")
    other_body = base64.urlsafe_b64encode(json.dumps(claims(sub="u-2")).encode()).rstrip(b"=").decode()
    raw_mac_key = base64.urlsafe_b64encode(hashlib.sha256(public).digest()).decode()
    infinite = jwt.api_jws.encode(
        json.dumps(claims(exp=float("inf"))).encode(), PRIVATE, "EdDSA", {"kid": KEY_ID, "typ": "at+jwt"}
    )
    return {
        "nothing": "",
        "nonsense": "nonsense",
        "three parts of nothing": "..",
        "unsigned": jwt.encode(claims(), "", "none", {"kid": KEY_ID, "typ": "at+jwt"}),
        "signed with a shared secret": signed(claims(), raw_mac_key, "HS256"),
        "another key under our key id": signed(claims(), Ed25519PrivateKey.generate()),
        "our key under an unknown key id": signed(claims(), kid="unknown"),
        "no key id": signed(claims(), kid=None),
        "a key id that is no text": signed(claims(), kid=None) and f"{encoded({'alg': 'EdDSA', 'kid': 7})}.{body}.{signature}",
        "another kind of token": signed(claims(), typ="JWT"),
        "no kind of token": signed(claims(), typ=None),
        "a changed body": f"{head}.{other_body}.{signature}",
        "a cut signature": f"{head}.{body}.{signature[:-4]}",
        "another issuer": signed(claims(iss="elsewhere")),
        "another audience": signed(claims(aud="elsewhere")),
        "issued in the future": signed(claims(iat=int(NOW.timestamp()) + 60)),
        "not valid yet": signed(claims(nbf=int(NOW.timestamp()) + 60)),
        "an end that is no number": signed(claims(exp=True)),
        "an infinite end": infinite,
        "an end beyond the calendar": signed(claims(exp=10**18)),
        "an unknown role": signed(claims(role="root")),
        "a role that is a list": signed(claims(role=["admin"])),
        "a subject with a separator": signed(claims(sub="u-1:profile")),
        "a subject too long": signed(claims(sub="u" * 37)),
        "too long": signed(claims(padding="x" * 9000)),
        "an unknown critical header": signed(claims(), crit=["x"], x=1),
        "a session that is no text": signed(claims(sid=7)),
        "a session with a separator": signed(claims(sid="s:1")),
        "a session too long": signed(claims(sid="s" * 37)),
        "signed with our public key as a secret": _hand_signed({"alg": "HS256", "kid": KEY_ID, "typ": "at+jwt"}, public),
        "signed with the bytes of our public key as a secret": _hand_signed(
            {"alg": "HS256", "kid": KEY_ID, "typ": "at+jwt"}, PRIVATE.public_key().public_bytes_raw()
        ),
        "a claim that stands twice": _with_text(json.dumps(claims())[:-1] + ', "sub": "u-1"}'),
        "a header that stands twice": _with_header_text(f'{{"alg": "none", "alg": "EdDSA", "kid": "{KEY_ID}", "typ": "at+jwt"}}'),
        "claims that are no object": _with_text("[]"),
        "claims nested too deep": _with_text("[" * 3000 + "]" * 3000),
        "encrypted in five parts": ".".join([head, "", body, "", signature]),
        **{f"no {name}": signed(claims(**{name: None})) for name in ("iss", "aud", "sub", "role", "iat", "exp", "jti")},
    }


def _hand_signed(header: dict[str, str], secret: bytes) -> str:
    """As PyJWT refuses to: with HMAC under what is no secret."""
    text = f"{encoded(header)}.{encoded(claims())}"
    return f"{text}.{base64url(hmac.digest(secret, text.encode(), 'sha256'))}"


def _with_text(payload: str) -> str:
    """A good signature of whatever text."""
    return jwt.api_jws.encode(payload.encode(), PRIVATE, "EdDSA", {"kid": KEY_ID, "typ": "at+jwt"})


def _with_header_text(header: str) -> str:
    text = f"{base64url(header.encode())}.{encoded(claims())}"
    return f"{text}.{base64url(PRIVATE.sign(text.encode()))}"


@pytest.mark.parametrize("name", forgeries())
def test_a_forged_or_foreign_token_is_refused(tokens: AccessTokens, name: str) -> None:
    token = forgeries()[name]
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.verify(token)


def test_where_a_token_says_that_its_key_is_nobody_looks(clock: Time) -> None:
    attacker = Ed25519PrivateKey.generate()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/keys.json"
        named = {
            "jku": url,
            "x5u": url,
            "jwk": json.loads(OKPAlgorithm.to_jwk(attacker.public_key())),
            "x5c": [base64.b64encode(attacker.public_key().public_bytes_raw()).decode()],
            "kid": url,
        }
        tokens = AccessTokens(PEM, clock=clock)
        for name, value in named.items():
            for key_id in (KEY_ID, "unknown", None):
                with pytest.raises(InvalidToken):
                    tokens.verify(signed(claims(), attacker, **{"kid": key_id, name: value}))
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_several_keys_may_verify_and_the_first_one_signs(clock: Time) -> None:
    old, new = PEM, pem_of(Ed25519PrivateKey.generate())
    before, after = AccessTokens(old, clock=clock), AccessTokens(f"{new}{old}", clock=clock)
    token, _ = before.issue("u-1", "player", NOW, "s-1")
    assert after.verify(token).session_id == "s-1", "old tokens live on"
    newer, _ = after.issue("u-1", "player", NOW)
    assert jwt.get_unverified_header(newer)["kid"] == SigningKey.from_pem(new).key_id
    assert after.verify(newer).user_id == "u-1"
    assert [key["kid"] for key in after.jwks()["keys"]] == [SigningKey.from_pem(new).key_id, KEY_ID]
    with pytest.raises(InvalidToken):
        before.verify(newer)
    prepared = AccessTokens(f"{old}\n{new}", clock=clock)
    assert prepared.verify(newer).user_id == "u-1", "a key may be there before it signs"
    assert jwt.get_unverified_header(prepared.issue("u-1", "player", NOW)[0])["kid"] == KEY_ID
    with pytest.raises(InvalidToken):
        AccessTokens(new, clock=clock).verify(token)


@pytest.mark.parametrize("setting", [PEM + PEM, PEM + "more", "more" + PEM, PEM + PEM[:60]], ids=["twice", "more", "less", "cut"])
def test_what_stands_beside_the_keys_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError):
        AccessTokens(setting)


def test_clocks_may_differ_a_little(tokens: AccessTokens) -> None:
    assert tokens.verify(signed(claims(iat=int(NOW.timestamp()) + 4))).user_id == "u-1"


def test_an_expired_token_is_told_so(tokens: AccessTokens) -> None:
    with pytest.raises(TokenExpired):
        tokens.verify(signed(claims(iat=int(NOW.timestamp()) - 901, exp=int(NOW.timestamp()) - 1)))


@pytest.mark.parametrize("setting", ["", "nonsense", PEM[:60]], ids=["empty", "nonsense", "cut"])
def test_a_bad_signing_key_is_refused_without_being_shown(setting: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        AccessTokens(setting)
    assert "JWT_SIGNING_KEY" in str(refused.value)
    assert PEM[30:60] not in str(refused.value)


def test_a_key_of_another_kind_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ConfigurationError):
        AccessTokens(other.decode())


def test_the_private_key_never_prints() -> None:
    (key,) = read_signing_keys(PEM.replace("\n", "\\n"))
    assert "private" not in repr(key).lower().replace("ed25519publickey", "")
    assert key.key_id == KEY_ID
