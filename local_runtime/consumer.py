"""The process that hosts every queue binding of the template, a thread each."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pika

from local_runtime.deadline import ProcessDeadline
from local_runtime.hosting import load_manifest
from local_runtime.invoker import Invoker
from local_runtime.manifest import QueueBinding
from local_runtime.metrics import RuntimeMetrics
from local_runtime.queue.broker import connection_parameters
from local_runtime.queue.poller import QueuePoller
from local_runtime.settings import InstanceSettings

STOP_SECONDS = 7.0
POLL_SECONDS = 0.2
logger = logging.getLogger(__name__)


class ReadyFile:
    """Says, by its content (the pid), that every binding consumes."""

    def __init__(self, path: Path, queues: Iterable[str]) -> None:
        self._path = path
        self._waiting = set(queues)
        self._lock = threading.Lock()

    def consuming(self, queue: str) -> None:
        """This binding consumes, for the first time or again."""
        with self._lock:
            if queue not in self._waiting:
                return
            self._waiting.remove(queue)
            if not self._waiting:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_text(f"{os.getpid()}\n")


def main() -> int:
    """Consume until SIGTERM, then settle the batches in hand."""
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    settings = InstanceSettings.from_environment()
    manifest = load_manifest(settings, os.environ)
    invoker = Invoker(manifest, ProcessDeadline(), RuntimeMetrics().observe_invocation)
    invoker.prepare()
    stop = threading.Event()
    ready = ReadyFile(settings.data_dir / "run" / "consumer.ready", [binding.queue for binding in manifest.queue_bindings])

    def on_signal(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    threads = [
        threading.Thread(target=_poller(binding, invoker, stop, ready).run, name=binding.queue, daemon=True)
        for binding in manifest.queue_bindings
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(POLL_SECONDS):
        pass
    for thread in threads:
        thread.join(STOP_SECONDS)
    return 0


def _poller(binding: QueueBinding, invoker: Invoker, stop: threading.Event, ready: ReadyFile) -> QueuePoller:
    return QueuePoller(
        binding,
        partial(invoker.invoke, binding.function, trigger="queue"),
        lambda: pika.BlockingConnection(connection_parameters(os.environ, binding.virtual_host)),
        stop,
        partial(ready.consuming, binding.queue),
    )


if __name__ == "__main__":
    sys.exit(main())
