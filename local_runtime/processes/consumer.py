"""A process that hosts queue bindings of the template, a thread each: the first one of each function, or a further one."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from local_runtime.hosting.deadline import ProcessDeadline
from local_runtime.hosting.invoker import SMALL_BYTES, FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.hosting.leases import Leases, function_for_leases, queue_lease
from local_runtime.hosting.load import kept_manifest
from local_runtime.hosting.manifest import Function, Manifest, QueueBinding
from local_runtime.hosting.queue.broker import connection_parameters
from local_runtime.hosting.queue.mapping import EventSourceMapping
from local_runtime.instance.directory import InstanceDirectory, consumer_name
from local_runtime.logs.setup import configure_logs, tend_log_file
from local_runtime.metrics import read
from local_runtime.settings import InstanceSettings, ProvidedSettings
from shared.core.metrics.processes import ProcessMetrics

STOP_SECONDS = 7.0
EXIT_OK, EXIT_FAILED = 0, 1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
logger = logging.getLogger(__name__)


class ReadyFile:
    """Says, by its content (the pid), that every binding consumes, or stands by to."""

    def __init__(self, path: Path, queues: Iterable[str]) -> None:
        self._path = path
        self._waiting = set(queues)
        self._lock = threading.Lock()

    def consuming(self, queue: str) -> None:
        """This binding consumes or stands by, for the first time or again."""
        with self._lock:
            if queue not in self._waiting:
                return
            self._waiting.remove(queue)
            if not self._waiting:
                self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(f"{os.getpid()}\n")
        unfinished.replace(self._path)


def main() -> int:
    """Consume until SIGTERM, then settle the batches in hand. An argument says which consumer this is, from 1 on."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    configure_logs(consumer_name(number), os.environ)
    if not ProvidedSettings.from_environment(os.environ).amqp_url:
        logger.critical("AMQP_URL is not set")
        return EXIT_FAILED
    # Blocked in every thread, so that none but sigwait takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    tend_log_file(os.environ)
    settings = InstanceSettings.from_environment()
    manifest = kept_manifest(settings, os.environ)
    invoker = Invoker(manifest, ProcessDeadline())
    invoker.prepare()
    metrics = ProcessMetrics(InstanceDirectory(settings.data_dir).metrics, read)
    metrics.flush_regularly()
    bindings = manifest.consumers[number - 1]
    ready_file = InstanceDirectory(settings.data_dir).ready_file(consumer_name(number))
    ready = ReadyFile(ready_file, [binding.queue for binding in bindings])
    declare = partial(_declare_queues, invoker, manifest)
    leases = Leases(function_for_leases(manifest, invoker), [queue_lease(binding) for binding in bindings])
    leases.start()
    return _host([_mapping(binding, invoker, ready, declare, leases) for binding in bindings], metrics, leases)


def _host(mappings: Sequence[EventSourceMapping], metrics: ProcessMetrics, leases: Leases) -> int:
    failed = threading.Event()
    threads = [threading.Thread(target=_guarded(mapping.run, failed), daemon=True) for mapping in mappings]
    for thread in threads:
        thread.start()
    signal.sigwait(STOP_SIGNALS)
    _end_at_once_when_told_again()
    for mapping in mappings:
        mapping.stop()
    exit_code = EXIT_FAILED if failed.is_set() else EXIT_OK
    ends_at = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    metrics.flush()
    if any(thread.is_alive() for thread in threads):
        logger.warning("a function did not end within %g s; its batch goes back to the queue", STOP_SECONDS)
        logging.shutdown()
        os._exit(exit_code)  # a function that still runs must not meet a half-finished interpreter
    leases.release()
    return exit_code


def _end_at_once_when_told_again() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: os._exit(EXIT_FAILED))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _guarded(run: Callable[[], None], failed: threading.Event) -> Callable[[], None]:
    """A queue that nobody consumes is worse than a process that is started again."""

    def guarded() -> None:
        try:
            run()
        except BaseException:
            logger.exception("a mapping failed, ending the process")
            failed.set()
            os.kill(os.getpid(), signal.SIGTERM)

    return guarded


def _invoke(invoker: Invoker, function: Function, event: dict[str, Any]) -> None:
    """The events are ours. Of several messages no more come together than an event may hold; one alone may be too large."""
    [messages] = event["rmqMessagesByQueue"].values()
    is_small = len(messages) > 1 or len(messages[0]["data"]) <= SMALL_BYTES
    invoker.invoke(function, event, trigger="queue", is_plain=is_small)


def _declare_queues(invoker: Invoker, manifest: Manifest) -> None:
    """By the functions that the template names for that."""
    for function in manifest.functions:
        if function.invoke_when_queue_missing:
            try:
                invoker.invoke(function, manifest.start_event(function), trigger="missing_queue")
            except (FunctionError, FunctionTimedOut, PayloadTooLarge) as error:
                logger.warning("%s failed: %s", function.name, error)


def _mapping(
    binding: QueueBinding,
    invoker: Invoker,
    ready: ReadyFile,
    declare: Callable[[], None],
    leases: Leases,
) -> EventSourceMapping:
    return EventSourceMapping(
        binding,
        partial(_invoke, invoker, binding.function),
        partial(connection_parameters, os.environ, binding.virtual_host),
        partial(ready.consuming, binding.queue),
        declare,
        partial(leases.holds, queue_lease(binding)),
        partial(leases.step_aside, queue_lease(binding)),
    )


if __name__ == "__main__":
    sys.exit(main())
