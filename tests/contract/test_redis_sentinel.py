"""Sentinels say which Redis is the primary; when it dies they choose another, and every client finds it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.ports import free_port
from shared.core.errors import RedisUnavailable
from shared.core.redis_url import RedisUrl
from shared.stores.redis.connection import connect, translated
from tests.support.redis_pair import PASSWORD, RedisPair, redis_pair
from tests.support.waiting import eventually

NAME = "board"
OWN_PASSWORD = "sentinel"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RedisPair]:
    with redis_pair(tmp_path) as made:
        yield made


@pytest.fixture
def sentinel(pair: RedisPair, tmp_path: Path) -> Iterator[str]:
    """Host and port of one that watches the first server, of which the second is the replica."""
    pair.replicate(pair.second, pair.first_url)
    pair.first.config_set("masterauth", PASSWORD)
    first, port = urlsplit(pair.first_url), free_port()
    file = tmp_path / "sentinel.conf"
    file.write_text(f"""bind 127.0.0.1
port {port}
dir {tmp_path}
requirepass {OWN_PASSWORD}
sentinel monitor {NAME} {first.hostname} {first.port} 1
sentinel auth-pass {NAME} {PASSWORD}
sentinel down-after-milliseconds {NAME} 8000
sentinel failover-timeout {NAME} 5000
""")
    process = subprocess.Popen([programs.REDIS.require(), file, "--sentinel"], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, password=OWN_PASSWORD, decode_responses=True)
    try:
        eventually(lambda: knows_the_replica(client), 60, "the replica known")
        yield f"127.0.0.1:{port}"
    finally:
        client.close()
        process.kill()
        process.wait()


def knows_the_replica(client: redis.Redis) -> bool:
    try:
        return any("disconnected" not in one["flags"] for one in client.sentinel_slaves(NAME))
    except redis.RedisError:
        return False


def test_the_one_that_was_chosen_is_found_when_the_primary_is_gone(pair: RedisPair, sentinel: str) -> None:
    url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{free_port()},{sentinel}/{NAME}/0?sentinel_password={OWN_PASSWORD}"
    check_outside_servers({"REDIS_URL": url}, {})
    with connect(url) as client:
        client.set("written", "before")
        assert pair.first.get("written") == b"before"
        eventually(lambda: pair.second.get("written") == b"before", 60, "the replica in step")
        pair.first.shutdown(nosave=True, now=True)

        def writes() -> bool:
            try:
                with translated():
                    client.set("written", "after")
            except RedisUnavailable:
                return False
            return True

        eventually(writes, 60, "the new primary found")
        assert pair.second.get("written") == b"after"
    assert RedisUrl.parse(url).current() == pair.second_url.replace("/0", "") + "/0"


def test_a_sentinel_that_is_cut_off_is_not_asked_for_each_connection(pair: RedisPair, sentinel: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        where = RedisUrl.parse(
            f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port},{sentinel}/{NAME}/0?sentinel_password={OWN_PASSWORD}"
        )
        assert [where.current() for _ in range(3)] == [pair.first_url] * 3
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_sentinels_that_know_no_such_primary_are_told_of_at_the_start(sentinel: str) -> None:
    with pytest.raises(InstanceError, match="No master found for 'another'"):
        check_outside_servers({"REDIS_URL": f"redis+sentinel://{sentinel}/another?sentinel_password={OWN_PASSWORD}"}, {})
