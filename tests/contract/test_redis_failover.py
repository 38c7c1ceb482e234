"""A Redis that can no longer do the work is left for the one to which its address leads now."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.core.errors import RedisUnavailable
from shared.stores.redis.connection import connect, translated
from tests.support.redis_pair import RedisPair, redis_pair
from tests.support.redis_settings import redis_with
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
FAIL = "return redis.error_reply(ARGV[1])"
Write = Callable[[Any], object]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RedisPair]:
    with redis_pair(tmp_path) as made:
        yield made


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with connect(redis_url) as made:
        yield made


def in_a_transaction(client: Any) -> None:
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("written", "1")
        pipeline.execute()


def in_a_pipeline(client: Any) -> None:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.get("written")
        pipeline.set("written", "1")
        pipeline.get("written")
        pipeline.execute()


def together(client: Any) -> None:
    _, answer = client.ask_together(("PING",), ("SET", "written", "1"))
    if isinstance(answer, redis.RedisError):
        raise answer


WRITES: dict[str, Write] = {
    "command": lambda client: client.set("written", "1"),
    "script": lambda client: client.eval("return redis.call('SET', KEYS[1], '1')", 1, "written"),
    "transaction": in_a_transaction,
    "pipeline": in_a_pipeline,
    "together": together,
}


def succeeds(write: Write, client: Any) -> bool:
    try:
        with translated():
            write(client)
    except RedisUnavailable:
        return False
    return True


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_whatever_is_refused_by_a_replica_finds_the_primary_next(pair: RedisPair, write: Write) -> None:
    with connect(pair.url) as client:
        assert succeeds(write, client)
        pair.fail_over()
        pair.second.delete("written")
        eventually(lambda: succeeds(write, client), 60, "the primary found")
        assert pair.second.get("written") == b"1"


def test_one_refusal_replaces_every_connection_of_the_client(pair: RedisPair) -> None:
    with connect(pair.url) as client:
        for write in WRITES.values():
            assert succeeds(write, client)
        pair.fail_over()
        assert not succeeds(WRITES["command"], client)
        assert [name for name, write in WRITES.items() if not succeeds(write, client)] == []


def test_a_redis_that_is_promoted_again_is_used_again(pair: RedisPair) -> None:
    with connect(pair.url) as client:
        pair.demote()
        assert not succeeds(WRITES["command"], client)
        pair.first.replicaof("NO", "ONE")
        eventually(lambda: succeeds(WRITES["command"], client), 60, "a write")


def test_a_redis_that_stays_read_only_is_not_connected_to_with_every_command(pair: RedisPair) -> None:
    with connect(pair.url) as client:
        pair.demote()
        before, began = int(pair.first.info("stats")["total_connections_received"]), time.monotonic()
        for _ in range(300):
            assert not succeeds(WRITES["command"], client)
            assert client.get("anything") is None
        made = int(pair.first.info("stats")["total_connections_received"]) - before
        assert made <= 3 + 2 * (time.monotonic() - began)


@pytest.mark.parametrize(
    "answer",
    [
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "LOADING Redis is loading the dataset in memory",
        "NOREPLICAS Not enough good replicas to write.",
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
        "CLUSTERDOWN The cluster is down",
    ],
)
def test_these_answers_mean_another_server(client: Any, answer: str) -> None:
    before = client.client_id()
    with pytest.raises(RedisUnavailable), translated():
        client.eval(FAIL, 0, answer)
    assert client.client_id() != before


@pytest.mark.parametrize(
    "answer",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "BUSY Redis is busy running a script.",
        "TRYAGAIN Multiple keys request during rehashing of slot",
    ],
)
def test_these_are_the_right_servers_own_trouble(client: Any, answer: str) -> None:
    before = client.client_id()
    with pytest.raises(RedisUnavailable), translated():
        client.eval(FAIL, 0, answer)
    assert client.client_id() == before


def test_a_full_redis_serves_reads_and_takes_writes_again_when_it_has_room(redis_url: str, client: Any) -> None:
    client.set("held", "1")
    with redis_with(redis_url, maxmemory=1):
        eventually(lambda: not succeeds(WRITES["script"], client), 60, "nothing left that it may throw away")
        assert client.get("held") == b"1"
    assert succeeds(WRITES["script"], client)


def test_a_redis_that_is_away_uses_up_no_connections() -> None:
    with connect("redis://127.0.0.1:1/0") as away:
        for _ in range(20):
            with pytest.raises(redis.ConnectionError):
                away.ping()
        assert len(away.connection_pool._connections) == 1


def test_under_gevent(pair: RedisPair) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.failover_under_gevent", pair.url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "writing\n"
        pair.fail_over()
        process.stdin.close()
        assert process.stdout.read() == "ok\n"
    assert process.returncode == 0
