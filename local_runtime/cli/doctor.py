"""`doctor`: what is installed, what is missing, how to get it; and what works of the instance that runs."""

from __future__ import annotations

import argparse
import os
from io import StringIO

from local_runtime.cli.errors import CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say

EPILOG = """\
example:
  scoreboard doctor

exit codes:
  0  everything is there, and works where an instance runs on the data directory
  1  something is missing or does not work; the line says what to do
  2  bad usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data directory is looked at, too."""
    add_options(parser, "data_dir", "memory_mb")


def run(arguments: argparse.Namespace) -> int:
    """Prints the report."""
    from local_runtime.cli.running import running_instance
    from local_runtime.instance.doctor import doctor, private_memory, served_certificate

    settings = settings_from(arguments)
    data_dir = settings.data_dir
    try:
        runtime = running_instance(data_dir)
    except CliError:
        runtime = None
    memory = private_memory(os.environ, settings.memory_mb, runtime)
    report = StringIO()
    certificate = served_certificate(settings.tls_cert if settings.tls else None, runtime)
    exit_code = doctor(report, data_dir, runtime=runtime, memory=memory, certificate=certificate)
    say(report.getvalue().rstrip("\n"))
    return exit_code
