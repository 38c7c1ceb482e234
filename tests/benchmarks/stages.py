"""Where the CPU time of an update goes: the worker's own code in one process without sockets, with parts of it left out.

What is left between that and what an update costs the product are sockets, and whatever it costs that the parts take turns with
one another and with other processes. A bare loop of `recv` and `send` says what this machine takes for those alone.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_runtime.gateway.http.loop import HOOK as LOOP_HOOK
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import drive
from tests.benchmarks.updates import CONNECTIONS
from tests.support.product import ROOT, Product

ROUNDS, TURNS = 7, 60
ROUND_SECONDS = 4.0
PARTS = ("parser, event and answer", "function, log line and metrics", "Redis", "broker and settling")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
_INSIDE = [sys.executable, "-m", "gevent.monkey", "--module", "tests.benchmarks.stages"]
_BARE = "bare loop of recv and send"


def measure(product: Product, requests: Sequence[bytes]) -> list[Figure]:
    """Microseconds an update, part by part, against the whole; in turns with the product under load."""
    pids = [product.pid("http")]
    loads = [drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=ROUND_SECONDS) for _ in range(3)]
    whole = [1e6 / load.per_cpu_second for load in loads]
    reference = statistics.median(whole)
    environment = {**os.environ, **product.runtime["function_env"], "LOOP_HOOK": LOOP_HOOK}
    done = subprocess.run(
        _INSIDE,
        input=json.dumps([request.decode("latin-1") for request in requests[: 10 * CONNECTIONS]]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    figures = [figure(f"update: {name}", "us", found[name], "whole", reference) for name in PARTS]
    alone = sum(statistics.median(found[name]) for name in PARTS)
    return [
        figure("update, whole", "us", whole, "whole", reference),
        *figures,
        figure("update: sockets and turns", "us", [each - alone for each in whole], "whole", reference),
        figure(_BARE, "us", [_bare_microseconds()], "whole", reference),
    ]


def _bare_microseconds() -> float:
    with _running_bare() as (port, pid):
        loads = [
            drive(f"http://127.0.0.1:{port}", [b"GET / HTTP/1.1\r\n\r\n"], [pid], connections=CONNECTIONS, seconds=ROUND_SECONDS)
            for _ in range(3)
        ]
    return statistics.median(1e6 / load.per_cpu_second for load in loads)


@contextmanager
def _running_bare() -> Iterator[tuple[int, int]]:
    with subprocess.Popen([*_INSIDE, "bare"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


# In a process of its own


class _Client:
    """Asks a number of times, and takes note of what is no 200."""

    def __init__(self, requests: Sequence[bytes], first: int, count: int) -> None:
        self._requests, self._turn, self._left = requests, first, count
        self.failures = 0

    def recv(self, _size: int) -> bytes:
        """The next request, nothing at the end."""
        if not self._left:
            return b""
        self._left -= 1
        self._turn += CONNECTIONS
        return self._requests[self._turn % len(self._requests)]

    def sendall(self, data: bytes) -> None:
        """Look at an answer."""
        self.failures += not data.startswith(b"HTTP/1.1 200")

    def close(self) -> None:
        """There is nothing to be closed."""


def _main() -> None:
    if sys.argv[1:] == ["bare"]:
        _serve_bare()
    requests = [text.encode("latin-1") for text in json.loads(sys.stdin.read())]
    json.dump(_stages(requests), sys.stdout)
    sys.stdout.flush()
    os._exit(0)


def _serve_bare() -> None:
    from gevent.server import StreamServer

    from local_runtime.gateway.http.direct_socket import directly

    def handle(client: socket.socket, _address: object) -> None:
        line = directly(client)
        while line.recv(65536):
            line.sendall(_ANSWER)

    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    print(server.server_port, flush=True)  # noqa: T201 - whoever started it reads it
    server.serve_forever()


def _stages(requests: Sequence[bytes]) -> dict[str, list[float]]:
    """Differences: everything, without the broker, without Redis, and without the function."""
    from shared.container import container

    whole = _Worker(requests)
    deps: Any = container()
    whole.run(20)
    everything = [whole.run(TURNS) for _ in range(ROUNDS)]
    deps.publisher.publish_accepted = lambda *_events: None
    without_broker = [whole.run(TURNS) for _ in range(ROUNDS)]
    kept = deps.leaderboard.apply(_any_update(requests[0]))
    deps.leaderboard.apply = lambda *_update, **_options: kept
    without_redis = [whole.run(TURNS) for _ in range(ROUNDS)]
    whole.answer_without_function()
    without_function = [whole.run(TURNS) for _ in range(ROUNDS)]
    steps = [without_function, without_redis, without_broker, everything]
    shares = zip(steps, [[0.0] * ROUNDS, *steps], strict=False)
    return {name: [more - statistics.median(less) for more in longer] for name, (longer, less) in zip(PARTS, shares, strict=True)}


def _any_update(request: bytes) -> Any:
    from shared.boards.score import ScoreUpdate
    from shared.core.ids import new_request_id
    from tests.benchmarks.updates import user_of

    return ScoreUpdate(new_request_id(), user_of(request), 1, "127.0.0.1")


class _Worker:
    """The application as a worker has it, and connections that are none."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        from local_runtime.gateway.http.app import create_app
        from local_runtime.gateway.http.connection import connection_environ
        from local_runtime.hosting.deadline import GeventDeadline
        from local_runtime.hosting.invoker import Invoker
        from local_runtime.hosting.load import load_manifest
        from local_runtime.metrics import read
        from local_runtime.settings import InstanceSettings
        from shared.core.metrics.processes import ProcessMetrics

        settings = InstanceSettings.from_environment(os.environ)
        manifest = load_manifest(settings, os.environ)
        self._invoker = Invoker(manifest, GeventDeadline())
        self._invoker.prepare()
        self._requests = requests
        self._application = create_app(manifest, self._invoker, settings, metrics=ProcessMetrics(None, read))
        self._environ = connection_environ(("127.0.0.1", 8080), ("127.0.0.1", 5555), scheme="http")
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - where the lines of the log go

    def run(self, turns: int) -> float:
        """Microseconds of CPU an update, with as many connections as the load has."""
        import gevent

        began = time.process_time()
        gevent.joinall([gevent.spawn(self._serve, first, turns) for first in range(CONNECTIONS)], raise_error=True)
        return (time.process_time() - began) / CONNECTIONS / turns * 1e6

    def answer_without_function(self) -> None:
        """From now on every invocation gives the result that one gave."""
        invoke: Callable[..., Any] = self._invoker.invoke
        kept: list[Any] = []

        def invoked(*arguments: Any, **options: Any) -> Any:
            if not kept:
                kept.append(invoke(*arguments, **options))
            return kept[0]

        self._invoker.invoke = invoked  # type: ignore[method-assign]

    def _serve(self, first: int, turns: int) -> None:
        from local_runtime.gateway.http.connection import HttpConnection
        from local_runtime.gateway.http.cors import CorsHeaders
        from local_runtime.gateway.http.patience import Patience
        from local_runtime.hosting.manifest import Cors

        client = _Client(self._requests, first, turns)
        connection = HttpConnection(
            client,
            self._environ,
            self._application,
            object(),
            max_body=65536,
            patience=Patience(),
            cors=CorsHeaders(Cors()),
        )
        connection.serve(lambda: True)
        assert not client.failures


if __name__ == "__main__":
    _main()
