"""`export-audit`: the audit log for archives and auditors."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from local_runtime.cli.complete_file import text_file
from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.options import add_options, count, settings_from
from local_runtime.cli.output import say, writing_stdout
from local_runtime.cli.running import function_of

FUNCTION = "export_audit_log"
EPILOG = """\
One JSON object a line, in the order of the ids: `id`, `at`, `action`, `actor`, `userId`, `requestId`, `sourceIp`, `detail`.
A file is readable by you alone, and is there when it is complete.

examples:
  scoreboard export-audit --from 2026-01-01 --to 2026-02-01 --output january.jsonl
  scoreboard export-audit | gzip > audit.jsonl.gz

exit codes:
  0  done
  1  it failed, as on a full disk; there is no file then
  2  bad usage, such as a place where no file can be; or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which entries, and where to."""
    parser.add_argument("--from", dest="since", metavar="INSTANT", help="such as 2026-01-31T12:00:00Z, or a day (UTC); included")
    parser.add_argument("--to", dest="until", metavar="INSTANT", help="the same; not included")
    parser.add_argument(
        "--after", type=count, default=0, metavar="ID", help="only entries above this id: where an earlier export ended"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write (stdout)")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Writes the lines; says how many went to a file."""
    export = function_of(settings_from(arguments).data_dir, FUNCTION)
    limits = {"from": arguments.since, "to": arguments.until}
    event: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    if arguments.output is None:
        with writing_stdout():
            _write(sys.stdout, export, event, arguments.after)
        return EXIT_OK
    with text_file(arguments.output) as file:
        count = _write(file, export, event, arguments.after)
    say(f"{count} entries in {arguments.output}")
    return EXIT_OK


def _write(out: TextIO, export: Callable[[object], Any], event: dict[str, Any], after: int | None) -> int:
    count = 0
    while after is not None:
        part = export({**event, "after": after})
        for entry in part["entries"]:
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")
        count += len(part["entries"])
        after = part["after"]
    out.flush()
    return count
