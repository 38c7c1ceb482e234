"""Run by a test in a process of its own: the shared connection to Redis in a program that gevent has patched.

The arguments are Redis's URL and the loop's hook, which is empty for a host that offers none.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - the patches come first
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import redis  # noqa: E402

from shared.core.loop import Loop, find_loop  # noqa: E402
from shared.stores.redis.connection import SharingRedis, connect  # noqa: E402

ECHO = "return ARGV[1]"
SLOW = "local n = 0 while n < tonumber(ARGV[1]) do n = n + 1 end return ARGV[2]"
GREENLETS, ROUNDS = 200, 40
LENGTHS = (1, 100, 3000, 20, 1, 70_000, 5, 300, 2, 40, 1000, 7, 1)


def everybody_gets_their_own(client: redis.Redis) -> None:
    """However long the answers are and whoever reads them."""

    def ask(number: int) -> None:
        for turn in range(ROUNDS):
            text = f"{number}:{turn}:" + "x" * LENGTHS[(number * 7 + turn) % len(LENGTHS)]
            assert client.eval(ECHO, 0, text) == text.encode()

    before = client.info("clients")["connected_clients"]
    asking = [gevent.spawn(ask, number) for number in range(GREENLETS)]
    gevent.joinall(asking, timeout=60, raise_error=True)
    assert all(greenlet.ready() for greenlet in asking)
    assert client.info("clients")["connected_clients"] == before


def who_is_stopped_holds_up_nobody(client: redis.Redis) -> None:
    """While writing, waiting or reading for the others."""
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
            except redis.ConnectionError:
                pass  # cut off in the middle of a write, all who waited are told so

    asking = [gevent.spawn(ask, number) for number in range(50)]
    gevent.joinall(asking, timeout=100, raise_error=True)
    assert all(greenlet.ready() for greenlet in asking), "somebody waits for ever"
    assert stopped > 100
    assert client.eval(ECHO, 0, "after") == b"after"


def a_lost_connection_is_told_to_all_and_made_again(client: redis.Redis, url: str) -> None:
    """Nothing is sent twice."""
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
    with redis.Redis.from_url(url, socket_timeout=120) as other:  # Redis is busy for a while
        other.ping()
        counting = [gevent.spawn(count, 20_000_000)]
        gevent.sleep(0.1)
        # Redis is busy with the first one: these and the end of the connection wait in its sockets, and it comes to both at once.
        counting += [gevent.spawn(count, 1) for _ in range(49)]
        gevent.sleep(0.05)
        other.client_kill_filter(_type="normal", skipme=True)
    gevent.joinall(counting, timeout=20, raise_error=True)
    counted = int(client.get("counted") or 0)
    assert lost > 0
    assert answered + lost == 50
    assert answered <= counted <= 50, (answered, lost, counted)


def a_server_that_says_nothing_is_given_up(url: str, loop: Loop | None) -> None:
    """For all who wait, in the time of one."""
    client = connect(url, loop=loop)
    client.connection_pool.connection_kwargs["socket_timeout"] = 0.3
    client.ping()
    pauser = redis.Redis.from_url(url)
    pauser.client_pause(1500)
    began = time.monotonic()
    asking = [gevent.spawn(client.set, "k", number) for number in range(20)]
    gevent.joinall(asking, timeout=20)
    assert time.monotonic() - began < 1.4
    assert {type(greenlet.exception) for greenlet in asking} == {redis.TimeoutError}
    gevent.sleep(1.5)
    assert client.set("k", "v") is True


def what_is_asked_together_is_one_write(client: SharingRedis) -> None:
    """And an error stands in the place of its answer."""
    client.ping()
    write, written = os.write, []

    def noted(descriptor: int, data: Any) -> int:
        written.append(data)
        return write(descriptor, data)

    os.write = noted
    try:
        first, error, last = client.ask_together(("SET", "together", "v"), ("HGET", "together", "f"), ("GET", "together"))
    finally:
        os.write = write
    assert (first, type(error), last) == (b"OK", redis.ResponseError, b"v")
    assert len(written) == 1, written


if __name__ == "__main__":
    found = find_loop(sys.argv[2])
    shared = connect(sys.argv[1], loop=found)
    assert isinstance(shared, SharingRedis)
    shared.connection_pool.connection_kwargs["socket_timeout"] = 60  # a slow machine is no Redis that says nothing
    everybody_gets_their_own(shared)
    who_is_stopped_holds_up_nobody(shared)
    if found is not None:
        what_is_asked_together_is_one_write(shared)
    a_lost_connection_is_told_to_all_and_made_again(shared, sys.argv[1])
    a_server_that_says_nothing_is_given_up(sys.argv[1], found)
    print("ok")  # noqa: T201
