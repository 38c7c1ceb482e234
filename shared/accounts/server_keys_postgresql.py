"""Server keys of record (PostgreSQL); each change with its audit row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shared.accounts.server_key import DEFAULT_SCOPES, GoodKey, ServerCredential, ServerKey
from shared.core.errors import UnknownServerKey
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

_ALL = (
    "SELECT key_id, name, boards, scopes, created_by, created_at, rotated_at, revoked_at FROM server_keys"
    " ORDER BY created_at DESC, key_id"
)


class ServerKeys:
    """By their ids. All changes raise RequestInProgress when there is an answer under the same Idempotency-Key already."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def list(self) -> list[ServerKey]:
        """All of them, newest first, revoked ones too."""
        with self._pool.connection() as session:
            rows = session.run(_ALL)
        return [ServerKey(*row) for row in rows]

    def good(self, key_id: str) -> GoodKey | None:
        """What a good key is known by; None for one that is unknown or revoked."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT key_hash, boards, scopes FROM server_keys WHERE key_id = :key_id AND revoked_at IS NULL", key_id=key_id
            )
        return _good(*rows[0]) if rows else None

    def add(
        self,
        credential: ServerCredential,
        name: str,
        boards: Sequence[str] | None,
        scopes: Sequence[str],
        actor: Actor,
        answer: KeptAnswer | None = None,
    ) -> None:
        """A new key."""
        with self._pool.transaction("add_server_key") as session:
            keep_answer(session, answer)
            session.run(
                statement("add_server_key"),
                key_id=credential.key_id,
                name=name,
                key_hash=credential.key_hash,
                boards=None if boards is None else json.dumps(boards),
                scopes=None if tuple(scopes) == DEFAULT_SCOPES else json.dumps(scopes),
                created_by=actor.name,
            )
            detail: dict[str, Any] = {"keyId": credential.key_id, "name": name, "boards": boards, "scopes": scopes}
            add_audit_row(session, "server_key_created", actor, None, detail)

    def rotate(self, credential: ServerCredential, actor: Actor, answer: KeptAnswer | None = None) -> GoodKey:
        """Another secret: the one before is refused from now on. Returns what it is known by; raises UnknownServerKey."""
        return self._change("rotate_server_key", "server_key_rotated", credential.key_id, actor, answer, credential.key_hash)

    def revoke(self, key_id: str, actor: Actor) -> None:
        """The key is refused from now on, for good; raises UnknownServerKey."""
        self._change("revoke_server_key", "server_key_revoked", key_id, actor, None, None)

    def _change(
        self, name: str, action: str, key_id: str, actor: Actor, answer: KeptAnswer | None, key_hash: str | None
    ) -> GoodKey:
        with self._pool.transaction(name) as session:
            keep_answer(session, answer)
            changed = {} if key_hash is None else {"key_hash": key_hash}
            rows = session.run(statement(name), key_id=key_id, **changed)
            if not rows:
                raise UnknownServerKey
            add_audit_row(session, action, actor, None, {"keyId": key_id})
        return _good(*rows[0])


def _good(key_hash: str, boards: Sequence[str] | None, scopes: Sequence[str] | None) -> GoodKey:
    return GoodKey(key_hash, boards, DEFAULT_SCOPES if scopes is None else scopes)
