"""Access tokens: ours, an outside provider's, and everything that only looks like one (RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.adapters.crypto.jwt import JwtAccessTokens
from shared.adapters.crypto.outside_keys import OutsideKeys
from shared.adapters.crypto.signing_key import SigningKey, read_signing_keys
from shared.errors import ConfigurationError, InvalidToken, TokenExpired, Unavailable

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
KEY_ID = SigningKey.from_pem(PEM).key_id


def _pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


class Time:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def tokens(clock: Time) -> JwtAccessTokens:
    return JwtAccessTokens(PEM, clock=clock)


def claims(**changes: Any) -> dict[str, Any]:
    issued_at = int(NOW.timestamp())
    base = {"iss": "scoreboard", "aud": "scoreboard-api", "sub": "u-1", "role": "player", "jti": "j"}
    merged = {**base, "iat": issued_at, "exp": issued_at + 900, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def signed(body: dict[str, Any], key: Any = PRIVATE, algorithm: str = "EdDSA", **header: Any) -> str:
    headers = {"kid": KEY_ID, "typ": "at+jwt", **header}
    return jwt.encode(body, key, algorithm, {name: value for name, value in headers.items() if value is not None})


def test_an_issued_token_says_who_it_is_for(tokens: JwtAccessTokens) -> None:
    token, lifetime_seconds = tokens.issue("u-1", "admin", NOW)
    caller = tokens.verify(token)
    assert (caller.user_id, caller.role) == ("u-1", "admin")
    assert caller.expires_at.timestamp() == NOW.timestamp() + lifetime_seconds == NOW.timestamp() + 900


def test_the_claims_are_those_of_the_contract(tokens: JwtAccessTokens) -> None:
    token, _ = tokens.issue("u-1", "player", NOW)
    assert set(jwt.decode(token, options={"verify_signature": False})) == {"iss", "aud", "sub", "role", "iat", "exp", "jti"}
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": KEY_ID, "typ": "at+jwt"}


def test_the_key_id_is_the_thumbprint_of_the_published_key(tokens: JwtAccessTokens) -> None:
    (key,) = tokens.jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    canonical = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":")).encode()
    assert key["kid"] == base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def test_a_token_ends_on_the_second_even_when_it_is_remembered(tokens: JwtAccessTokens, clock: Time) -> None:
    token, lifetime_seconds = tokens.issue("u-1", "player", NOW)
    tokens.verify(token)
    clock.now += lifetime_seconds - 0.001
    tokens.verify(token)
    clock.now += 0.001
    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.verify(token)


def test_no_more_tokens_are_remembered_than_allowed(clock: Time) -> None:
    tokens = JwtAccessTokens(PEM, clock=clock, remember=3)
    issued = [tokens.issue("u-1", "player", NOW)[0] for _ in range(10)]
    for token in issued * 2:
        tokens.verify(token)
    assert len(tokens._verified) == 3


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
        "a key id that is no text": signed(claims(), kid=None) and f"{_encode({'alg': 'EdDSA', 'kid': 7})}.{body}.{signature}",
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


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _hand_signed(header: dict[str, str], secret: bytes) -> str:
    """As PyJWT refuses to: with HMAC under what is no secret."""
    text = f"{_encode(header)}.{_encode(claims())}"
    return f"{text}.{_base64url(hmac.digest(secret, text.encode(), 'sha256'))}"


def _with_text(payload: str) -> str:
    """A good signature of whatever text."""
    return jwt.api_jws.encode(payload.encode(), PRIVATE, "EdDSA", {"kid": KEY_ID, "typ": "at+jwt"})


def _with_header_text(header: str) -> str:
    text = f"{_base64url(header.encode())}.{_encode(claims())}"
    return f"{text}.{_base64url(PRIVATE.sign(text.encode()))}"


@pytest.mark.parametrize("name", forgeries())
def test_a_forged_or_foreign_token_is_refused(tokens: JwtAccessTokens, name: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(forgeries()[name])


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
        tokens = JwtAccessTokens(PEM, clock=clock)
        for name, value in named.items():
            for key_id in (KEY_ID, "unknown", None):
                with pytest.raises(InvalidToken):
                    tokens.verify(signed(claims(), attacker, **{"kid": key_id, name: value}))
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_several_keys_may_verify_and_the_first_one_signs(clock: Time) -> None:
    old, new = PEM, _pem(Ed25519PrivateKey.generate())
    before, after = JwtAccessTokens(old, clock=clock), JwtAccessTokens(f"{new}{old}", clock=clock)
    token, _ = before.issue("u-1", "player", NOW, "s-1")
    assert after.verify(token).session_id == "s-1", "old tokens live on"
    newer, _ = after.issue("u-1", "player", NOW)
    assert jwt.get_unverified_header(newer)["kid"] == SigningKey.from_pem(new).key_id
    assert after.verify(newer).user_id == "u-1"
    assert [key["kid"] for key in after.jwks()["keys"]] == [SigningKey.from_pem(new).key_id, KEY_ID]
    with pytest.raises(InvalidToken):
        before.verify(newer)
    prepared = JwtAccessTokens(f"{old}\n{new}", clock=clock)
    assert prepared.verify(newer).user_id == "u-1", "a key may be there before it signs"
    assert jwt.get_unverified_header(prepared.issue("u-1", "player", NOW)[0])["kid"] == KEY_ID
    with pytest.raises(InvalidToken):
        JwtAccessTokens(new, clock=clock).verify(token)


@pytest.mark.parametrize("setting", [PEM + PEM, PEM + "more", "more" + PEM, PEM + PEM[:60]], ids=["twice", "more", "less", "cut"])
def test_what_stands_beside_the_keys_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError):
        JwtAccessTokens(setting)


def test_clocks_may_differ_a_little(tokens: JwtAccessTokens) -> None:
    assert tokens.verify(signed(claims(iat=int(NOW.timestamp()) + 4))).user_id == "u-1"


def test_an_expired_token_is_told_so(tokens: JwtAccessTokens) -> None:
    with pytest.raises(TokenExpired):
        tokens.verify(signed(claims(iat=int(NOW.timestamp()) - 901, exp=int(NOW.timestamp()) - 1)))


@pytest.mark.parametrize("setting", ["", "nonsense", PEM[:60]], ids=["empty", "nonsense", "cut"])
def test_a_bad_signing_key_is_refused_without_being_shown(setting: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        JwtAccessTokens(setting)
    assert "JWT_SIGNING_KEY" in str(refused.value)
    assert PEM[30:60] not in str(refused.value)


def test_a_key_of_another_kind_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ConfigurationError):
        JwtAccessTokens(other.decode())


def test_the_private_key_never_prints() -> None:
    (key,) = read_signing_keys(PEM.replace("\n", "\\n"))
    assert "private" not in repr(key).lower().replace("ed25519publickey", "")
    assert key.key_id == KEY_ID


# An outside identity provider


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Provider:
    """An identity provider's key set over HTTP, counting how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.location = "/elsewhere"
        self.document: object = {
            "keys": [
                {**json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())), "kid": "rsa", "alg": "RS256", "use": "sig"},
                {**json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "ec"},
                {"kty": "oct", "kid": "secret", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
                {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "broken"},
                {**json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())), "kid": "encryption", "use": "enc"},
                "nonsense",
            ]
        }
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body = json.dumps(provider.document).encode()
                self.send_response(provider.status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Location", provider.location)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    thread = Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


@pytest.fixture
def federated(provider: Provider, clock: Time) -> JwtAccessTokens:
    return JwtAccessTokens(
        PEM,
        outside_issuer="https://idp.example/",
        outside_audience="game",
        outside_jwks_url=provider.url,
        clock=clock,
    )


def outside(**changes: Any) -> dict[str, Any]:
    return claims(**{"iss": "https://idp.example/", "aud": ["game", "other"], "role": None, "jti": None, **changes})


@pytest.mark.parametrize(("key", "algorithm", "key_id"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec")])
def test_an_outside_token_is_accepted(federated: JwtAccessTokens, key: Any, algorithm: str, key_id: str) -> None:
    caller = federated.verify(signed(outside(), key, algorithm, kid=key_id, typ="JWT"))
    assert (caller.user_id, caller.role) == ("u-1", "player")
    assert federated.verify(signed(outside(role="admin"), key, algorithm, kid=key_id)).role == "admin"


def test_our_own_tokens_stay_good_beside_them(federated: JwtAccessTokens, provider: Provider) -> None:
    assert federated.verify(federated.issue("u-1", "player", NOW)[0]).user_id == "u-1"
    assert provider.asked == 0


def not_for_us() -> dict[str, str]:
    shared_secret = "secretsecretsecretsecretsecretsecret"
    return {
        "our name as its issuer": signed(outside(iss="scoreboard"), RSA_KEY, "RS256", kid="rsa"),
        "our audience": signed(outside(aud="scoreboard-api"), RSA_KEY, "RS256", kid="rsa"),
        "our claims": signed(claims(), RSA_KEY, "RS256", kid="rsa"),
        "another algorithm than the key's": signed(outside(), RSA_KEY, "RS512", kid="rsa"),
        "another key id than the key's": signed(outside(), RSA_KEY, "RS256", kid="ec"),
        "a key for encryption": signed(outside(), RSA_KEY, "RS256", kid="encryption"),
        "a shared secret": signed(outside(), shared_secret, "HS256", kid="secret"),
        "a broken key": signed(outside(), kid="broken"),
        "no subject": signed(outside(sub=None), RSA_KEY, "RS256", kid="rsa"),
        "an unknown role": signed(outside(role="root"), RSA_KEY, "RS256", kid="rsa"),
    }


@pytest.mark.parametrize("name", not_for_us())
def test_an_outside_token_that_is_not_for_us_is_refused(federated: JwtAccessTokens, name: str) -> None:
    with pytest.raises(InvalidToken):
        federated.verify(not_for_us()[name])


def test_made_up_key_ids_do_not_make_us_ask_again_and_again(federated: JwtAccessTokens, provider: Provider) -> None:
    for number in range(20):
        with pytest.raises(InvalidToken):
            federated.verify(signed(outside(), RSA_KEY, "RS256", kid=f"made-up-{number}"))
    assert provider.asked == 1


def test_a_new_key_of_the_provider_is_found_after_a_pause(provider: Provider) -> None:
    clock = Time()
    keys = OutsideKeys(provider.url, clock)
    assert keys.find("rsa") is not None
    provider.document = {"keys": [{**json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "new"}]}
    assert keys.find("new") is None
    clock.now += 31
    assert keys.find("new") is not None
    assert keys.find("rsa") is None


@pytest.mark.parametrize(("status", "document"), [(500, {}), (302, {"keys": []}), (200, []), (200, {"keys": ["x" * 300_000]})])
def test_a_provider_that_cannot_be_asked_is_our_fault_not_the_clients(provider: Provider, status: int, document: object) -> None:
    provider.status, provider.document = status, document
    with pytest.raises(Unavailable):
        OutsideKeys(provider.url).find("rsa")


def test_keys_that_were_fetched_outlive_the_provider(provider: Provider) -> None:
    clock = Time()
    keys = OutsideKeys(provider.url, clock)
    assert keys.find("rsa") is not None
    provider.status = 500
    clock.now += 601
    assert keys.find("rsa") is not None
    assert provider.asked == 2


def test_a_provider_that_sends_drop_by_drop_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        gone = Event()

        def drip() -> None:
            client, _ = listening.accept()
            with client, suppress(OSError):
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not gone.wait(0.01):
                    client.sendall(b" ")
            gone.set()

        thread = Thread(target=drip)
        thread.start()
        with pytest.raises(Unavailable):
            OutsideKeys(f"http://127.0.0.1:{listening.getsockname()[1]}/", fetch_seconds=0.3).find("rsa")
        gone.set()
        thread.join()


def test_known_keys_do_not_wait_for_a_provider_that_is_being_asked(provider: Provider) -> None:
    clock = Time()
    keys = OutsideKeys(provider.url, clock)
    assert keys.find("rsa") is not None
    clock.now += 601
    with keys._lock:  # somebody asks
        assert keys.find("rsa") is not None
    assert provider.asked == 1


def test_nothing_is_fetched_from_where_a_redirect_leads(provider: Provider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        provider.status, provider.location = 302, f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        with pytest.raises(Unavailable):
            OutsideKeys(provider.url).find("rsa")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert provider.asked == 1


def test_the_session_of_an_outside_token_is_none_of_ours(federated: JwtAccessTokens) -> None:
    assert federated.verify(signed(outside(sid="theirs"), RSA_KEY, "RS256", kid="rsa")).session_id == ""


@pytest.mark.parametrize("url", ["http://idp.example/jwks.json", "ftp://127.0.0.1/x", "file:///etc/passwd", "https://"])
def test_keys_come_by_https_only(url: str) -> None:
    with pytest.raises(ConfigurationError):
        OutsideKeys(url)


def test_a_provider_needs_its_name_and_ours(provider: Provider) -> None:
    with pytest.raises(ConfigurationError, match="JWT_ISSUER"):
        JwtAccessTokens(PEM, outside_jwks_url=provider.url)
    with pytest.raises(ConfigurationError, match="our own name"):
        JwtAccessTokens(PEM, outside_issuer="scoreboard", outside_audience="game", outside_jwks_url=provider.url)
