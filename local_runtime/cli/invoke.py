"""`invoke`: run one function, as Lambda would, against the running instance."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import HostedFunctions, invoke_function
from local_runtime.cli.sample_call import sample_call

EPILOG = """\
The function runs in this process, with the environment of the running instance; its result is printed as JSON.
With LOG_LEVEL=DEBUG in the environment an error comes with its traceback.

--sample makes the event: the first request, batch or input that would trigger the function. Where somebody must ask, it is an
account made for this call, marked as simulated, and disabled when the function has answered.

examples:
  scoreboard invoke update_score --sample
  echo '{"dryRun": true}' | scoreboard invoke reconcile_scores -

exit codes:
  0   the function has answered
  1   it raised an error, which is printed
  2   there is no such function, event or instance
  70  it took longer than the template allows
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which function, which event."""
    parser.add_argument("function", metavar="FUNCTION", help="directory name or logical id of the function")
    parser.add_argument("event", nargs="?", metavar="EVENT.json", help="file with the event; - reads it from stdin")
    parser.add_argument("--sample", action="store_true", help="make an event that the function answers at once")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the result."""
    if (arguments.event is None) is not arguments.sample:
        raise CliError("name a file with the event (- for stdin), or say --sample: one of the two", EXIT_USAGE)
    data_dir = settings_from(arguments).data_dir
    if arguments.sample:
        result = sample_call(HostedFunctions(data_dir, arguments.function), arguments.function)
    else:
        result = invoke_function(data_dir, arguments.function, _read_event(arguments.event))
    say(json.dumps(result, indent=2, ensure_ascii=False))
    return EXIT_OK


def _read_event(name: str) -> object:
    try:
        return json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"the event {name} cannot be read: {error.strerror}", EXIT_USAGE) from None
    except ValueError as error:
        raise CliError(f"the event {name} is not JSON: {error}", EXIT_USAGE) from None
