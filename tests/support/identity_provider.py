"""A small identity provider: accounts with metadata, access tokens that it signs, and the keys to verify them."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

USER_ID_CLAIM = "https://game.example/scoreboard_user_id"


class IdentityProvider:
    """Over HTTP on a port of its own: `/.well-known/jwks.json`, `PUT /accounts/NAME` and `/token?account=NAME&seconds=N`."""

    def __init__(self, audience: str) -> None:
        self._audience = audience
        self._accounts: dict[str, str] = {}
        self._key_id, self._key = "first", rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def token_url(self, account: str, seconds: int = 300) -> str:
        """Where an access token for somebody is to be had."""
        return f"{self.url}/token?account={account}&seconds={seconds}"

    def save(self, account: str, user_id: str) -> None:
        """Note in an account's metadata who it is on the scoreboard."""
        self._accounts[account] = user_id

    def token(self, account: str, seconds: int = 300, **claims: object) -> str:
        """An access token as providers make them: an id of their own as the subject, and a claim from the account's metadata."""
        now = int(time.time())
        named = {USER_ID_CLAIM: self._accounts.get(account, "nobody-here")}
        body = {"iss": f"{self.url}/", "aud": self._audience, "sub": f"own|{account}", "iat": now, "exp": now + seconds}
        return jwt.encode({**body, **named, **claims}, self._key, "RS256", {"kid": self._key_id})

    def answer(self, method: str, target: str, body: str) -> str | None:
        """What is said to a request; None where there is nothing."""
        parts = urlsplit(target)
        if parts.path == "/.well-known/jwks.json":
            key: dict[str, Any] = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            return json.dumps({"keys": [{**key, "kid": self._key_id, "use": "sig", "alg": "RS256"}]})
        if method == "PUT" and parts.path.startswith("/accounts/"):
            self.save(parts.path.removeprefix("/accounts/"), body)
            return ""
        if parts.path == "/token":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return self.token(asked["account"], int(asked.get("seconds", "300")))
        return None


def _handler_of(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            said = provider.answer(self.command, self.path, body)
            self.send_response(404 if said is None else 200)
            self.send_header("Content-Length", str(len(said or "")))
            self.end_headers()
            self.wfile.write((said or "").encode())

        do_PUT = do_GET  # noqa: N815 - the standard library's naming

        def log_message(self, *_: object) -> None:
            pass

    return Handler
