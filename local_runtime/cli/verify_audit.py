"""`verify-audit`: whether anybody changed the audit log."""

from __future__ import annotations

import argparse
from typing import Any

from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.options import add_options, count, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import function_of

FUNCTION = "verify_audit"
EXIT_CHANGED = 3
EPILOG = """\
Every row, up to those of the last two minutes, is under a seal that is signed with a key the database does not have, and every
seal holds the hash of the one before. Found are edited, removed and added rows, changed, forged and missing seals. The newest
seal is remembered in Redis; who notes the line `head` down can hold the chain against that, too, however Redis fared since.

examples:
  scoreboard verify-audit
  scoreboard verify-audit --head 1234:0f3c5d...

exit codes:
  0  the audit log is what it was
  1  it failed
  2  bad usage, or no instance is running
  3  it was changed; each line says where
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where, and what must be in it."""
    parser.add_argument("--from-seal", type=count, default=1, metavar="N", help="trust what came before this seal (1)")
    parser.add_argument("--head", metavar="N:HASH", help="a seal noted down earlier, which must still be there unchanged")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints each finding, and what was looked at."""
    verify = function_of(settings_from(arguments).data_dir, FUNCTION)
    event = {"fromSeal": arguments.from_seal} | ({"head": arguments.head} if arguments.head else {})
    seals = rows = found = 0
    detached: dict[str, dict[str, Any]] = {}
    while True:
        report: dict[str, Any] = verify(event)
        seals, rows, found = seals + report["seals"], rows + report["rows"], found + report["found"]
        for one in report["findings"]:
            say(f"seal {one['seal']} (rows {one['firstId']} to {one['lastId']}): {one['problem']}")
        for part in report["detached"]:
            detached[part["part"]] = {**part, "firstSeal": detached.get(part["part"], part)["firstSeal"]}
        if report["next"] is None:
            break
        event["fromSeal"] = report["next"]
    say(f"seals: {seals}")
    say(f"rows: {rows}, and {report['unsealedRows']} not sealed yet")
    for part in detached.values():
        say(
            f"seals {part['firstSeal']} to {part['lastSeal']}: {part['rows']} rows are in the detached part {part['part']}"
            f" (audit_log-{part['part']}.jsonl.gz, lines {part['digest']}): `scoreboard archive verify` reads them"
        )
    if report["head"]:
        say(f"head: {report['head']['seq']}:{report['head']['hash']}")
    if not report["remembered"]:
        say("Redis does not remember the newest seal: whether the last ones were removed cannot be told without --head")
    say(f"{found} found" if found else "the audit log is intact")
    return EXIT_CHANGED if found else EXIT_OK
