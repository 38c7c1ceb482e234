"""`status`: whether a running instance can do its work."""

from __future__ import annotations

import argparse
import json
from http import HTTPStatus

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import running_instance
from local_runtime.instance.readiness import NoReadiness, readiness
from local_runtime.settings import PRIVATE_SERVERS

WAIT_SECONDS = 10.0
EPILOG = """\
What it says is what GET /readyz answers: each capability, with a reason where there is none, and each store.

examples:
  scoreboard status
  scoreboard status --json

exit codes:
  0  it can do its work; something may be degraded, which is said
  1  it cannot, or does not answer
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which instance."""
    parser.add_argument("--json", action="store_true", help="the answer of /readyz, with the processes, as JSON")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints it."""
    runtime = running_instance(settings_from(arguments).data_dir)
    try:
        status, document = readiness(runtime, WAIT_SECONDS)
    except NoReadiness as error:
        raise CliError(f"{error}; `scoreboard logs` may say why", EXIT_FAILED) from None
    is_ready = status == HTTPStatus.OK
    if arguments.json:
        say(json.dumps({"baseUrl": runtime["base_url"], **document, "processes": runtime["processes"]}, indent=2))
        return EXIT_OK if is_ready else EXIT_FAILED
    say(f"{runtime['base_url']}  {document['status']}")
    shards = {f"shard {name}": shard for name, shard in document.get("shards", {}).items()}
    for name, capability in (document["capabilities"] | shards).items():
        say(f"  {name:<16}{capability.get('reason', 'yes')}")
    for name in PRIVATE_SERVERS:
        say(f"  {name:<16}{document[name]}")
    say("  processes       " + ", ".join(f"{name} {pid}" for name, pid in runtime["processes"].items()))
    return EXIT_OK if is_ready else EXIT_FAILED
