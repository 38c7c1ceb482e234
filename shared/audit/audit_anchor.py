"""The newest seal of the audit log, remembered where whoever edits PostgreSQL cannot reach it."""

from __future__ import annotations

import json
from datetime import datetime

import redis

from shared.audit.entries import Content, Seal, Signature
from shared.core.logs import get_logger
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

_log = get_logger(__name__)


class RedisSealAnchor:
    """The port SealAnchor."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.audit_head
        self._sealing = keys.audit_sealing

    @translated()
    def get(self) -> Seal | None:
        """What cannot be read is as good as nothing, and is logged."""
        document = self._redis.get(self._key)
        if document is None:
            return None
        try:
            return _read(json.loads(document))
        except (ValueError, KeyError, TypeError):
            _log.exception("the remembered seal cannot be read", extra={"key": self._key})
            return None

    @translated()
    def put(self, seal: Seal) -> None:
        """As JSON."""
        content = seal.content
        document = {
            "seq": seal.seq,
            "firstId": content.first_id,
            "lastId": content.last_id,
            "rows": content.row_count,
            "contentHash": content.content_hash,
            "sealedAt": content.read_at.isoformat(),
            "previousHash": seal.previous_hash,
            "hash": seal.hash,
            "keyId": seal.signature.key_id,
            "mac": seal.signature.mac,
        }
        self._redis.set(self._key, json.dumps(document))

    @translated()
    def claim(self, run: str, seconds: float) -> bool:
        """A script, and a TTL that ends the turn of a run that died."""
        return bool(run_script(self._redis, "claim_sealing", (self._sealing,), (run, round(seconds * 1000))))


def _read(fields: dict[str, object]) -> Seal:
    content = Content(
        first_id=int(str(fields["firstId"])),
        last_id=int(str(fields["lastId"])),
        row_count=int(str(fields["rows"])),
        content_hash=str(fields["contentHash"]),
        read_at=datetime.fromisoformat(str(fields["sealedAt"])),
    )
    signature = Signature(str(fields["keyId"]), str(fields["mac"]))
    return Seal(int(str(fields["seq"])), content, str(fields["previousHash"]), str(fields["hash"]), signature)
