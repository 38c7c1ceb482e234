"""GET /.well-known/jwks.json."""

from __future__ import annotations

import jwt

from shared.container import Container
from tests.handlers.events import call


def test_tokens_verify_with_the_published_keys(deployed: Container) -> None:
    token, _ = deployed.access_tokens.issue("u-1", "player", deployed.clock.now())
    reply = call("get_jwks", "GET /.well-known/jwks.json")
    assert reply.status == 200
    assert "max-age" in reply.headers["Cache-Control"]
    keys = jwt.PyJWKSet.from_dict(reply.json)
    key = next(key for key in keys.keys if key.key_id == jwt.get_unverified_header(token)["kid"])
    assert jwt.decode(token, key, ["EdDSA"], audience="scoreboard-api", issuer="scoreboard")["sub"] == "u-1"


def test_no_private_part_is_published(deployed: Container) -> None:
    assert all("d" not in key for key in call("get_jwks", "GET /.well-known/jwks.json").json["keys"])
