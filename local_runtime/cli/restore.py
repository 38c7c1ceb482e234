"""`restore`: a new data directory from a backup."""

from __future__ import annotations

import argparse
from pathlib import Path

from local_runtime.cli.command import command
from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, tell

EPILOG = """\
The machine may be another one, with the PostgreSQL and Redis that the backup is of or newer ones. No instance is started; the
one that the backup is of may run on: it and the restored one share nothing but their keys.

example:
  scoreboard restore scoreboard.backup --data-dir /srv/scoreboard

exit codes:
  0  the data directory is made
  1  it could not be made; there is none then
  2  bad usage: the directory is there already, or the file is no backup, is damaged or of a newer version
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where, and which directory to make."""
    parser.add_argument("file", metavar="FILE", type=Path, help="what `backup` has written")
    add_options(parser, "data_dir", "memory_mb")


def run(arguments: argparse.Namespace) -> int:
    """Makes the directory and says how to go on."""
    from local_runtime.instance.backup import BackupFailed, restore_backup
    from local_runtime.instance.servers.errors import ServerError
    from local_runtime.instance.servers.memory import own_shares
    from local_runtime.instance.servers.run import StartFailed

    settings = settings_from(arguments)
    data_dir = settings.data_dir.resolve()
    try:
        about = restore_backup(arguments.file, data_dir, own_shares(settings.memory_mb), tell)
    except (BackupFailed, ServerError, StartFailed) as error:
        raise CliError(str(error), EXIT_FAILED) from None
    say(f"{data_dir}: as of {about['made_at']}; start it with `{command()} serve --data-dir {data_dir}`")
    return EXIT_OK
