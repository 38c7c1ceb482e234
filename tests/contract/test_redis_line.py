"""Commands to Redis: through the pool, and on the connection that all share on a loop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.stores.redis.connection import SharingRedis, connect
from tests.support.tls_redis import TlsRedis

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with connect(redis_url) as made:
        yield made


def test_threads_get_their_own_answers(client: Any) -> None:
    texts = [f"{number}:" + "x" * (number * 37 % 5000) for number in range(2000)]
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(lambda text: client.eval("return ARGV[1]", 0, text), texts)) == [t.encode() for t in texts]


def test_answers_are_what_redis_py_makes_of_them(client: Any, redis_url: str) -> None:
    plain: Any = redis.Redis.from_url(redis_url)

    def play(to: Any) -> list[Any]:
        to.delete("line:z", "line:h", "line:s")
        return [
            to.set("line:s", "1", ex=100),
            to.get("line:s"),
            to.zadd("line:z", {"a": 1, "b": 2.5}),
            to.zrevrange("line:z", 0, -1, withscores=True),
            to.zmscore("line:z", ["a", "none"]),
            to.hset("line:h", mapping={"f": 1, "g": b"\x00\xff"}),
            to.hgetall("line:h"),
            to.exists("line:h", "line:none"),
            to.info("server")["redis_version"],
            to.config_get("maxmemory-policy"),
            to.get("line:none"),
            to.scan_iter("line:*").__class__.__name__,
            to.execute_command("OBJECT ENCODING", "line:z"),
        ]

    assert play(client) == play(plain)
    plain.close()


def test_an_error_is_one_callers_own(client: Any) -> None:
    client.set("line:text", "no number")

    def ask(number: int) -> Any:
        try:
            return client.incr("line:text") if number % 3 == 0 else client.eval("return ARGV[1]", 0, number)
        except redis.ResponseError as error:
            return type(error)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(300)))
    assert answers == [redis.ResponseError if n % 3 == 0 else str(n).encode() for n in range(300)]
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha("0" * 40, 0)


def test_a_connection_that_ended_while_idle_costs_no_failed_command(client: Any, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as other:
        for _ in range(3):
            other.client_kill_filter(_id=client.client_id())
            assert client.ping() is True


def test_a_forked_child_makes_its_own_connection(client: Any) -> None:
    parents = client.client_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(client.client_id()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 100)) != parents
    assert client.client_id() == parents
    os.close(reading)
    os.close(writing)


def test_a_server_that_is_away_is_told_so() -> None:
    with connect("redis://127.0.0.1:1/0") as away:
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                away.ping()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_connection_is_shared_on_a_loop_alone(scheme: str) -> None:
    loop: Any = object()
    assert not isinstance(connect(f"{scheme}://127.0.0.1:1/0"), SharingRedis)
    assert isinstance(connect(f"{scheme}://127.0.0.1:1/0", loop=loop), SharingRedis)


def under_gevent(url: str, ca_file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.line_under_gevent", url, ca_file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr[-3000:]


@pytest.mark.long
def test_under_gevent(redis_url: str) -> None:
    under_gevent(redis_url, "")


@pytest.mark.long
def test_under_gevent_over_tls(tls_redis: TlsRedis) -> None:
    under_gevent(tls_redis.url, tls_redis.ca_file)
