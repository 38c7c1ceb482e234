"""`down`: stop the instance that runs on a data directory."""

from __future__ import annotations

import argparse
import os
import signal
import time

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.supervisor.stale import end_marked, instance_marker

WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.05

EPILOG = """\
example:
  scoreboard down

exit codes:
  0  it is stopped, or nothing was running
  1  it could not be stopped
  2  bad usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which instance."""
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Waits until the instance has gone."""
    data_dir = settings_from(arguments).data_dir.resolve()
    directory = InstanceDirectory(data_dir)
    try:
        pid = directory.holder()
        if pid is None:
            return _nothing_runs(directory)
        if pid == 0:
            raise CliError(f"the instance on {data_dir} is just starting or ending: try again")
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return _nothing_runs(directory)
    except PermissionError:
        raise CliError(f"the instance on {data_dir} belongs to another user: run this as that user") from None
    say(f"stopping pid {pid}")
    if not _wait_gone(directory):
        raise CliError(f"pid {pid} has not ended within {WAIT_SECONDS:g} s: look at it with `ps {pid}`", EXIT_FAILED)
    say("stopped")
    return EXIT_OK


def _nothing_runs(directory: InstanceDirectory) -> int:
    left = []
    if directory.path.is_dir():
        left = end_marked(instance_marker(directory.path))
        directory.remove_runtime()
    if left:
        say(f"no instance runs on {directory.path}; ended {len(left)} processes that a killed one had left")
    else:
        say(f"no instance runs on {directory.path}")
    return EXIT_OK


def _wait_gone(directory: InstanceDirectory) -> bool:
    ends_at = time.monotonic() + WAIT_SECONDS
    while directory.holder() is not None:
        if time.monotonic() > ends_at:
            return False
        time.sleep(_POLL_SECONDS)
    return True
