"""How fast waiting updates get into the ledger through one, two and four history queues, a consumer each as on Lambda."""

from __future__ import annotations

import os
import signal
import statistics
import time
import uuid
from datetime import UTC, datetime

from shared.container import Container
from shared.core.config import Settings
from shared.ledger.events import ScoreAccepted
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import cpu_seconds
from tests.support.product import Product
from tests.support.waiting import eventually

QUEUES = (1, 2, 4)
PLAYERS, UPDATES, ROUNDS = 2_000, 20_000, 3
_USERS = """
INSERT INTO users (user_id, username, hashed_password, api_key, role)
SELECT id, 'Queue-' || id, 'hash', md5(id) || md5('x' || id), 'player' FROM unnest(CAST(:ids AS text[])) AS id
"""


def measure() -> list[Figure]:
    """Updates a second from the moment the consumers may go on until the ledger has the last one, and what each costs them."""
    seconds: dict[int, list[float]] = {}
    cpu: dict[int, list[float]] = {}
    for count in QUEUES:
        with Product(None, "--workers", "1", HISTORY_QUEUES=str(count)) as product:
            rounds = [_drain(product, count) for _ in range(ROUNDS + 1)][1:]  # the first one warms up
            seconds[count], cpu[count] = [each[0] for each in rounds], [each[1] for each in rounds]
    one = statistics.median(UPDATES / each for each in seconds[1])
    one_cpu = statistics.median(UPDATES / each for each in cpu[1])
    figures = []
    for count in QUEUES:
        name = f"recorded through {count} queue{'s' if count > 1 else ''}"
        figures.append(figure(f"updates a second {name}", "1/s", [UPDATES / each for each in seconds[count]], "1 queue", one))
        rates = [UPDATES / each for each in cpu[count]]
        figures.append(figure(f"updates a CPU second {name}", "1/s", rates, "1 queue", one_cpu))
    return figures


def _drain(product: Product, count: int) -> tuple[float, float]:
    """Seconds, and CPU seconds of the consumers, for UPDATES updates that are all there when they begin."""
    ids = [f"queue-{uuid.uuid4().hex[:20]}" for _ in range(PLAYERS)]
    product.query(_USERS, ids=ids)
    consumers = [product.pid("consumer" if number == 1 else f"consumer.{number}") for number in range(1, count + 1)]
    for pid in consumers:
        os.kill(pid, signal.SIGSTOP)
    try:
        _publish(product, ids)
    finally:
        before, began = cpu_seconds(consumers), time.perf_counter()
        for pid in consumers:
            os.kill(pid, signal.SIGCONT)

    def recorded() -> bool:
        [[total]] = product.query("SELECT sum(total) FROM score_totals WHERE user_id = ANY(CAST(:ids AS text[]))", ids=ids)
        return int(total or 0) == UPDATES

    eventually(recorded, 120, "all of them in the ledger")
    return time.perf_counter() - began, cpu_seconds(consumers) - before


def _publish(product: Product, ids: list[str]) -> None:
    stores = Container(Settings.from_environment(product.runtime["function_env"]))
    now = datetime.now(UTC)
    events = [
        ScoreAccepted(str(uuid.uuid4()), ids[n % PLAYERS], 1, n // PLAYERS + 1, now, "", outbox_id=f"1-{n}")
        for n in range(UPDATES)
    ]
    for first in range(0, UPDATES, 1000):
        stores.publisher.publish_accepted(events[first : first + 1000])
    stores.close()
