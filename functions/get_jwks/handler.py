"""GET /.well-known/jwks.json: the public keys that sign access tokens."""

from __future__ import annotations

from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer the JWK set; a verifier may keep it for five minutes."""
    return Reply.document(container().access_tokens.jwks(), headers={"Cache-Control": "public, max-age=300"})
