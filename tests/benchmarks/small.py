"""A machine of one core and 1 GB: what it carries, and whether it stays alive while it is asked for more.

As root: the product is kept on one core, and in a control group of the memory controller with 1 GB (RAM, and no swap beside it).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import drive
from tests.benchmarks.processes import ALL, sample
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import Product
from tests.support.waiting import eventually

MEMORY_BYTES = 2**30
GROUPS = Path("/sys/fs/cgroup")
SLICES, SLICE_SECONDS, WARM_UP_SECONDS = 9, 10.0, 15.0
HALF = 0.5
UPDATES_LIMIT, CALM_LIMIT_SECONDS, PAUSE_LIMIT_SECONDS = 1_000.0, 0.050, 1.0
INTO = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


def measure() -> list[Figure]:
    """As many updates as it takes for a minute and a half, then half as many."""
    with _group() as group:
        product = Product(None, "--workers", "1", RATE_LIMIT_REQUESTS="1000000")
        product.enter = ("sh", "-c", INTO, str(group), "taskset", "--cpu-list", "0")
        with product:
            requests = crowd(product)
            pids = [product.pid("http")]
            before = dict(product.runtime["processes"])
            drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
            full = [
                drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=SLICE_SECONDS) for _ in range(SLICES)
            ]
            taken = sample(product)
            rates = [load.per_second for load in full]
            rate = HALF * sorted(rates)[len(rates) // 2]
            calm = [
                drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=SLICE_SECONDS, rate=rate)
                for _ in range(3)
            ]
            assert {status for load in (*full, *calm) for status in load.statuses} == {200}
            assert product.runtime["processes"] == before, "something died"
            assert _killed(group) == 0, "the kernel had to kill something"
            eventually(lambda: "in flight: 0" in product.verb("balance").stdout, 60, "every update is recorded")
    return [
        figure("updates/s on one core and 1 GB, all servers on it", "1/s", rates, "limit", UPDATES_LIMIT),
        figure("longest pause, then", "s", [load.longest_pause for load in full], "limit", PAUSE_LIMIT_SECONDS),
        figure("memory of all processes, then", "MB", [taken.megabytes[ALL]], "limit", MEMORY_BYTES / 1e6),
        figure(
            "p99 at half of that",
            "s",
            [load.percentile(99) for load in calm],
            "limit",
            CALM_LIMIT_SECONDS,
        ),
    ]


@contextmanager
def _group() -> Iterator[Path]:
    """A control group of 1 GB, of version 1 or 2."""
    is_first = (GROUPS / "memory" / "cgroup.procs").exists()
    group = (GROUPS / "memory" if is_first else GROUPS) / f"scoreboard-bench-{os.getpid()}"
    group.mkdir()
    try:
        for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if is_first else ("memory.max",):
            if (group / name).exists():
                (group / name).write_text(str(MEMORY_BYTES))
        yield group
    finally:
        for _ in range(100):
            try:
                group.rmdir()
            except OSError:
                time.sleep(0.1)
            else:
                break


def _killed(group: Path) -> int:
    told = next(path for path in (group / "memory.oom_control", group / "memory.events") if path.exists())
    return next(int(line.split()[1]) for line in told.read_text().splitlines() if line.startswith("oom_kill "))
