"""Whether this instance can do its work, found out in the background and told at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shared.core.clock import Clock
from shared.core.errors import NotReady, ScoreboardError
from shared.core.logs import get_logger
from shared.core.secret_keys import KeyPrint
from shared.operations.readiness import (
    ACCEPT,
    CAPABILITIES,
    UNAVAILABLE,
    BrokerFinding,
    DatabaseFinding,
    Findings,
    RedisFinding,
    Report,
    problems_of,
    problems_of_shards,
)

EVERY_SECONDS = 1.0
# An older finding says nothing: the store did not answer since, or this process stood still.
STALE_SECONDS = 5.0
# So long a caller waits where there is no finding yet, or none since this process stood still.
PATIENCE_SECONDS = 2.0
# After so long without a caller the probes end: a minute's sample, or who asks twice a minute, does not keep them going.
IDLE_SECONDS = 5.0
F = TypeVar("F")
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Probes:
    """What asks each store; each is called in a thread of its own and raises a ScoreboardError when the store does not answer.

    `close` ends what the probes keep open. `shards` are those of further shards, by name.
    """

    redis: Callable[[], RedisFinding]
    broker: Callable[[], BrokerFinding]
    database: Callable[[], DatabaseFinding]
    close: Callable[[], object]
    shards: Mapping[str, Callable[[], RedisFinding]] = field(default_factory=dict)


class Readiness:
    """Probes the stores every second for as long as somebody asks; `latest` answers what was found last.

    `database_silence` answers the seconds since PostgreSQL's last answer, the same in every worker: one that is asked late saw
    nothing begin.
    """

    def __init__(
        self,
        probes: Probes,
        own_keys: Callable[[], Sequence[KeyPrint]],
        clock: Clock,
        database_silence: Callable[[], float],
        needed: str = ACCEPT,
    ) -> None:
        self._redis = _Watch("redis", probes.redis, clock)
        self._broker = _Watch("rabbitmq", probes.broker, clock, probes.close)
        self._database = _Watch("postgresql", probes.database, clock)
        self._shards = {name: _Watch(f"redis ({name})", probe, clock) for name, probe in probes.shards.items()}
        self._own_keys = own_keys
        self._database_silence = database_silence
        self._needed = needed
        self._clock = clock
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()

    def latest(self) -> Report:
        """Waits only where nothing is known: at the first call, and after this process stood still."""
        watches = self._watches()
        for watch in watches:
            watch.want()
        until = self._clock.monotonic() + PATIENCE_SECONDS
        for watch in watches:
            watch.wait(until)
        findings = Findings(
            self._redis.finding(),
            self._broker.finding(),
            self._database.finding(),
            self._database_silence(),
            {name: watch.finding() for name, watch in self._shards.items()},
        )
        up = dict(zip(("redis", "rabbitmq", "postgresql"), (findings.redis, findings.broker, findings.database), strict=True))
        report = Report(
            {name: "down" if finding is None else "up" for name, finding in up.items()},
            problems_of(findings, self._own_keys()),
            max(watch.age_seconds() for watch in watches),
            self._needed,
            problems_of_shards(findings),
        )
        self._tell(report)
        return report

    def close(self) -> None:
        """End the probes; a later call begins them anew."""
        for watch in self._watches():
            watch.end()

    def _watches(self) -> Sequence[_Watch[Any]]:
        return (self._redis, self._broker, self._database, *self._shards.values())

    def _tell(self, report: Report) -> None:
        """One line for every change."""
        with self._lock:
            shards = {f"shard {name}": reason for name, reason in report.shards.items() if reason}
            now = {**report.problems, **shards}
            told, self._told = self._told, now
        for name in (*CAPABILITIES, *(f"shard {name}" for name in report.shards)):
            reason = now.get(name, "")
            if reason and reason != told.get(name):
                _log.warning("a capability is lost", extra={"capability": name, "reason": reason})
            elif not reason and name in told:
                _log.warning("a capability is back", extra={"capability": name})


def check_health(readiness: Readiness) -> dict[str, Any]:
    """The report; raises NotReady, with the same in its extension `data`, when this instance cannot do what it is for."""
    report = readiness.latest()
    if report.status == UNAVAILABLE:
        done = "accepted" if report.needed == ACCEPT else "recorded"
        raise NotReady(f"No update can be {done}: {report.problems[report.needed]}.", data=report.as_json())
    return report.as_json()


class _Watch(Generic[F]):
    """Asks one store again and again, in a thread of its own."""

    def __init__(self, name: str, probe: Callable[[], F], clock: Clock, close: Callable[[], object] = lambda: None) -> None:
        self._name = name
        self._probe = probe
        self._clock = clock
        self._close = close
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_running = False
        self._wanted_at = float("-inf")
        self._begun_at: float | None = None  # of the probe under way
        self._ended_at: float | None = None  # of the last one
        self._finding: F | None = None
        self._is_failing = False

    def want(self) -> None:
        """Go on for a while."""
        with self._changed:
            self._wanted_at = self._clock.monotonic()
            if not self._is_running:
                self._is_running = True
                self._begun_at = self._wanted_at
                self._thread = threading.Thread(target=self._run, name=f"readiness-{self._name}", daemon=True)
                self._thread.start()
            elif self._is_stale():
                self._wake.set()

    def end(self) -> None:
        """Stop asking, and wait for the probe under way, but not for a store that is silent."""
        with self._changed:
            self._wanted_at = float("-inf")
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(PATIENCE_SECONDS)

    def wait(self, until: float) -> None:
        """For a finding that is not stale, but not for a store that is known to be silent."""
        with self._changed:
            while self._is_stale() and not self._is_overdue() and (left := until - self._clock.monotonic()) > 0:
                self._changed.wait(left)

    def finding(self) -> F | None:
        """None when the store does not answer."""
        return None if self._is_stale() else self._finding

    def age_seconds(self) -> float:
        """Of the last probe that came to its end, or for how long the first one has been under way."""
        since = self._ended_at if self._ended_at is not None else self._begun_at
        return 0.0 if since is None else self._clock.monotonic() - since

    def _is_stale(self) -> bool:
        return self._ended_at is None or self._clock.monotonic() - self._ended_at > STALE_SECONDS

    def _is_overdue(self) -> bool:
        return self._begun_at is not None and self._clock.monotonic() - self._begun_at > PATIENCE_SECONDS

    def _run(self) -> None:
        while True:
            self._wake.clear()
            finding = self._ask()
            with self._changed:
                now = self._clock.monotonic()
                self._finding, self._ended_at, self._begun_at = finding, now, None
                self._is_failing = finding is None
                self._changed.notify_all()
                if now - self._wanted_at > IDLE_SECONDS:
                    self._is_running = False
                    break
            self._wake.wait(EVERY_SECONDS)
            self._begun_at = self._clock.monotonic()
        self._close()

    def _ask(self) -> F | None:
        try:
            return self._probe()
        except ScoreboardError as error:
            if not self._is_failing:
                _log.warning("dependency is down", extra={"dependency": self._name, "cause": repr(error.__cause__ or error)})
        except Exception:
            if not self._is_failing:
                _log.exception("a probe failed", extra={"dependency": self._name})
        return None
