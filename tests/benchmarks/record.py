"""What recording costs: messages a CPU second of the consumer, of the function by batch size, and while old updates are moved."""

from __future__ import annotations

import os
import signal
import statistics
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

from shared.boards.board import MAIN
from shared.container import Container
from shared.core.config import Settings
from shared.ledger.archive_history import ROWS_AT_ONCE
from shared.ledger.events import ReceivedMessage, ScoreAccepted
from shared.ledger.messages import EventCodec
from shared.ledger.record_scores import record_scores
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import cpu_seconds
from tests.support.product import Product
from tests.support.waiting import eventually

BACKLOG, ROUNDS = 20_000, 3
CHUNK = 500
PLAYERS = 2_000
BATCHES = (50, 100, 200, 500, 1000)
EACH_BATCH = 6_000
LIMIT = 20_000.0
OLD, TURNS, BATCHES_A_TURN = 150_000, 16, 10
_OLD = """
INSERT INTO score_history (request_id, user_id, increment, new_score, created_at)
SELECT gen_random_uuid(), (CAST(:ids AS text[]))[1 + n % cardinality(CAST(:ids AS text[]))], 1, n,
    now() AT TIME ZONE 'UTC' - INTERVAL '10 months' + n * INTERVAL '1 minute'
FROM generate_series(1, CAST(:rows AS int)) AS n
"""
_USERS = """
INSERT INTO users (user_id, username, hashed_password, api_key, role)
SELECT id, 'Rec-' || id, 'hash', md5(id) || md5('r' || id), 'player' FROM unnest(CAST(:ids AS text[])) AS id
"""


def measure(product: Product) -> tuple[list[Figure], list[tuple[float, float]]]:
    """The figures, and messages a CPU second by batch size."""
    stores = Container(Settings.from_environment(product.runtime["function_env"]))
    try:
        ids = [f"rec-{uuid.uuid4().hex[:24]}" for _ in range(PLAYERS)]
        product.query(_USERS, ids=ids)
        moved = _moved(product, stores, ids)
        rates = [_backlog(product, stores, ids) for _ in range(ROUNDS)]
        by_size = [(float(size), _in_process(stores, ids, size)) for size in BATCHES]
    finally:
        stores.close()
    return [
        figure("record_scores, messages a CPU second of the consumer", "1/s", rates, "limit", LIMIT),
        figure(f"record_scores alone, batches of {CHUNK}", "1/s", [dict(by_size)[float(CHUNK)]], "limit", LIMIT),
        *moved,
    ], by_size


def _moved(product: Product, stores: Container, ids: Sequence[str]) -> list[Figure]:
    """What old updates cost that are moved into their months: in time, and those that are recorded meanwhile."""
    product.query(_OLD, ids=ids, rows=OLD)
    product.write("VACUUM ANALYZE score_history")
    recording: dict[bool, list[float]] = {False: [], True: []}
    moving: list[float] = []
    stop = Event()

    def move() -> None:
        while not stop.is_set():
            began = time.perf_counter()
            if rows := stores.history_archive.move(1, ROWS_AT_ONCE):
                moving.append((time.perf_counter() - began) / rows)
            time.sleep(time.perf_counter() - began)

    for turn in range(TURNS):
        is_moving = turn % 2 == 1
        with ThreadPoolExecutor(1) as mover:
            stop.clear()
            running = mover.submit(move) if is_moving else None
            try:
                for _ in range(BATCHES_A_TURN):
                    events = _events(ids, CHUNK)
                    began = time.perf_counter()
                    stores.ledger.record(events)
                    recording[is_moving].append((time.perf_counter() - began) / CHUNK)
            finally:
                stop.set()
            if running is not None:
                running.result()
    alone = statistics.median(recording[False])
    return [
        figure("recording an update while old ones are moved", "s", recording[True], "recording alone", alone),
        figure("moving an old update into its month", "s", moving, "recording one", alone),
    ]


def _events(ids: Sequence[str], count: int) -> list[ScoreAccepted]:
    now = datetime.now(UTC)
    return [
        ScoreAccepted(str(uuid.uuid4()), ids[n % len(ids)], 1, n + 1, now, "198.51.100.7", outbox_id=f"1-{n}")
        for n in range(count)
    ]


def _backlog(product: Product, stores: Container, ids: Sequence[str]) -> float:
    """The consumer is stopped until the messages are all there."""
    pid = product.pid("consumer")
    os.kill(pid, signal.SIGSTOP)
    try:
        events = _events(ids, BACKLOG)
        for first in range(0, BACKLOG, CHUNK):
            stores.publisher.publish_accepted(events[first : first + CHUNK])
    finally:
        before = cpu_seconds([pid])
        os.kill(pid, signal.SIGCONT)
    last = events[-1].request_id
    eventually(lambda: stores.ledger.recorded(last), 120, "the backlog recorded")
    time.sleep(0.5)
    return BACKLOG / (cpu_seconds([pid]) - before)


def _in_process(stores: Container, ids: Sequence[str], size: int) -> float:
    codec = EventCodec(stores.sealer, MAIN.increments)
    messages = [ReceivedMessage(codec.update(event)) for event in _events(ids, EACH_BATCH)]
    ports = (stores.event_codec, stores.ledger, stores.topology, stores.publisher, {"main": stores.outbox}, stores.clock)
    record_scores(messages[:size], *ports)
    began = time.process_time()
    for first in range(size, EACH_BATCH, size):
        record_scores(messages[first : first + size], *ports)
    return (EACH_BATCH - size) / (time.process_time() - began)
