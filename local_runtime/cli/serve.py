"""`serve`: start an instance and watch over it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.progress import make_progress
from local_runtime.settings import SERVER_URLS, InstanceSettings

MAX_REASON = 300
EPILOG = f"""\
Without further ado it starts a private Redis, RabbitMQ and PostgreSQL; {", ".join(SERVER_URLS)}
in the environment each replace one of them. With --tls it makes a certificate of its own, signed by its own CA, unless
--tls-cert and --tls-key name one; when those files are renewed, new connections get the new certificate at once.
It is ready when it prints a line that begins `ready:`. Ctrl-C or SIGTERM stops it within 10 s, a second Ctrl-C at once.

example:
  python -m local_runtime serve --port 8080 --workers 4

exit codes:
  0  it was stopped
  1  a process could not be started; the message shows the end of its log
  2  the options, the template, the environment or the stores (whose keys are others) cannot be used; nothing is left running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of InstanceSettings."""
    add_options(parser, *(item.name for item in fields(InstanceSettings)))


def run(arguments: argparse.Namespace) -> int:
    """Runs until it is told to stop."""
    from local_runtime.cli.welcome import welcome
    from local_runtime.instance.certificate import own_ca_file
    from local_runtime.instance.run import run_instance
    from local_runtime.logs.console import Console
    from local_runtime.logs.options import stderr_is_text
    from local_runtime.services.errors import ServerError
    from local_runtime.supervisor.loop import StartFailed

    settings = settings_from(arguments)
    progress = make_progress(sys.stderr, lines=stderr_is_text(os.environ))
    console = Console(settings.data_dir, os.environ, progress, verbose=settings.verbose)

    def announce(runtime: Mapping[str, Any]) -> None:
        progress.serving()
        say(f"ready: {runtime['base_url']}")
        with suppress(OSError):  # whoever only waited for that line may have gone
            welcome(runtime, settings, own_ca, progress.start_seconds)
        console.serving()

    try:
        own_ca = own_ca_file(settings)
        run_instance(settings, os.environ, console, announce)
    except (StartFailed, ServerError) as error:
        advice = "`python -m local_runtime doctor` shows whether this machine lacks something; nothing is left running"
        raise CliError(f"{error}\n{advice}", EXIT_FAILED) from None
    except OSError as error:
        place, reason = error.filename or settings.data_dir, error.strerror or str(error)[:MAX_REASON]
        raise CliError(f"{place}: {reason}: make room or see to its rights, or choose another --data-dir") from None
    finally:
        console.close()
    return EXIT_OK
