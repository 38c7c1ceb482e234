"""POST /api/tokens: log in with a password, or go on with a refresh token."""

from __future__ import annotations

from shared.accounts.issue_token import Identity, issue_token, parse_grant
from shared.audit.note_refusal import audited
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


def _username(request: HttpRequest) -> object:
    return request.json_object().get("username")


@http_handler
@audited("login_refused", container, _username)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer an access token and the refresh token that follows it."""
    deps = container()
    grant = parse_grant(request.json_object(), request.source_ip, request.headers.get("idempotency-key"))
    identity = Identity(
        users=deps.users,
        gatekeeper=deps,
        access_tokens=deps.access_tokens,
        refresh_tokens=deps.refresh_tokens,
        accounts=deps,
        clock=deps.clock,
        memory=deps,
    )
    tokens = issue_token(grant, identity)
    replayed = {"Idempotency-Replayed": "true"} if tokens.is_replayed else {}
    return Reply.ok(tokens.as_json(), headers={"Cache-Control": "no-store", **replayed})
