"""What every process of the product takes, the servers too: idle, at several loads, and of reads; CPU, and memory while idle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from local_runtime.instance.supervisor.tree import descendants
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.growth import read_of, top_of
from tests.benchmarks.load import drive, own_cpu_seconds
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import Product

SETTLE_SECONDS, IDLE_SECONDS = 45.0, 60.0  # each minute a sample is taken, and seasons and the audit log are looked after
# How often, and the microseconds of CPU that a complete update should cost then at most. Nakama 3.40 was measured to take that on
# another machine of two cores, where it commits each score to PostgreSQL and does no rate limit, queue, audit, history or push.
LIMITS_US = {10.0: 2_830.0, 100.0: 1_510.0, 500.0: 1_152.0, 1_000.0: 997.0, 2_000.0: 575.0}
READS = {"the top": (top_of, 15_000.0), "a player's place": (read_of, 10_000.0)}  # and how many a CPU second of all servers
P99_LIMIT_SECONDS = 0.025
WARM_UP_SECONDS, ROUNDS, ROUND_SECONDS = 15.0, 3, 8.0
ALL = "all of it"
IDLE_LIMIT_PERCENT, IDLE_LIMIT_MEGABYTES = 0.6, 200.0
SMALL = 0.01


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds until an `instant` and MB of memory, where a page that several share counts once, by process and for `ALL`."""

    instant: float
    cpu_seconds: Mapping[str, float]
    megabytes: Mapping[str, float]


def sample(product: Product) -> Sample:
    """Each process that the product supervises, with all below it; `supervisor` is the product's own."""
    assert product.process is not None
    supervisor = product.process.pid
    pids = {name: {pid} | descendants(pid) for name, pid in product.runtime["processes"].items()} | {"supervisor": {supervisor}}
    cpu = {name: sum(map(own_cpu_seconds, found)) for name, found in pids.items()}
    memory = {name: sum(map(_megabytes, found)) for name, found in pids.items()}
    return Sample(time.monotonic(), {**cpu, ALL: sum(cpu.values())}, {**memory, ALL: sum(memory.values())})


def cost_figures(when: str, samples: Sequence[Sample], counts: Sequence[int], unit: str = "us an update") -> list[Figure]:
    """Microseconds of CPU an update, of each process and its share; so many came between one sample and the next."""
    spent = {
        name: [
            (after.cpu_seconds[name] - before.cpu_seconds[name]) / count * 1e6
            for (before, after), count in zip(pairwise(samples), counts, strict=True)
        ]
        for name in samples[0].cpu_seconds
    }
    return _with_shares("CPU", when, unit, spent)


def memory_figures(when: str, samples: Sequence[Sample]) -> list[Figure]:
    """Memory of each process and its share."""
    return _with_shares("memory", when, "MB", {name: [each.megabytes[name] for each in samples] for name in samples[0].megabytes})


def measure() -> tuple[list[Figure], dict[str, list[tuple[float, float]]]]:
    """A product nobody has used yet, then at so many updates a second; also what an update costs at each rate, by process."""
    drawn: dict[str, list[tuple[float, float]]] = {}
    with Product(None, "--workers", "1", RATE_LIMIT_REQUESTS="1000000") as product:
        figures = _idle(product)
        requests = crowd(product)
        pids = [product.pid("http")]
        drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        for rate, limit in LIMITS_US.items():
            samples, loads = [sample(product)], []
            for _ in range(ROUNDS):
                loads.append(drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=ROUND_SECONDS, rate=rate))
                samples.append(sample(product))
            when, p99s = f"at {rate:.0f} updates/s", [load.percentile(99) for load in loads]
            costs = cost_figures(when, samples, [load.count for load in loads])
            for cost in costs:
                drawn.setdefault(cost.name.rpartition(", ")[2], []).append((rate, cost.median))
            figures += [
                replace(costs[0], against="limit", reference=limit),
                *costs,
                figure(f"p99 {when}", "s", p99s, "limit", P99_LIMIT_SECONDS),
            ]
        for name, (read, least) in READS.items():
            figures += _reads(product, name, [read(request) for request in requests], least)
    return figures, drawn


def _reads(product: Product, name: str, requests: Sequence[bytes], least: float) -> list[Figure]:
    """As many as it takes."""
    pids = [product.pid("http")]
    drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
    samples, loads = [sample(product)], []
    for _ in range(ROUNDS):
        loads.append(drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=ROUND_SECONDS))
        assert set(loads[-1].statuses) == {200}, loads[-1].statuses
        samples.append(sample(product))
    costs = cost_figures(f"of {name}", samples, [load.count for load in loads], "us a read")
    rates = [
        load.count / (after.cpu_seconds[ALL] - before.cpu_seconds[ALL])
        for (before, after), load in zip(pairwise(samples), loads, strict=True)
    ]
    return [figure(f"reads of {name} a CPU second of all servers", "1/s", rates, "limit", least), *costs]


def _idle(product: Product) -> list[Figure]:
    time.sleep(SETTLE_SECONDS)
    before = sample(product)
    time.sleep(IDLE_SECONDS)
    after = sample(product)
    percent = {
        name: [(after.cpu_seconds[name] - seconds) / (after.instant - before.instant) * 100]
        for name, seconds in before.cpu_seconds.items()
    }
    return [
        figure("CPU, idle", "% of a core", percent[ALL], "limit", IDLE_LIMIT_PERCENT),
        figure("memory, idle", "MB", [after.megabytes[ALL]], "limit", IDLE_LIMIT_MEGABYTES),
        *_with_shares("CPU", "idle", "% of a core", percent),
        *memory_figures("idle", [after]),
    ]


def _with_shares(what: str, when: str, unit: str, values: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Held against all of it; the dearest first, and without what is next to nothing."""
    whole = figure("", unit, values[ALL], "", 1.0).median
    found = [figure(f"{what} {when}, {name}", unit, its, ALL, whole) for name, its in values.items()]
    return sorted((each for each in found if each.ratio >= SMALL), key=lambda each: -each.median)


def _megabytes(pid: int) -> float:
    """Proportional set size; 0 when the process has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1024
    return 0.0
