"""`events`: payloads of AWS, as functions are given them."""

from __future__ import annotations

import argparse
import json
from difflib import get_close_matches

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.output import say
from local_runtime.hosting.events.sample import sample_names, sample_payload

EPILOG = """\
One payload of each kind of event, as AWS documents it: a start for a test of a function, or for `invoke`. Without a name the
names are listed. An event that a function of this scoreboard answers at once is made by `invoke FUNCTION --sample`.

examples:
  scoreboard events
  scoreboard events schedule_v2_input_event > event.json

exit codes:
  0  the payload, or the list, was printed
  1  it could not be written
  2  there is no such sample
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which one."""
    parser.add_argument("sample", nargs="?", metavar="SAMPLE", help="name of the payload; without it the names are listed")


def run(arguments: argparse.Namespace) -> int:
    """Prints it."""
    names = sample_names()
    if arguments.sample is None:
        say("\n".join(names))
        return EXIT_OK
    if arguments.sample not in names:
        near = get_close_matches(arguments.sample, names, 1, cutoff=0.4)
        meant = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names)}"
        raise CliError(f"there is no sample {arguments.sample!r}: {meant}", EXIT_USAGE)
    say(json.dumps(sample_payload(arguments.sample), indent=2, ensure_ascii=False))
    return EXIT_OK
