"""`python -m local_runtime.scheduler`: runs the template's schedules until it is told to end."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from local_runtime.deadline import ProcessDeadline
from local_runtime.hosting import load_manifest
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.invoker import Invoker
from local_runtime.leases import SCHEDULES, Leases, function_for_leases, presence
from local_runtime.logs.setup import configure_logs, tend_log_file
from local_runtime.metrics import RuntimeMetrics
from local_runtime.schedule.clock import SystemClock
from local_runtime.schedule.runner import Backoff, ScheduleRunner
from local_runtime.settings import InstanceSettings

logger = logging.getLogger(__name__)

# The supervisor kills after 2.5 s; what takes longer is made to be run again.
STOP_SECONDS = 2.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_FAILED = 1
EXIT_UNUSABLE = 2


def main() -> int:
    """Answers 0 when told to end, 1 when the loop failed, 2 when the options or the template cannot be used."""
    configure_logs("scheduler", os.environ)
    tend_log_file(os.environ)
    try:
        settings = InstanceSettings.from_environment()
        manifest = load_manifest(settings, os.environ)
    except ValueError as error:
        logger.error("%s", error)  # noqa: TRY400 - the message is a report for people
        return EXIT_UNUSABLE
    # Blocked, and waited for by this thread alone: a handler must not touch the locks that it may have interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    metrics = RuntimeMetrics(is_flushed=True)
    invoker = Invoker(manifest, ProcessDeadline(), metrics.observe_invocation)
    invoker.prepare()
    metrics.watch(in_flight=invoker.in_flight)
    metrics.flush_regularly()
    leases = Leases(function_for_leases(manifest, invoker), [SCHEDULES, presence(os.environ)])
    leases.start()
    region = os.environ.get("AWS_REGION", "us-east-1")
    may_run: dict[bool, Callable[[], bool]] = {False: partial(leases.holds, SCHEDULES), True: lambda: True}
    runners = [
        ScheduleRunner(
            [schedule for schedule in manifest.schedules if schedule.function.schedule_on_every_instance is everywhere],
            invoker,
            SystemClock(),
            Backoff(random.random),
            region,
            may_run[everywhere],
        )
        for everywhere in (False, True)
    ]
    ready = InstanceDirectory(settings.data_dir).ready_file("scheduler")
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.write_text(str(os.getpid()))
    logger.info("runs %d schedules", len(manifest.schedules))
    failed = threading.Event()
    for runner in runners:
        threading.Thread(target=_run, args=(runner, failed), name="scheduler", daemon=True).start()
    signal.sigwait(STOP_SIGNALS)
    for runner in runners:
        runner.stop()
    ends_at = time.monotonic() + STOP_SECONDS
    if not all(runner.join(ends_at - time.monotonic()) for runner in runners):
        logger.warning("ends in the middle of an invocation")
    leases.release()
    metrics.flush()
    return EXIT_FAILED if failed.is_set() else 0


def _run(runner: ScheduleRunner, failed: threading.Event) -> None:
    try:
        runner.run()
    except Exception:
        logger.exception("the scheduler failed")
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
