"""An hour at a load that leaves half of the machine idle, with log-ins, new tokens and ten million players on the board: what
grows, how long it ever pauses.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.growth import MAX_MEMORY
from tests.benchmarks.load import drive
from tests.benchmarks.players import fill
from tests.benchmarks.processes import Sample, sample
from tests.benchmarks.updates import CONNECTIONS, crowd, with_new_tokens
from tests.support.product import Product

RATE, SLICE_SECONDS, WARM_UP_SECONDS = 500.0, 60.0, 15.0
PLAYERS, ON_THE_BOARD = 100_000, 10_000_000  # who play, and with strangers below them
TOKENS_MINUTES = 10  # they live for 15
LOG_INS, LOG_IN_SECONDS, PASSWORD = 20, 1.0, "correct horse battery"
GROWTH_LIMIT, P99_LIMIT_SECONDS, PAUSE_LIMIT_SECONDS, BYTES_LIMIT = 1.1, 0.025, 0.150, 1_024.0
Points = list[tuple[float, float]]
KEPT = ("redis", "rabbitmq", "logs")  # whose files stay as large as they are


@dataclass(frozen=True, slots=True)
class Long:
    """By minutes from the beginning: seconds, and MB of memory and of files, by process."""

    p99: Points
    pauses: Points
    megabytes: Mapping[str, Points]
    files: Mapping[str, Points]


def measure(minutes: int) -> tuple[list[Figure], Long]:
    """A slice a minute, between which nobody plays; the most of the second half is held against the most of the first."""
    assert minutes > 1, "growth takes two minutes"
    loads, samples, sizes = [], [], []
    with Product(None, "--workers", "1", RATE_LIMIT_REQUESTS="1000000") as product, _log_ins(product) as answers:
        requests = crowd(product, PLAYERS)
        with product.redis() as client:
            client.config_set("maxmemory", MAX_MEMORY)
            fill(client, ON_THE_BOARD)
        pids = [product.pid("http")]
        drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        before = _database_bytes(product)
        for minute in range(minutes):
            if minute and minute % TOKENS_MINUTES == 0:
                requests = with_new_tokens(product, requests)
            loads.append(drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=SLICE_SECONDS, rate=RATE))
            assert set(loads[-1].statuses) == {200}, loads[-1].statuses
            samples.append(sample(product))
            sizes.append({name: _file_bytes(product.data_dir / name) for name in KEPT})
        grown = _database_bytes(product) - before
    assert set(answers) == {200}, set(answers)
    assert len(answers) > minutes * SLICE_SECONDS / LOG_IN_SECONDS / 2, "log-ins ended early"
    when = f"for {minutes} minutes at {RATE:.0f} updates/s"
    figures = [
        figure(f"p99 {when}", "s", [load.percentile(99) for load in loads], "limit", P99_LIMIT_SECONDS),
        figure(f"longest pause {when}", "s", [max(load.longest_pause for load in loads)], "limit", PAUSE_LIMIT_SECONDS),
        *(_growth(f"memory, {name}", _megabytes(samples, name)) for name in samples[0].megabytes),
        *(_growth(f"files, {name}", [each[name] for each in sizes]) for name in KEPT),
        figure("PostgreSQL, an update", "B", [grown / sum(load.count for load in loads)], "limit", BYTES_LIMIT),
    ]
    return figures, Long(
        _by_minute([load.percentile(99) for load in loads]),
        _by_minute([load.longest_pause for load in loads]),
        {name: _by_minute(_megabytes(samples, name)) for name in samples[0].megabytes},
        {name: _by_minute([each[name] / 1e6 for each in sizes]) for name in KEPT},
    )


def _by_minute(values: Sequence[float]) -> Points:
    return [(float(minute), value) for minute, value in enumerate(values, 1)]


def _growth(name: str, values: Sequence[float]) -> Figure:
    """The most of the second half against the most of the first."""
    half = len(values) // 2
    return figure(
        f"{name}, second half to first", "ratio", [max(values[half:]) / max([*values[:half], 1])], "limit", GROWTH_LIMIT
    )


def _megabytes(samples: Sequence[Sample], name: str) -> list[float]:
    return [each.megabytes[name] for each in samples]


def _file_bytes(directory: Path) -> int:
    size = 0
    for path in directory.resolve().rglob("*"):
        with suppress(FileNotFoundError):  # a server has just removed it
            size += path.stat().st_size if path.is_file() else 0
    return size


def _database_bytes(product: Product) -> int:
    [[size]] = product.query("SELECT pg_database_size(current_database())")
    return int(size)


@contextmanager
def _log_ins(product: Product) -> Iterator[list[int]]:
    """Somebody logs in each second meanwhile; what that was answered with."""
    names = [f"long-{number}" for number in range(LOG_INS)]
    for name in names:
        assert product.api.post("/api/users", {"username": name, "password": PASSWORD}).status == 201
    statuses: list[int] = []
    ended = threading.Event()

    def log_in() -> None:
        while not ended.wait(LOG_IN_SECONDS):
            account = {"username": names[len(statuses) % LOG_INS], "password": PASSWORD}
            statuses.append(product.api.post("/api/tokens", account).status)

    logging_in = threading.Thread(target=log_in)
    logging_in.start()
    try:
        yield statuses
    finally:
        ended.set()
        logging_in.join()
