"""`serve`: start an instance and watch over it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from typing import Any

from local_runtime.cli.demo import Demo
from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError, StdoutFailed
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.progress import make_progress
from local_runtime.settings import SERVER_URLS, InstanceSettings

MAX_REASON = 300
EPILOG = f"""\
Without options it starts a private Redis, RabbitMQ and PostgreSQL; {", ".join(SERVER_URLS)}
in the environment each replace one of them. With --tls it makes a certificate of its own, signed by its own CA, unless
--tls-cert and --tls-key name one; when those files are renewed, new connections get the new certificate at once.
It is ready when it prints a line that begins `ready:`. Ctrl-C or SIGTERM stops it within 10 s, a second Ctrl-C at once.

examples:
  scoreboard serve --port 8080 --workers 4
  scoreboard serve --detach
  scoreboard serve --demo

exit codes:
  0  it was stopped
  1  a process could not be started; the message shows the end of its log
  2  the options, the template, the environment or the stores (whose keys are others) cannot be used; nothing is left running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of InstanceSettings, and where it runs."""
    parser.add_argument("--detach", action="store_true", help="run in the background once it is ready; `down` stops it")
    parser.add_argument(
        "--demo",
        action="store_true",
        help="a public board with simulated players and an admin; all its data is deleted when it stops",
    )
    add_options(parser, *(item.name for item in fields(InstanceSettings)))


def run(arguments: argparse.Namespace) -> int:
    """Runs until it is told to stop."""
    settings = settings_from(arguments)
    if arguments.demo and (arguments.detach or settings.data_dir != InstanceSettings().data_dir):
        raise CliError(
            "--demo runs in the foreground, on a data directory that goes with it: give neither --detach nor --data-dir",
            EXIT_USAGE,
        )
    if arguments.detach:
        from local_runtime.cli.detach import run_detached

        return run_detached(settings.data_dir)
    with ExitStack() as stack:
        demo = stack.enter_context(Demo(settings)) if arguments.demo else None
        return _serve(demo.settings if demo else settings, demo)


def _serve(settings: InstanceSettings, demo: Demo | None) -> int:
    from local_runtime.cli.console import Console
    from local_runtime.cli.welcome import welcome
    from local_runtime.instance.certificate import own_ca_file
    from local_runtime.logs.options import stderr_is_text
    from local_runtime.processes.serve import run_instance

    progress = make_progress(sys.stderr, lines=stderr_is_text(os.environ))
    console = Console(settings.data_dir, os.environ, progress, verbose=settings.verbose)

    def announce(runtime: Mapping[str, Any]) -> None:
        progress.serving()
        say(f"ready: {runtime['base_url']}")
        with suppress(OSError, StdoutFailed):  # whoever only waited for that line may have gone
            welcome(runtime, settings, own_ca, progress.start_seconds, has_admin=demo is not None)
            if demo is not None:
                demo.begin()
        console.serving()

    try:
        with failures_told(settings):
            own_ca = own_ca_file(settings)
            run_instance(settings, os.environ, console, announce)
    finally:
        console.close()
    return EXIT_OK


@contextmanager
def failures_told(settings: InstanceSettings) -> Iterator[None]:
    """What keeps an instance from starting as CliError, with what to do."""
    from local_runtime.instance.servers.errors import ServerError
    from local_runtime.instance.supervisor.loop import StartFailed

    try:
        yield
    except (StartFailed, ServerError) as error:
        advice = "`scoreboard doctor` shows whether this machine lacks something; nothing is left running"
        raise CliError(f"{error}\n{advice}", EXIT_FAILED) from None
    except OSError as error:
        place, reason = error.filename or settings.data_dir, error.strerror or str(error)[:MAX_REASON]
        raise CliError(f"{place}: {reason}: make room or see to its rights, or choose another --data-dir") from None
