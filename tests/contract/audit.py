"""An audit log of a test's own, with its chain of seals, and somebody who may do anything to the database."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from shared.audit.archive_postgresql import AuditArchive
from shared.audit.entries import Seal
from shared.audit.hmac_seals import SealSigner
from shared.audit.postgresql import AuditLog, AuditSeals
from shared.audit.redis import SealAnchor
from shared.audit.seal_audit import AuditChain, seal_audit
from shared.audit.verify_audit import VerifyAudit, verify_audit
from shared.core.clock import SystemClock
from shared.stores.keys import ShardKeys
from shared.stores.postgresql.pool import Pool

KEY = {"test": bytes(range(32))}
TABLES = ("audit_log", "audit_log_archive", "audit_personal", "audit_salts", "audit_seals")


@dataclass
class StepClock(SystemClock):
    """Time passes only while somebody sleeps; `then` happens meanwhile."""

    then: list[Callable[[], object]] = field(default_factory=list)
    at_seconds: float = 0.0

    def monotonic(self) -> float:
        """Seconds slept."""
        return self.at_seconds

    def sleep(self, seconds: float) -> None:
        """At once."""
        self.at_seconds += seconds
        if self.then:
            self.then.pop(0)()


def month(months_ago: int) -> datetime:
    """The first instant of a month, UTC; 0 is the current one."""
    first = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(months_ago):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


class Audit:
    """audit_log in a database of its own."""

    def __init__(self, database_url: str, client: redis.Redis) -> None:
        self.url = database_url
        self.pool = Pool(database_url)
        self.log = AuditLog(self.pool)
        self.keys = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
        self.anchor = SealAnchor(client, self.keys)
        self.chain = AuditChain(AuditSeals(self.pool), SealSigner(KEY), self.anchor, SystemClock(), AuditArchive(self.pool))

    def add(self, rows: int, action: str = "score_accepted") -> None:
        """Rows as the product writes them."""
        self.run(
            "INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)"
            " SELECT :action, 'u-1', 'u-1', 'r-' || n, '198.51.100.7', jsonb_build_object('increment', n)"
            " FROM generate_series(1, CAST(:rows AS int)) AS n",
            action=action,
            rows=rows,
        )

    def seal(self, clock: SystemClock | None = None) -> dict[str, int]:
        """What is not sealed yet."""
        return seal_audit(replace(self.chain, clock=clock or self.chain.clock))

    def add_sealed(self, seals: int, rows: int) -> None:
        """So many seals over so many rows each."""
        for _ in range(seals):
            self.add(rows)
            assert self.seal() == {"seals": 1, "rows": rows}

    def verify(self, **options: Any) -> dict[str, Any]:
        """The report."""
        return verify_audit(VerifyAudit.parse(options), self.chain)

    def problems(self, **options: Any) -> list[tuple[int, str]]:
        """Seal and problem of each finding."""
        report = self.verify(**options)
        assert report["intact"] is (report["found"] == 0)
        assert report["found"] == len(report["findings"])
        return [(finding["seal"], finding["problem"]) for finding in report["findings"]]

    def run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """One statement, committed."""
        with self.pool.connection() as session:
            return session.run(sql, **parameters)

    def tamper(self, sql: str, **parameters: Any) -> None:
        """One statement of somebody who owns the tables, and knows of the triggers."""
        for table in TABLES:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        self.run(sql, **parameters)
        for table in TABLES:
            self.run(f"ALTER TABLE {table} ENABLE TRIGGER ALL")

    def make_old(self, months_ago: int) -> None:
        """As if the newest seal and its rows were of that month."""
        [seal] = self.chain.seals.newest()
        at = month(months_ago) + timedelta(days=9)
        self.tamper(
            "UPDATE audit_log SET at = CAST(:at AS timestamptz) - INTERVAL '1 minute' WHERE id BETWEEN :first AND :last",
            at=at,
            first=seal.content.first_id,
            last=seal.content.last_id,
        )
        [now] = self.chain.seals.contents([seal])
        content = replace(now, read_at=at)
        hash_text = Seal.hash_of(seal.seq, content, seal.previous_hash)
        made = Seal(seal.seq, content, seal.previous_hash, hash_text, self.chain.signer.sign(hash_text))
        self.tamper(
            "UPDATE audit_seals SET sealed_at = :at, content_hash = :content, hash = :hash, key_id = :key_id, mac = :mac"
            " WHERE seq = :seq",
            at=at,
            content=content.content_hash,
            hash=hash_text,
            key_id=made.signature.key_id,
            mac=made.signature.mac,
            seq=seal.seq,
        )
        self.anchor.put(made)

    def instants(self) -> list[datetime]:
        """When each row was written, in the order of their ids."""
        return [row[0] for row in self.run("SELECT at FROM audit_log ORDER BY id")]
