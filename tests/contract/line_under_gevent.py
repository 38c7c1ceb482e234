"""Run by a test in a process of its own: the shared connection to Redis in a program that gevent has patched.

The arguments are Redis's URL and the file of its CA, empty without TLS.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - the patches come first
import time  # noqa: E402
from typing import Any, TypedDict  # noqa: E402

import gevent  # noqa: E402
import redis  # noqa: E402

from local_runtime.gateway.http.loop import HOOK  # noqa: E402
from shared.core.loop import find_loop  # noqa: E402
from shared.stores.redis.connection import SharingRedis, connect  # noqa: E402

ECHO = "return ARGV[1]"
SLOW = "local n = 0 while n < tonumber(ARGV[1]) do n = n + 1 end return ARGV[2]"
GREENLETS, ROUNDS = 200, 20
LENGTHS = (1, 100, 3000, 20, 1, 70_000, 5, 300, 2, 40, 1000, 7, 1)


class Tls(TypedDict, total=False):
    """What redis-py is told of a server that speaks TLS."""

    ssl_ca_certs: str


def everybody_gets_their_own(client: redis.Redis) -> None:
    """However long the answers are."""

    def ask(number: int) -> None:
        for turn in range(ROUNDS):
            text = f"{number}:{turn}:" + "x" * LENGTHS[(number * 7 + turn) % len(LENGTHS)]
            assert client.eval(ECHO, 0, text) == text.encode()

    before = client.info("clients")["connected_clients"]
    asking = [gevent.spawn(ask, number) for number in range(GREENLETS)]
    gevent.joinall(asking, timeout=100, raise_error=True)
    assert all(greenlet.ready() for greenlet in asking)
    assert client.info("clients")["connected_clients"] == before


def who_is_stopped_holds_up_nobody(client: redis.Redis) -> None:
    """While writing or waiting."""
    stopped = 0

    def ask(number: int) -> None:
        nonlocal stopped
        for turn in range(ROUNDS):
            text = f"{number}:{turn}"
            try:
                with gevent.Timeout(0.0001 * (1 + (number * 13 + turn * 7) % 200) if number % 2 else None):
                    assert client.eval(SLOW, 0, 20_000, text) == text.encode()
            except gevent.Timeout:
                stopped += 1

    asking = [gevent.spawn(ask, number) for number in range(50)]
    gevent.joinall(asking, timeout=100, raise_error=True)
    assert all(greenlet.ready() for greenlet in asking), "somebody waits for ever"
    assert stopped > 100
    assert client.eval(ECHO, 0, "after") == b"after"


def a_lost_connection_is_told_to_all_and_made_again(client: redis.Redis, url: str, tls: Tls) -> None:
    """Nothing is sent twice."""
    for loops in (20_000_000, 40_000_000, 80_000_000):
        if _lost(client, url, tls, loops):
            return
    raise AssertionError("Redis was never busy for as long as this takes")


def _lost(client: redis.Redis, url: str, tls: Tls, loops: int) -> int:
    """How many were told, when Redis is busy so long with the first one."""
    answered = lost = 0

    def count(loops: int) -> None:
        nonlocal answered, lost
        try:
            client.eval("redis.call('INCR', 'counted') " + SLOW, 0, loops, "")
            answered += 1
        except redis.ConnectionError:
            lost += 1

    client.config_set("lua-time-limit", 60_000)  # a slow machine must not make Redis answer BUSY
    client.delete("counted")
    with redis.Redis.from_url(url, socket_timeout=120, **tls) as other:  # Redis is busy for a while
        other.ping()
        counting = [gevent.spawn(count, loops)]
        gevent.sleep(0.1)
        # Redis is busy with the first one: these and the end of the connection wait in its sockets, and it comes to both at once.
        counting += [gevent.spawn(count, 1) for _ in range(49)]
        gevent.sleep(0.05)
        other.client_kill_filter(_type="normal", skipme=True)
    gevent.joinall(counting, timeout=100, raise_error=True)
    counted = int(client.get("counted") or 0)
    assert answered + lost == 50
    assert answered <= counted <= 50, (answered, lost, counted)
    return lost


def a_server_that_says_nothing_is_given_up(client: redis.Redis, url: str, tls: Tls) -> None:
    """For all who wait, in the time of one."""
    client.connection_pool.connection_kwargs["socket_timeout"] = 3
    client.ping()
    pauser = redis.Redis.from_url(url, **tls)
    pauser.client_pause(60_000, all=False)
    began = time.monotonic()
    asking = [gevent.spawn(client.set, "k", number) for number in range(40)]
    gevent.joinall(asking, timeout=150)
    assert time.monotonic() - began < 60, "each waited for the one before it"
    assert {type(greenlet.exception) for greenlet in asking} == {redis.TimeoutError}
    pauser.client_unpause()
    assert client.set("k", "v") is True


def what_is_asked_together_is_one_write(client: SharingRedis) -> None:
    """And an error stands in the place of its answer."""
    client.ping()
    link: Any = client._line._link
    put, written = link._put, []

    def noted(data: Any) -> int:
        written.append(data)
        return int(put(data))

    link._put = noted
    first, error, last = client.ask_together(("SET", "together", "v"), ("HGET", "together", "f"), ("GET", "together"))
    link._put = put
    assert (first, type(error), last) == (b"OK", redis.ResponseError, b"v")
    assert len(written) == 1, written


def main(url: str, ca_file: str) -> None:
    loop, tls = find_loop(HOOK), Tls(ssl_ca_certs=ca_file) if ca_file else Tls()
    shared = connect(url, ca_file=ca_file, loop=loop)
    assert isinstance(shared, SharingRedis)
    shared.connection_pool.connection_kwargs["socket_timeout"] = 60  # a slow machine is no Redis that says nothing
    everybody_gets_their_own(shared)
    who_is_stopped_holds_up_nobody(shared)
    what_is_asked_together_is_one_write(shared)
    a_lost_connection_is_told_to_all_and_made_again(shared, url, tls)
    a_server_that_says_nothing_is_given_up(connect(url, ca_file=ca_file, loop=loop), url, tls)
    print("ok")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
