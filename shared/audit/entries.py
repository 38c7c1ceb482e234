"""The audit log: its entries, and the seals that make a change to them visible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.core.clock import utc_text

NO_HASH = "0" * 64  # what stands before the first seal
MAX_SEQ = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PURPOSE = "scoreboard audit seal 1"
_RESTATED = "scoreboard audit seal restated 1"
_IN_A_FILE = "scoreboard archive 1"
# In which form rows are hashed, told in front of the hash: as they are, or with salted hashes for what is personal.
_FORMATS = {"": 1, "2": 2}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of audit_log; `at` is UTC."""

    id: int
    at: datetime
    action: str
    actor: str
    user_id: str | None
    request_id: str | None
    source_ip: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: those that fit all that is given; `since` is included, `until` is not."""

    user_id: str | None = None
    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Horizon:
    """All ids up to `last_id` are given away; the transactions `writers` may still bring rows with such ids."""

    last_id: int
    writers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in audit_log with ids from `first_id` to `last_id`, at the instant `read_at` of the database's clock.

    `content_hash` begins with `2:` where it covers salted hashes in place of what is personal; one without a format in front
    covers the rows as they are, as seals of earlier versions do.
    """

    first_id: int
    last_id: int
    row_count: int
    content_hash: str
    read_at: datetime

    @property
    def format(self) -> int | None:
        """1 or 2; None for one that this version does not know."""
        name, _, _ = self.content_hash.rpartition(":")
        return _FORMATS.get(name)


@dataclass(frozen=True, slots=True)
class Signature:
    """HMAC-SHA-256 (hex) under the key `key_id`."""

    key_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed (SHA-256 in hex), and how."""

    hash: str
    signature: Signature


@dataclass(frozen=True, slots=True)
class Span:
    """Ids above `after_id` up to `up_to`."""

    after_id: int
    up_to: int


@dataclass(frozen=True, slots=True)
class Seal:
    """One row of audit_seals. Hashes are SHA-256 in hex; `hash` covers every other field but `signature`, which is made of it."""

    seq: int
    content: Content
    previous_hash: str
    hash: str
    signature: Signature

    @staticmethod
    def hash_of(seq: int, content: Content, previous_hash: str) -> str:
        """The hash of a seal with these fields."""
        sealed_us = (content.read_at - _EPOCH) // timedelta(microseconds=1)
        fields = [
            _PURPOSE,
            seq,
            content.first_id,
            content.last_id,
            content.row_count,
            sealed_us,
            content.content_hash,
            previous_hash,
        ]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()

    def restated(self, content_hash: str) -> str:
        """What is signed to say that this other hash covers the same rows."""
        return hashlib.sha256(json.dumps([_RESTATED, self.hash, content_hash]).encode()).hexdigest()

    @property
    def is_consistent(self) -> bool:
        """Whether its hash is that of its fields."""
        return self.hash == self.hash_of(self.seq, self.content, self.previous_hash)


def part_hash(kind: str, part: str, first_id: int, last_id: int, recorded_until: datetime, rows: int, digest: str) -> str:
    """What is signed to say that a part of the archive is in a file whose lines have this digest (SHA-256 in hex)."""
    fields = [_IN_A_FILE, kind, part, first_id, last_id, utc_text(recorded_until), rows, digest]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DetachedPart:
    """A month of the audit log that is said to be in a file alone; `digest` is that of its lines."""

    part: str
    first_id: int
    last_id: int
    recorded_until: datetime
    rows: int
    digest: str

    @property
    def hash(self) -> str:
        """What must have been signed."""
        return part_hash("audit_log", self.part, self.first_id, self.last_id, self.recorded_until, self.rows, self.digest)

    def covers(self, content: Content) -> bool:
        """Whether all of it is in the file."""
        return self.first_id <= content.first_id and content.last_id <= self.last_id
