"""Chooses the verb, and turns every expected problem into one clear message."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from local_runtime.cli.errors import EXIT_USAGE, CliError
from local_runtime.cli.output import tell
from local_runtime.instance.errors import InstanceError
from local_runtime.settings import SettingsError
from local_runtime.version import product_version

DEFAULT_VERB = "serve"
# The verb, its module in this package, and its line in the overview.
VERBS = {
    "serve": ("serve", "start the scoreboard (also without a verb)"),
    "down": ("down", "stop a running instance"),
    "routes": ("routes", "show what is hosted"),
    "invoke": ("invoke", "run one function against the running instance"),
    "reconcile": ("reconcile", "hold the ledger against the leaderboard"),
    "balance": ("balance", "account for every accepted update"),
    "dead-letters": ("dead_letters", "updates that could not be recorded: see them, have them recorded"),
    "verify-audit": ("verify_audit", "hold the audit log against its seals"),
    "export-audit": ("export_audit", "write the audit log as JSON lines"),
    "keys": ("keys", "the keys that instances on the same stores share: see them, copy them"),
    "backup": ("backup", "copy a running instance's stores and keys into a file"),
    "restore": ("restore", "make a data directory of a backup"),
    "rotate-keys": ("rotate_keys", "put new keys in use without refusing a request"),
    "create-user": ("create_user", "make an account with a role"),
    "simulate": ("simulate", "play the game against a running instance"),
    "top": ("top", "watch the board move"),
    "tail": ("tail", "watch what happens: updates, refusals, what admins do"),
    "doctor": ("doctor", "what is installed, what is missing, how to get it"),
}
_EPILOG = """\
`python -m local_runtime VERB --help` shows a verb's options, examples and what its exit codes mean. For all of them:
0 is success, 1 a failure, 2 something for you to change (bad usage, no instance), 3 that what was looked for was found (by
verify-audit, reconcile and balance), 70 a function that took too long, 130 Ctrl-C in the middle. Errors go to stderr.
"""


def main(argv: Sequence[str]) -> int:
    """Run the command line; answers the exit code."""
    arguments = build_parser().parse_args(_with_verb(argv))
    try:
        return int(arguments.run(arguments))
    except CliError as error:
        return _fail(str(error), error.exit_code)
    except (InstanceError, SettingsError) as error:
        return _fail(str(error), EXIT_USAGE)
    except ValueError as error:
        from local_runtime.template import TemplateProblems

        if not isinstance(error, TemplateProblems):
            raise
        return _fail(str(error), EXIT_USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain about it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _parser(argparse.ArgumentParser, prog="python -m local_runtime", description="Runs the scoreboard on this machine.")
    parser.add_argument("--version", action="version", version=f"scoreboard {product_version()}")
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, (module_name, summary) in VERBS.items():
        module = importlib.import_module(f"local_runtime.cli.{module_name}")
        description = f"{summary[0].upper()}{summary[1:]}."
        child = _parser(verbs.add_parser, name=verb, help=summary, description=description, epilog=module.EPILOG)
        module.add_arguments(child)
        child.set_defaults(run=module.run)
    return parser


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
    tell(f"error: {message}")
    return exit_code
