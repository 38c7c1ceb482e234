"""What the runtime measures of itself, for Prometheus, summed over all processes that share PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_runtime.layer_metrics import LayerMetrics
from local_runtime.version import product_version

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
FLUSH_SECONDS = 0.5
_LAG = "scoreboard_broadcast_lag_seconds"
_BUILD_INFO, _BUILD_INFO_HELP = "scoreboard_build_info", "1, with the version that runs"


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
        self.broadcast_lag_seconds = Histogram(
            _LAG,
            "Time from the acceptance of the oldest update that a frame was made for until viewers were given the frame",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.restarts = Counter(
            "scoreboard_process_restarts", "Processes that died and were started again", ["process"], registry=registry
        )
        self.free_bytes = Gauge(
            "scoreboard_data_directory_free_bytes",
            "Room on the disk of the data directory; below 64 MB no change is accepted",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._in_flight = Gauge(
            "scoreboard_function_in_flight",
            "Invocations that have begun and not ended",
            ["function", "trigger"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._responses = Counter(
            "scoreboard_http_responses", "Answers to HTTP requests for a function", ["function", "status"], registry=registry
        )
        self._refusals = Counter("scoreboard_refusals", "Problems answered, by their stable code", ["code"], registry=registry)

        self._is_flushed = is_flushed
        self._observed: dict[tuple[str, str, str], _Observed] = {}
        self._layer = LayerMetrics(registry, {"scoreboard_refusals_total": self._refusals, _LAG: self.broadcast_lag_seconds})
        self._watched: list[tuple[Any, Mapping[Any, int], dict[Any, int]]] = []
        self._flushing = threading.Lock()

    def observe_invocation(self, function: str, trigger: str, outcome: str, seconds: float) -> None:
        """Count one invocation; the observer of an Invoker."""
        key = (function, trigger, outcome)
        observed = self._observed.get(key)
        if observed is None:
            count, duration = self.invocations.labels(*key), self.invocation_seconds.labels(function, trigger)
            observed = self._observed[key] = _Observed(count, duration)
        observed.durations.append(seconds)
        if not self._is_flushed:
            self.flush()

    def flush(self) -> None:
        """Bring what was observed to where it is read: each number written costs as much as all of an observation."""
        with self._flushing:
            for observed in tuple(self._observed.values()):
                observed.flush()
            for metric, counts, before in self._watched:
                for labels, count in tuple(counts.items()):
                    if count != before.get(labels):
                        metric.labels(*labels).inc(count - before.get(labels, 0))
                        before[labels] = count
            self._layer.flush()

    def flush_regularly(self) -> None:
        """In a thread of its own from now on, for a process that has no loop to do it in."""
        threading.Thread(target=self._flush_for_ever, name="metrics", daemon=True).start()

    def _flush_for_ever(self) -> None:
        while True:
            time.sleep(FLUSH_SECONDS)
            self.flush()

    def watch(
        self,
        *,
        in_flight: Mapping[tuple[str, ...], int] | None = None,
        responses: Mapping[tuple[str, int], int] | None = None,
        refusals: Mapping[tuple[str, ...], int] | None = None,
    ) -> None:
        """Numbers that others count, by the values of the labels; read whenever there is a flush."""
        for metric, counts in ((self._in_flight, in_flight), (self._responses, responses), (self._refusals, refusals)):
            if counts is not None:
                self._watched.append((metric, counts, {}))

    def families(self) -> list[tuple[str, str, tuple[str, ...], str]]:
        """Name, type, labels and meaning of what the runtime itself measures."""
        collectors = (each for each in vars(self).values() if hasattr(each, "_labelnames"))
        own = [(metric, tuple(each._labelnames)) for each in collectors for metric in each.describe()]  # noqa: SLF001
        suffix = {"counter": "_total"}
        told = [(f"{each.name}{suffix.get(each.type, '')}", each.type, labels, each.documentation) for each, labels in own]
        return [*told, (_BUILD_INFO, "gauge", ("version",), _BUILD_INFO_HELP)]

    def render(self, *, with_gauges: bool = False) -> bytes:
        """The text exposition of all processes, or of this one where no directory is shared.

        With gauges of what exists once, if they were just measured in this process: nobody else's are asked for.
        """
        from prometheus_client import CollectorRegistry, generate_latest

        once = CollectorRegistry()
        once.register(_Once(self._layer.gauges() if with_gauges else []))
        return generate_latest(self._counted()) + generate_latest(once)

    def samples(self) -> Iterator[Sample]:
        """What all processes have counted, number by number."""
        for metric in self._counted().collect():
            yield from metric.samples

    def _counted(self) -> CollectorRegistry:
        self.flush()
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return self._registry
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        forget_dead_processes()
        registry = CollectorRegistry()
        registry.register(_Documented(MultiProcessCollector(None), self._registry))  # type: ignore[no-untyped-call]
        return registry


class _Documented:
    """What all processes count, with the words of this one, and the names of what nobody has counted yet."""

    def __init__(self, everything: Any, own: Any) -> None:
        self._everything = everything
        self._own = own

    def collect(self) -> Iterator[Any]:
        """Called by the library."""
        known = {metric.name: metric for metric in self._own.collect()}
        for metric in self._everything.collect():
            words = known.pop(metric.name, None)
            metric.documentation = words.documentation if words is not None else metric.documentation
            yield metric
        for metric in known.values():
            metric.samples = []
            yield metric


class _Once:
    """What exists once, whichever process tells of it."""

    def __init__(self, gauges: Sequence[Any]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Any]:
        """Called by the library."""
        from prometheus_client.core import GaugeMetricFamily

        build = GaugeMetricFamily(_BUILD_INFO, _BUILD_INFO_HELP, labels=["version"])
        build.add_metric([product_version()], 1)
        yield build
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            for values, value in gauge.values.items():
                family.add_metric(values, value)
            yield family


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
