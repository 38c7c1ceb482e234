"""Run by a test in a process of its own: many greenlets write to a Redis whose address leads to another one in the middle.

The argument is Redis's URL. The end of the input says that the address leads elsewhere.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - the patches come first

import gevent  # noqa: E402

from local_runtime.gateway.http.loop import HOOK  # noqa: E402
from shared.core.errors import RedisUnavailable  # noqa: E402
from shared.core.loop import find_loop  # noqa: E402
from shared.stores.redis.connection import connect, translated  # noqa: E402

GREENLETS = 50


def main() -> None:
    client = connect(sys.argv[1], loop=find_loop(HOOK))
    over, stopping = gevent.event.Event(), gevent.event.Event()
    after = dict.fromkeys(range(GREENLETS), 0)

    def write(number: int) -> None:
        while not stopping.is_set():
            text = f"{number}"
            try:
                with translated():
                    # A read beside it has an answer of its own whatever becomes of the write.
                    assert client.eval("return ARGV[1]", 0, text) == text.encode()
                    client.set(f"key:{number}", text)
            except RedisUnavailable:
                gevent.sleep(0.01)
            else:
                after[number] += over.is_set()

    writing = [gevent.spawn(write, number) for number in range(GREENLETS)]
    gevent.sleep(0.2)
    print("writing", flush=True)  # noqa: T201
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    over.set()
    with gevent.Timeout(90):
        while min(after.values()) < 3:
            gevent.sleep(0.05)
    stopping.set()
    gevent.joinall(writing, raise_error=True)
    assert client.info("replication")["role"] == "master"
    print("ok")  # noqa: T201


if __name__ == "__main__":
    main()
