"""What an instance can do at the moment, and why not: worked out from what probes of the stores found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.operations.installation import NEEDED_SECONDS, Installation
from shared.stores.key_print import PAYLOAD, SIGNING, KeyPrint

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
    """None for a store that does not answer; `database_away_seconds` is for how long PostgreSQL has not."""

    redis: RedisFinding | None
    broker: BrokerFinding | None
    database: DatabaseFinding | None
    database_away_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` names by capability what keeps it from working; `age_seconds` is the age of the oldest finding.

    `needed` is the capability without which this instance is of no use.
    """

    dependencies: Mapping[str, str]
    problems: Mapping[str, str]
    age_seconds: float
    needed: str = ACCEPT

    @property
    def status(self) -> str:
        """UNAVAILABLE when what is needed does not work, DEGRADED when something else does not."""
        if self.needed in self.problems:
            return UNAVAILABLE
        return DEGRADED if self.problems else READY

    def as_json(self) -> dict[str, Any]:
        """The report in the words of the API."""
        capabilities = {
            name: {"ok": False, "reason": self.problems[name]} if name in self.problems else {"ok": True} for name in CAPABILITIES
        }
        age = round(self.age_seconds, 3)
        return {**self.dependencies, "status": self.status, "capabilities": capabilities, "ageSeconds": age}


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


def _of(finding: BrokerFinding | DatabaseFinding | None, store: str, capability: str) -> str:
    return f"{store} does not answer" if finding is None else finding.problems.get(capability, "")


def _foreign(redis: RedisFinding | None, installation: Installation | None) -> str:
    if redis is None or redis.holder is None or installation is None or installation.installation_id is None:
        return ""
    is_ours = redis.holder == installation.installation_id
    return "" if is_ours else f"REDIS_URL leads to the Redis of another installation ({redis.holder})"


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
