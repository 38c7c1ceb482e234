"""`python -m local_runtime.processes.scheduler`: runs the template's schedules until it is told to end."""

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

from local_runtime.hosting.deadline import ProcessDeadline
from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.leases import SCHEDULES, Leases, function_for_leases, presence
from local_runtime.hosting.load import kept_manifest
from local_runtime.hosting.schedule.runner import Backoff, ScheduleRunner
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.logs.setup import configure_logs, tend_log_file
from local_runtime.metrics import read
from local_runtime.settings import InstanceSettings, ProvidedSettings
from shared.core.clock import SystemClock
from shared.core.metrics.processes import ProcessMetrics

logger = logging.getLogger(__name__)

# The supervisor kills after 2.5 s; what takes longer is made to be run again.
STOP_SECONDS = 2.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_FAILED = 1
EXIT_UNUSABLE = 2


def main() -> int:
    """Answers 0 when told to end, 1 when the loop failed, 2 when the options or the template cannot be used."""
    configure_logs("scheduler", os.environ)
    try:
        settings, provided = InstanceSettings.from_environment(), ProvidedSettings.from_environment(os.environ)
        manifest = kept_manifest(settings, os.environ)
    except ValueError as error:
        logger.error("%s", error)  # noqa: TRY400 - the message is a report for people
        return EXIT_UNUSABLE
    # Blocked, and waited for by this thread alone: a handler must not touch the locks that it may have interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    tend_log_file(os.environ)
    invoker = Invoker(manifest, ProcessDeadline())
    invoker.prepare()
    metrics = ProcessMetrics(InstanceDirectory(settings.data_dir).metrics, read)
    metrics.flush_regularly()
    shared = [SCHEDULES] if "scheduler" in settings.roles else []
    leases = Leases(function_for_leases(manifest, invoker), [*shared, presence(provided.instance_id)])
    leases.start()
    may_run: dict[bool, Callable[[], bool]] = {False: partial(leases.holds, SCHEDULES), True: lambda: True}
    runners = [
        ScheduleRunner(
            [schedule for schedule in manifest.schedules if schedule.function.schedule_on_every_instance is everywhere],
            invoker,
            SystemClock(),
            Backoff(random.random),
            provided.aws_region,
            may_run[everywhere],
        )
        for everywhere in ((False, True) if shared else (True,))
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
