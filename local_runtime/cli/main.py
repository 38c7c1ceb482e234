"""Chooses the verb, and turns every expected problem into one clear message."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from local_runtime.cli.command import command, pasteable
from local_runtime.cli.environment import complete_environment
from local_runtime.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError
from local_runtime.cli.output import drop_stdout, tell, writing_stdout
from local_runtime.instance.errors import InstanceError
from local_runtime.settings import SettingsError
from local_runtime.version import product_version

DEFAULT_VERB = "serve"
# The verb, its module in this package, and its line in the overview.
VERBS = {
    "serve": ("serve", "start the scoreboard (also without a verb)"),
    "prepare": ("prepare", "bring schema, queues and board of your own stores up to date, then exit"),
    "status": ("status", "whether a running instance can do its work"),
    "open": ("open", "show the live board in a browser"),
    "logs": ("logs", "show the logs of an instance's processes"),
    "down": ("down", "stop a running instance"),
    "routes": ("routes", "show what is hosted"),
    "invoke": ("invoke", "run one function against the running instance"),
    "events": ("events", "sample events of AWS, one of each kind"),
    "boards": ("boards", "boards beside `main`: see them, define them in a file"),
    "moderate": ("moderate", "take cheaters off the boards, and correct scores"),
    "reconcile": ("reconcile", "compare the ledger with all boards"),
    "balance": ("balance", "account for every accepted update"),
    "dead-letters": ("dead_letters", "updates that could not be recorded: see them, have them recorded"),
    "verify-audit": ("verify_audit", "compare the audit log with its seals"),
    "archive": ("archive", "old months of the ledger: see them, put them into files, read those back"),
    "export-audit": ("export_audit", "write the audit log as JSON lines"),
    "keys": ("keys", "the keys that instances on the same stores share: see them, copy them"),
    "backup": ("backup", "copy a running instance's stores and keys into a file"),
    "restore": ("restore", "make a data directory from a backup"),
    "rotate-keys": ("rotate_keys", "put new keys in use without refusing a request"),
    "create-user": ("create_user", "make an account with a role"),
    "simulate": ("simulate", "play the game against a running instance"),
    "top": ("top", "watch the board move"),
    "tail": ("tail", "watch what happens: updates, refusals, what admins do"),
    "completion": ("completion", "a script that lets a shell complete verbs and options"),
    "plan": ("plan", "estimate the resources that a load needs"),
    "doctor": ("doctor", "what is installed, what is missing, how to get it"),
}
_EPILOG = """\
`scoreboard VERB --help` shows a verb's options, examples and what its exit codes mean. For all of them:
0 is success, 1 a failure, 2 something for you to change (bad usage, no instance), 3 that what was looked for was found (by
verify-audit, reconcile and balance), 70 a function that took too long, 130 Ctrl-C in the middle. Errors go to stderr.
"""


def main(argv: Sequence[str]) -> int:
    """Run the command line; answers the exit code."""
    _open_closed_streams()
    try:
        return _run(argv)
    except CliError as error:
        return _fail(str(error), error.exit_code)
    except (InstanceError, SettingsError) as error:
        return _fail(str(error), EXIT_USAGE)
    except ValueError as error:
        from local_runtime.hosting.template import TemplateProblems

        if not isinstance(error, TemplateProblems):
            raise
        return _fail(str(error), EXIT_USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        drop_stdout()
        return EXIT_FAILED


def _run(argv: Sequence[str]) -> int:
    """What the verb has left in the buffer of stdout is written here, where a full disk can still be told of."""
    try:
        complete_environment()
        arguments = build_parser().parse_args(_with_verb(argv))
        return int(arguments.run(arguments))
    finally:
        with writing_stdout():
            pass


def _open_closed_streams() -> None:
    """Put /dev/null where the caller closed a stream: Python has None there, and the next file opened would take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - stays open until the end


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _parser(_Parser, prog=command(), description="Runs the scoreboard on this machine.")
    parser.add_argument("--version", action="version", version=f"scoreboard {product_version()}")
    parser.epilog = pasteable(_EPILOG)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, (module_name, summary) in VERBS.items():
        module = importlib.import_module(f"local_runtime.cli.{module_name}")
        description = f"{summary[0].upper()}{summary[1:]}."
        child = _parser(verbs.add_parser, name=verb, help=summary, description=description, epilog=pasteable(module.EPILOG))
        module.add_arguments(child)
        child.set_defaults(run=module.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what may have been meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """A verb itself refuses what it does not know; argparse would leave it to the overview, which has other options."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        super().error(f"{message}{self._meant(message)}")

    def _meant(self, message: str) -> str:
        if unknown := re.match(r"argument VERB: invalid choice: '([^']*)'", message):
            known, wrong = list(VERBS), unknown[1]
        elif unknown := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            known, wrong = [option for action in self._actions for option in action.option_strings], unknown[1]
        else:
            return ""
        near = get_close_matches(wrong, known, 1)
        return f"\ndid you mean `{near[0]}`?" if near and near[0] != wrong else ""


def _parser(make: Any, **options: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = make(formatter_class=_Formatter, allow_abbrev=False, **options)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=min(120, shutil.get_terminal_size().columns - 2))
        self._action_max_length = 4 + max(map(len, VERBS))  # argparse forgets that the verbs are indented

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Paragraphs are wrapped; lists of examples and exit codes, which are indented, stay as they are."""
        parts = text.rstrip().split("\n\n")
        return "\n\n".join(part if "\n  " in part else textwrap.fill(part, width) for part in parts)


def _with_verb(argv: Sequence[str]) -> list[str]:
    if not argv:
        return [DEFAULT_VERB]
    if argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version"):
        return [DEFAULT_VERB, *argv]
    return list(argv)


def _fail(message: str, exit_code: int) -> int:
    tell(f"error: {pasteable(message)}")
    return exit_code
