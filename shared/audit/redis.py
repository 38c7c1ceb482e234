"""What Redis keeps of the audit log: refusals until they are written, and the newest seal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import redis

from shared.audit.entries import Content, Seal, Signature
from shared.audit.refusal import SEVERAL, Refusal, RefusalBatch, RefusalGroup
from shared.core.logs import get_logger
from shared.core.network import noted_network
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

# Of kinds, each of which becomes a row of some 640 bytes with its indexes: whatever comes, from however many networks, that is
# 200 rows a minute and a row for each action and reason, 190 MB a day; and one network has no more than its share.
KINDS_OF_AN_ADDRESS = 20
KINDS_A_MINUTE = 200
KINDS_IN_ALL = 2000
LEFT_OUT = "*"
_log = get_logger(__name__)


class Refusals:
    """Refusals of the last minute, counted (Redis); bounded, whatever comes.

    One script and one round trip a refusal, by Redis's own clock.

    Refusals of one kind (action, reason, actor, user, network of the address) in one minute are one field with their count. A
    network that makes more than KINDS_OF_AN_ADDRESS kinds in a minute has the rest in one kind for each action and reason. Above
    KINDS_A_MINUTE kinds, or KINDS_IN_ALL while nobody takes them (10 minutes of the worst), only how many were left out is
    counted, for each action and reason. What is taken stays until it is settled, and is taken again under the same id if whoever
    recorded it died: recorded once, as that id is remembered in PostgreSQL.
    """

    def __init__(self, client: redis.Redis, keys: ShardKeys) -> None:
        self._redis = client
        self._keys = keys

    @translated()
    def note(self, refusal: Refusal) -> None:
        """Count one."""
        one, prefix = refusal.bounded(), noted_network(refusal.source_ip)
        run_script(
            self._redis,
            "note_refusal",
            (self._keys.refusals, self._keys.refusal_kinds),
            (
                "\n".join((one.action, one.reason, one.actor, one.user_id, one.username, prefix)),
                "\n".join((one.action, one.reason, SEVERAL, "", "", prefix)),
                "\n".join((one.action, one.reason, SEVERAL, "", "", "")),
                prefix,
                one.source_ip,
                one.request_id,
                KINDS_OF_AN_ADDRESS,
                KINDS_A_MINUTE,
                KINDS_IN_ALL,
            ),
        )

    @translated()
    def take(self) -> RefusalBatch | None:
        """What is to be recorded now; the same again until it is settled. None when there is nothing.

        Renamed, so that those of the next minute gather beside them.
        """
        keys = (self._keys.refusals, self._keys.refusals_taken, self._keys.refusals_batch)
        answer = run_script(self._redis, "take_refusals", keys, (str(uuid4()),))
        if not answer:
            return None
        batch_id, fields = answer
        return RefusalBatch(batch_id.decode(), _groups(fields))

    @translated()
    def settle(self, batch_id: str) -> None:
        """The batch is recorded."""
        run_script(self._redis, "settle_refusals", (self._keys.refusals_taken, self._keys.refusals_batch), (batch_id,))


def _groups(fields: Sequence[bytes]) -> list[RefusalGroup]:
    groups = []
    for kind, value in zip(fields[::2], fields[1::2], strict=True):
        try:
            groups.append(_group(kind.decode(), value.decode()))
        except (ValueError, OverflowError):
            _log.error("a refusal cannot be read", extra={"kind": repr(kind)})
    return sorted(groups, key=lambda group: group.first_at)


def _group(kind: str, value: str) -> RefusalGroup:
    minute, action, reason, actor, user_id, username, prefix = kind.split("\n")
    count, first_ms, last_ms, source_ip, request_id = value.split("\n")
    return RefusalGroup(
        action=action,
        reason=reason,
        actor=actor,
        user_id=user_id,
        username=username,
        address_prefix=prefix,
        count=int(count),
        first_at=datetime.fromtimestamp(int(first_ms) / 1000, UTC),
        last_at=datetime.fromtimestamp(int(last_ms) / 1000, UTC),
        source_ip=source_ip,
        request_id=request_id,
        is_left_out=minute == LEFT_OUT,
    )


class SealAnchor:
    """The newest seal, remembered outside of PostgreSQL (Redis)."""

    def __init__(self, client: redis.Redis, keys: ShardKeys) -> None:
        self._redis = client
        self._key = keys.audit_head
        self._sealing = keys.audit_sealing

    @translated()
    def get(self) -> Seal | None:
        """The seal, or None when nothing (that can be read) is remembered.

        What cannot be read is as good as nothing, and is logged.
        """
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
        """Remember it."""
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
        """Whether it is this run's turn to add seals, for so long from now on; 0 ends it.

        A script, and a TTL that ends the turn of a run that died.
        """
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
