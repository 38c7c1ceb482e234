"""`prepare`: bring stores of one's own up to date without serving anything."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.settings import SERVER_URLS

KEYS = ("JWT_SIGNING_KEY", "PAYLOAD_KEYS")
EPILOG = f"""\
Applies migrations, grants rights, declares queues and fills an empty board from the ledger, as `serve` does at its start;
several at the same time do it one after the other. {", ".join(SERVER_URLS)} name the stores, MIGRATIONS_DATABASE_URL the
database as the owner of its tables; {" and ".join(KEYS)} are those of the instances, or in the data directory.

example:
  scoreboard prepare

exit codes:
  0  the stores are ready
  1  they could not be made ready; the message shows why
  2  the environment or the stores (whose keys are others) cannot be used; nothing was changed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the keys are, and what is hosted."""
    add_options(parser, "data_dir", "template")


def run(arguments: argparse.Namespace) -> int:
    """Runs until the stores are ready."""
    settings = replace(settings_from(arguments), host="127.0.0.1", port=0, tls=False, tls_cert=None, tls_key=None, role="")
    if missing := [name for name in SERVER_URLS if not os.environ.get(name)]:
        raise CliError(
            f"set {', '.join(missing)}: private servers are prepared by `scoreboard serve`, which starts them", EXIT_USAGE
        )
    if not all(map(os.environ.get, KEYS)) and not (settings.data_dir / "secrets.json").exists():
        raise CliError(
            f"set {' and '.join(KEYS)}, or copy the keys with `scoreboard keys import`: the stores remember whose they are",
            EXIT_USAGE,
        )

    from local_runtime.cli.console import Console
    from local_runtime.cli.progress import make_progress
    from local_runtime.cli.serve import failures_told
    from local_runtime.logs.options import stderr_is_text
    from local_runtime.processes.serve import run_instance

    progress = make_progress(sys.stderr, lines=stderr_is_text(os.environ))
    console = Console(settings.data_dir, os.environ, progress, verbose=settings.verbose)
    try:
        with failures_told(settings):
            run_instance(settings, os.environ, console, None)
    finally:
        console.close()
    say("the stores are ready")
    return EXIT_OK
