"""What the runtime measures of itself, for Prometheus, summed over all processes that share PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import Counter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


FUNCTION_METRICS_LOGGER = "scoreboard.metrics"


class _Counting(logging.Handler):
    """Takes records with the members `metric`, `value` and `labels`."""

    def __init__(self, count: Callable[[str, int, Mapping[str, str]], None]) -> None:
        super().__init__(logging.INFO)
        self._count = count

    def emit(self, record: logging.LogRecord) -> None:
        said: dict[str, Any] = vars(record)
        self._count(said["metric"], said["value"], said["labels"])


class _Observed:
    """Invocations of one kind since the last flush."""

    def __init__(self, count: Any, duration: Any) -> None:
        self._count, self._duration = count, duration
        self.durations: list[float] = []

    def flush(self) -> None:
        """The library observes one by one; its histogram's own numbers take any amount."""
        durations, self.durations = self.durations, []
        if not durations:
            return
        buckets = [0] * (len(DURATION_BUCKETS) + 1)
        for seconds in durations:
            buckets[bisect_left(DURATION_BUCKETS, seconds)] += 1
        self._count.inc(len(durations))
        self._duration._sum.inc(sum(durations))  # noqa: SLF001
        for bucket, found in zip(self._duration._buckets, buckets, strict=True):  # noqa: SLF001
            if found:
                bucket.inc(found)


class RuntimeMetrics:
    """The metrics of one process; make it once, before the first invocation.

    With `is_flushed` somebody calls `flush` several times a second; what a killed process had observed since then is lost.
    """

    def __init__(self, *, is_flushed: bool = False) -> None:
        # Only now, because the library decides while it is imported whether PROMETHEUS_MULTIPROC_DIR is there.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = registry = CollectorRegistry()
        self.invocations = Counter(
            "scoreboard_function_invocations", "Invocations by outcome", ["function", "trigger", "outcome"], registry=registry
        )
        self.invocation_seconds = Histogram(
            "scoreboard_function_duration_seconds",
            "Duration of invocations",
            ["function", "trigger"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.connections = Gauge(
            "scoreboard_websocket_connections", "Open WebSockets", multiprocess_mode="livesum", registry=registry
        )
        self.turned_away = Counter(
            "scoreboard_connections_turned_away", "Connections that got no place, or had to give way", registry=registry
        )
        self.broadcasts = Counter("scoreboard_broadcasts", "Frames sent to all viewers, after conflation", registry=registry)
        self.frames_received = Counter("scoreboard_broadcast_frames_received", "Frames heard from Redis", registry=registry)
        self.frames_sent = Counter("scoreboard_websocket_frames_sent", "Frames handed to viewers' sockets", registry=registry)
        self.bytes_sent = Counter("scoreboard_websocket_bytes_sent", "Bytes handed to viewers' sockets", registry=registry)
        self.frames_dropped = Counter(
            "scoreboard_websocket_frames_dropped", "Intermediate frames a slow reader never gets", registry=registry
        )
        self.frame_bytes = Gauge(
            "scoreboard_broadcast_frame_bytes", "Size of the newest frame", multiprocess_mode="mostrecent", registry=registry
        )
        self.broadcast_seconds = Histogram(
            "scoreboard_broadcast_duration_seconds",
            "Time to offer a frame to every viewer",
            buckets=DURATION_BUCKETS,
            registry=registry,
        )

        self._counters: dict[str, Counter] = {}
        self._is_flushed = is_flushed
        self._observed: dict[tuple[str, str, str], _Observed] = {}
        self._count_what_functions_say()

    def _count_what_functions_say(self) -> None:
        """The layer says what it counts as log records, so that it needs to know nothing of Prometheus."""
        logger = logging.getLogger(FUNCTION_METRICS_LOGGER)
        logger.handlers = [_Counting(self.count)]
        logger.propagate = False

    def count(self, name: str, value: int, labels: Mapping[str, str]) -> None:
        """Add to the counter `scoreboard_<name>`, made at its first use."""
        from prometheus_client import Counter

        counter = self._counters.get(name)
        if counter is None:
            counter = Counter(f"scoreboard_{name}", "Counted by the functions", sorted(labels), registry=self._registry)
            self._counters[name] = counter
        (counter.labels(**labels) if labels else counter).inc(value)

    def observe_invocation(self, function: str, trigger: str, outcome: str, seconds: float) -> None:
        """Count one invocation; the observer of an Invoker."""
        key = (function, trigger, outcome)
        observed = self._observed.get(key)
        if observed is None:
            count, duration = self.invocations.labels(*key), self.invocation_seconds.labels(function, trigger)
            observed = self._observed[key] = _Observed(count, duration)
        observed.durations.append(seconds)
        if not self._is_flushed:
            observed.flush()

    def flush(self) -> None:
        """Bring what was observed to where it is read: each number written costs as much as all of an observation."""
        for observed in self._observed.values():
            observed.flush()

    def render(self) -> bytes:
        """The text exposition of all processes, or of this one where no directory is shared."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        self.flush()
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget_process(pid: int) -> None:
    """Take a dead process out of the gauges that count the living."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def forget_dead_processes() -> None:
    """Take those out that died with nobody left to notice."""
    directory = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or os.devnull)
    for path in directory.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            forget_process(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def clear_directory(directory: Path) -> None:
    """Make the shared directory, empty: for whoever starts the processes, before they are."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("*.db"):
        path.unlink(missing_ok=True)
