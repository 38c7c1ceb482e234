"""URLs of stores that are several servers."""

from __future__ import annotations

from collections.abc import Mapping
from socket import create_server, socket
from typing import Any

import pytest
import redis

from local_runtime.instance.outside import redacted
from shared.core.database_url import DatabaseUrl
from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.redis_servers import ClusterPrimary, SentinelPrimary
from shared.core.redis_url import RedisUrl
from shared.core.tls import what_travels_unprotected


@pytest.mark.parametrize(
    ("url", "each"),
    [
        ("amqps://u:p@one:1/%2F", ["amqps://u:p@one:1/%2F"]),
        ("amqps://u:p,q@one:1,two:2/%2F?a=b,c", ["amqps://u:p,q@one:1/%2F?a=b,c", "amqps://u:p,q@two:2/%2F?a=b,c"]),
        ("postgresql://[::1]:1,[::2]/db", ["postgresql://[::1]:1/db", "postgresql://[::2]/db"]),
        ("postgresql://u@one,two", ["postgresql://u@one", "postgresql://u@two"]),
        ("postgresql:///db?host=/run,x", ["postgresql:///db?host=/run,x"]),
    ],
)
def test_a_url_of_several_hosts_is_one_url_for_each(url: str, each: list[str]) -> None:
    assert list(each_host(url)) == each


def test_hosts_of_a_database_share_everything_but_place() -> None:
    one, two = DatabaseUrl.parse_each("postgresql://u:p@one:1,two/db?sslmode=require&target_session_attrs=read-write")
    assert [(each.host, each.port) for each in (one, two)] == [("one", 1), ("two", 5432)]
    assert (one.user, one.password, one.database, one.ssl_mode) == (two.user, two.password, two.database, two.ssl_mode)


def test_a_database_that_need_not_take_writes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="target_session_attrs=read-write"):
        DatabaseUrl.parse_each("postgresql://u@one,two/db?target_session_attrs=any")


def test_sentinels_and_the_primary_they_watch() -> None:
    where = RedisUrl.parse("redis+sentinel://user:p%40ss@one,two:5/the%20board/3?sentinel_password=s&health_check_interval=9")
    asked = where.find_primary
    assert isinstance(asked, SentinelPrimary)
    assert asked.places == [("one", 26379), ("two", 5)]
    assert (asked.name, asked.options["password"]) == ("the board", "s")
    assert where.server == "redis://user:p%40ss@primary/3?health_check_interval=9"
    assert "ssl" not in asked.options
    assert secured("rediss+sentinel://one/board")["ssl"] is True
    assert "p%40ss" not in repr(where)


def secured(url: str) -> Mapping[str, Any]:
    """How those are asked who know the primary."""
    asked = RedisUrl.parse(url, key="{b}:").find_primary
    assert isinstance(asked, SentinelPrimary | ClusterPrimary)
    return asked.options


def test_nodes_of_a_cluster_and_the_slot_they_are_asked_for() -> None:
    where = RedisUrl.parse("redis+cluster://user:p%40ss@one,[::1]:7?health_check_interval=9", key="{b}:")
    asked = where.find_primary
    assert isinstance(asked, ClusterPrimary)
    assert (asked.places, asked.key) == ([("one", 6379), ("::1", 7)], "{b}:")
    assert (asked.options["username"], asked.options["password"]) == ("user", "p@ss")
    assert where.server == "redis://user:p%40ss@primary/0?health_check_interval=9"
    assert "ssl" not in asked.options
    assert secured("rediss+cluster://one/0")["ssl"] is True
    assert "p%40ss" not in repr(where)
    assert "p@ss" not in repr(where)


@pytest.mark.parametrize(
    "form", ["redis+sentinel://127.0.0.1:{},127.0.0.1:{}/board", "redis+cluster://127.0.0.1:{},127.0.0.1:{}"]
)
def test_whoever_knows_the_primary_and_says_nothing_is_asked_once(form: str) -> None:
    with create_server(("127.0.0.1", 0)) as one, create_server(("127.0.0.1", 0)) as two:
        ports = [server.getsockname()[1] for server in (one, two)]
        where = RedisUrl.parse(form.format(*ports), key="{b}:")
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            where.current()
        assert [connections(one), connections(two)] == [1, 1]


def connections(server: socket) -> int:
    """How many were made, and never answered."""
    server.setblocking(False)
    made = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return made
        made += 1


@pytest.mark.parametrize("key", ["", "board:", "{}board:", "{board", "}{", "board}:{"])
def test_on_a_cluster_keys_without_a_hash_tag_are_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="set KEY_PREFIX to one with a hash tag"):
        RedisUrl.parse("redis+cluster://one", key=key)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://one/board", r"must begin with redis://, rediss://, redis\+sentinel://"),
        ("redis://one:1,two:2/0", "names several servers"),
        ("redis+sentinel://one:1,two:2", "must name Sentinels and the primary"),
        ("redis+sentinel:///board", "must name Sentinels and the primary"),
        ("redis+sentinel://one:many/board", r"is not a URL such as redis\+sentinel://"),
        ("redis+cluster://one:many", r"is not a URL such as redis\+cluster://"),
        ("redis+cluster://", "must name nodes of the cluster"),
        ("redis+cluster://one/1", "no database but 0"),
    ],
)
def test_a_redis_url_that_cannot_be_used_is_refused_with_what_to_write(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RedisUrl.parse(url)


def test_no_password_of_several_servers_is_shown() -> None:
    assert redacted("amqps://u:secret@one:1,two:2/%2F") == "amqps://u:***@one:1,two:2/%2F"


def test_each_of_several_servers_is_looked_at() -> None:
    assert what_travels_unprotected("AMQP_URL", "amqp://u:p@127.0.0.1,elsewhere/") != ""
    assert what_travels_unprotected("REDIS_URL", "redis+sentinel://elsewhere/board") != ""
    assert what_travels_unprotected("REDIS_URL", "redis+cluster://127.0.0.1,elsewhere") != ""
    assert what_travels_unprotected("AMQP_URL", "amqps://u:p@one,two/") == ""
