"""What an instance can do at the moment, and why not: worked out from what probes of the stores found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.core.redis_shards import FIRST
from shared.core.secret_keys import PAYLOAD, SIGNING, KeyPrint
from shared.operations.installation import NEEDED_SECONDS, Installation, holder_of

ACCEPT, RECORD, BROADCAST, LOG_IN, READ = CAPABILITIES = ("acceptUpdates", "record", "broadcast", "logIn", "read")
READY, DEGRADED, UNAVAILABLE = "ready", "degraded", "unavailable"
# Redis remembers the profiles of players for a minute; after that an update asks PostgreSQL.
PROFILES_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RedisFinding:
    """`unreadable` and `unwritable` say why nothing can be read or written, or are empty; `holder` is whose this Redis is.

    While it is not `is_open`, the next update has PostgreSQL number updates anew. `unreplicated` says which replicas it lacks.
    """

    is_whole: bool = False
    is_open: bool = False
    holder: str | None = None
    unreadable: str = ""
    unwritable: str = ""
    unreplicated: str = ""


@dataclass(frozen=True, slots=True)
class BrokerFinding:
    """By capability what is wrong with the queues or with publishing to them."""

    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseFinding:
    """By capability what cannot be written, and which keys have sealed what is in the stores."""

    problems: Mapping[str, str] = field(default_factory=dict)
    installation: Installation | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """None for a store that does not answer; `database_away_seconds` is for how long PostgreSQL has not, whichever
    worker asked. `shards` are the further ones, by name.
    """

    redis: RedisFinding | None
    broker: BrokerFinding | None
    database: DatabaseFinding | None
    database_away_seconds: float = 0.0
    shards: Mapping[str, RedisFinding | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` names by capability what keeps it from working; `age_seconds` is the age of the oldest finding.

    `needed` is the capability without which this instance is of no use. `shards` says of each further shard what keeps its boards
    from being entered or read, "" for nothing.
    """

    dependencies: Mapping[str, str]
    problems: Mapping[str, str]
    age_seconds: float
    needed: str = ACCEPT
    shards: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """UNAVAILABLE when what is needed does not work, DEGRADED when something else does not."""
        if self.needed in self.problems:
            return UNAVAILABLE
        return DEGRADED if self.problems or any(self.shards.values()) else READY

    def as_json(self) -> dict[str, Any]:
        """The report in the words of the API."""
        capabilities = {
            name: {"ok": False, "reason": self.problems[name]} if name in self.problems else {"ok": True} for name in CAPABILITIES
        }
        report = {**self.dependencies, "status": self.status, "capabilities": capabilities}
        if self.shards:
            report["shards"] = {
                name: {"ok": False, "reason": reason} if reason else {"ok": True} for name, reason in self.shards.items()
            }
        return {**report, "ageSeconds": round(self.age_seconds, 3)}


def problems_of(found: Findings, own: Sequence[KeyPrint]) -> dict[str, str]:
    """By capability the first thing that keeps it from working; `own` are the keys of this instance in their order."""
    redis, broker, database = found.redis, found.broker, found.database
    redis_reads = "Redis does not answer" if redis is None else redis.unreadable
    redis_writes = redis_reads or (redis.unwritable if redis else "")
    board = "" if redis is None or redis.is_whole else "rebuilding: the leaderboard is being filled from the ledger"
    installation = None if database is None else database.installation
    needs_epoch = redis is not None and not redis_writes and not redis.is_open and database is None
    numbers = "rebuilding: PostgreSQL does not answer, and another Redis needs it to number updates" if needs_epoch else ""
    causes = {
        ACCEPT: (
            redis_writes or (redis.unreplicated if redis else ""),
            _foreign(redis, installation),
            board,
            numbers,
            _unknown_key(SIGNING, installation, own),
            _profiles(found),
        ),
        RECORD: (_of(broker, "RabbitMQ", RECORD), _of(database, "PostgreSQL", RECORD), _unknown_key(PAYLOAD, installation, own)),
        BROADCAST: (redis_writes, _of(broker, "RabbitMQ", BROADCAST)),
        LOG_IN: (_of(database, "PostgreSQL", LOG_IN), redis_writes),
        READ: (redis_reads, board),
    }
    first = {name: next(filter(None, each), "") for name, each in causes.items()}
    return {name: cause for name, cause in first.items() if cause}


def problems_of_shards(found: Findings) -> dict[str, str]:
    """Of each further shard the first thing that keeps its boards from working, "" for nothing."""
    return {name: _problem_of(name, shard, found) for name, shard in found.shards.items()}


def _problem_of(name: str, shard: RedisFinding | None, found: Findings) -> str:
    if shard is None:
        return "Redis does not answer"
    installation = None if found.database is None else found.database.installation
    reasons = (
        shard.unreadable,
        shard.unwritable,
        shard.unreplicated,
        _foreign(shard, installation, name),
        "" if shard.is_whole else "rebuilding: boards are being filled from the ledger",
        "rebuilding: PostgreSQL does not answer, and another Redis needs it to number updates"
        if not shard.is_open and found.database is None
        else "",
    )
    return next(filter(None, reasons), "")


def _of(finding: BrokerFinding | DatabaseFinding | None, store: str, capability: str) -> str:
    return f"{store} does not answer" if finding is None else finding.problems.get(capability, "")


def _foreign(redis: RedisFinding | None, installation: Installation | None, shard: str = FIRST) -> str:
    if redis is None or redis.holder is None or installation is None or installation.installation_id is None:
        return ""
    if redis.holder == holder_of(installation.installation_id, shard):
        return ""
    named = "REDIS_URL leads" if shard == FIRST else f"REDIS_SHARDS: `{shard}` leads"
    return f"{named} to the Redis of another installation ({redis.holder})"


def _unknown_key(purpose: str, installation: Installation | None, own: Sequence[KeyPrint]) -> str:
    """A key that another instance uses, or used a moment ago."""
    if installation is None:
        return ""
    unknown = [*installation.missing(own), *installation.replaced(own)]
    needed = [known.key for known in unknown if known.key.purpose == purpose and (known.retired_seconds or 0) < NEEDED_SECONDS]
    if not needed:
        return ""
    what = "messages are sealed" if purpose == PAYLOAD else "access tokens are signed"
    return f"the key `{needed[0].key_id}` is missing here, with which {what}"


def _profiles(found: Findings) -> str:
    if found.database is not None or found.database_away_seconds <= PROFILES_SECONDS:
        return ""
    return "PostgreSQL does not answer, and the profiles of players are remembered for a minute"
