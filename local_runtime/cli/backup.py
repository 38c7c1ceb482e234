"""`backup`: a running instance's own stores in one file."""

from __future__ import annotations

import argparse
from pathlib import Path

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, tell
from local_runtime.cli.running import running_instance
from local_runtime.settings import PRIVATE_SERVERS

EPILOG = """\
Updates go on meanwhile. The file holds every account and every update that was acknowledged before the backup began, those that
wait to be recorded and those that could not be recorded too, and the keys: whoever has it can do whatever the instance can. Only
what the instance itself runs is in it: a server that REDIS_URL, AMQP_URL or DATABASE_URL names is backed up by its owner. The
data directory of an instance that is stopped may simply be copied.

example:
  scoreboard backup scoreboard.backup

exit codes:
  0  the file is written
  1  it could not be made; there is no file then
  2  bad usage: no instance is running, or the file is there already
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and of which instance."""
    parser.add_argument("file", metavar="FILE", type=Path, help="file to write; it must not exist yet")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Writes the file and says what is in it."""
    from local_runtime.instance.backup import BackupFailed, make_backup
    from local_runtime.instance.directory import InstanceDirectory
    from local_runtime.instance.servers.errors import ServerError

    data_dir = settings_from(arguments).data_dir.resolve()
    runtime = running_instance(data_dir)
    try:
        make_backup(InstanceDirectory(data_dir), runtime, arguments.file, tell)
    except (BackupFailed, ServerError) as error:
        raise CliError(str(error), EXIT_FAILED) from None
    say(f"{arguments.file}: {arguments.file.stat().st_size / 1e6:.1f} MB, keys and passwords included: keep it as a secret")
    for name, variable in PRIVATE_SERVERS.items():
        if name not in runtime["processes"]:
            say(f"not in it: what the server of {variable} holds; back that up where it runs")
    return EXIT_OK
