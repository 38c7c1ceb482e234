"""Tokens of an outside identity provider, and the keys that are fetched from it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.accounts.outside_keys import OutsideKeys
from shared.accounts.tokens import AccessTokens
from shared.core.errors import ConfigurationError, InvalidToken, Unavailable
from tests.unit.tokens import NOW, PEM, Time, claims, signed


@pytest.fixture
def clock() -> Time:
    return Time()


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
def federated(provider: Provider, clock: Time) -> AccessTokens:
    return AccessTokens(
        PEM,
        outside_issuer="https://idp.example/",
        outside_audience="game",
        outside_jwks_url=provider.url,
        clock=clock,
    )


def outside(**changes: Any) -> dict[str, Any]:
    return claims(**{"iss": "https://idp.example/", "aud": ["game", "other"], "role": None, "jti": None, **changes})


@pytest.mark.parametrize(("key", "algorithm", "key_id"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec")])
def test_an_outside_token_is_accepted(federated: AccessTokens, key: Any, algorithm: str, key_id: str) -> None:
    caller = federated.verify(signed(outside(), key, algorithm, kid=key_id, typ="JWT"))
    assert (caller.user_id, caller.role) == ("u-1", "player")
    assert federated.verify(signed(outside(role="admin"), key, algorithm, kid=key_id)).role == "admin"


def test_another_claim_than_the_subject_may_say_which_account_it_is(provider: Provider, clock: Time) -> None:
    named = AccessTokens(
        PEM,
        outside_issuer="https://idp.example/",
        outside_audience="game",
        outside_jwks_url=provider.url,
        outside_user_id_claim="https://game.example/id",
        clock=clock,
    )
    token = signed(outside(sub="auth0|77", **{"https://game.example/id": "u-7"}), RSA_KEY, "RS256", kid="rsa")
    assert named.verify(token).user_id == "u-7"
    for nobody in (None, "", 7, ["u-7"], {"id": "u-7"}):
        with pytest.raises(InvalidToken):
            named.verify(signed(outside(**{"https://game.example/id": nobody}), RSA_KEY, "RS256", kid="rsa"))
    assert named.verify(named.issue("u-1", "player", NOW)[0]).user_id == "u-1"


def test_a_subject_that_is_a_uuid_is_one_in_small_letters(federated: AccessTokens) -> None:
    capitals = "FE5DF23A-7FCE-8C5A-B8B2-8E04316DDAFF"
    token = signed(outside(sub=capitals), RSA_KEY, "RS256", kid="rsa")
    assert federated.verify(token).user_id == capitals.lower()
    token = signed(outside(sub="Idp|5F7C"), RSA_KEY, "RS256", kid="rsa")
    assert federated.verify(token).user_id == "Idp|5F7C", "whose letters may mean something"


def test_our_own_tokens_stay_good_beside_them(federated: AccessTokens, provider: Provider) -> None:
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
def test_an_outside_token_that_is_not_for_us_is_refused(federated: AccessTokens, name: str) -> None:
    with pytest.raises(InvalidToken):
        federated.verify(not_for_us()[name])


def test_made_up_key_ids_do_not_make_us_ask_again_and_again(federated: AccessTokens, provider: Provider) -> None:
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


def test_the_session_of_an_outside_token_is_none_of_ours(federated: AccessTokens) -> None:
    assert federated.verify(signed(outside(sid="theirs"), RSA_KEY, "RS256", kid="rsa")).session_id == ""


@pytest.mark.parametrize("url", ["http://idp.example/jwks.json", "ftp://127.0.0.1/x", "file:///etc/passwd", "https://"])
def test_keys_come_by_https_only(url: str) -> None:
    with pytest.raises(ConfigurationError):
        OutsideKeys(url)


def test_a_provider_needs_its_name_and_ours(provider: Provider) -> None:
    with pytest.raises(ConfigurationError, match="JWT_ISSUER"):
        AccessTokens(PEM, outside_jwks_url=provider.url)
    with pytest.raises(ConfigurationError, match="our own name"):
        AccessTokens(PEM, outside_issuer="scoreboard", outside_audience="game", outside_jwks_url=provider.url)
