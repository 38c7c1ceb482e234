"""The command line of `python -m infra.deploy`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from botocore.config import Config

from infra.deploy.aws import clients, physical_name
from infra.deploy.deployed import Deployed, look_at
from infra.deploy.rollout import Rollout
from infra.deploy.smoke import smoke_event
from infra.package.artefact import Artefact
from infra.package.command import DEFAULT_CACHE, build
from infra.package.target import Target
from infra.sam import Function, Sam, read_sam
from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.output import say
from local_runtime.hosting.template import TemplateProblems
from local_runtime.settings import DEFAULT_TEMPLATE

EPILOG = """\
For each function in turn: says what will change, sends the code, publishes a version, invokes that version with an event that it
can only answer or refuse, moves the alias to it, and invokes the alias. A version that fails is never served; an alias that fails
is moved back. No other function is touched, nor the layer: what changed in shared/ is deployed with the stack. A function whose
code is the same is published again when its configuration (a parameter of the stack, the layer) has changed since.

examples:
  python -m infra.deploy update_score --stack scoreboard --dry-run
  python -m infra.deploy update_score get_scores --stack scoreboard --region eu-central-1

exit codes:
  0  the alias serves the code that is here, or (--dry-run) it was said what would change
  1  it failed, or somebody else changed the function meanwhile; the alias serves what it served
  2  bad usage, or the template cannot be read
  3  the alias failed and could not be moved back: the message says how to do it by hand
"""
# A smoke test may take as long as a function.
_PATIENCE = Config(connect_timeout=5, read_timeout=910, retries={"total_max_attempts": 3})


class Clients(NamedTuple):
    """The services of AWS that are spoken to."""

    functions: Any
    stacks: Any


def connect(region: str | None) -> Clients:
    """Clients with the credentials of the environment or the profile."""
    return Clients(*clients(region, {"lambda": _PATIENCE, "cloudformation": None}))


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.deploy",
        description="Deploys the code of single functions of a stack that stands.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="functions by their directory")
    parser.add_argument("--stack", default="scoreboard", help="the CloudFormation stack (scoreboard)")
    parser.add_argument("--alias", default="live", help="the alias that everything invokes (live)")
    parser.add_argument("--region", help="the AWS region (that of the environment or the profile)")
    parser.add_argument("--smoke", type=Path, metavar="EVENT.json", help="another event for the smoke test")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    parser.add_argument("--template", type=Path, default=DEFAULT_TEMPLATE, metavar="PATH", help="the AWS SAM template")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help="where fetched libraries are kept")
    return parser


def main(argv: Sequence[str], connect: Callable[[str | None], Clients] = connect) -> int:
    """Run the command line; answers the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        sam = read_sam(arguments.template)
        functions = _named(sam, arguments.names)
        clients = connect(arguments.region)
        for function in functions:
            physical = physical_name(clients.stacks, arguments.stack, function.logical_id)
            deploy(sam, function, clients.functions, physical, arguments)
    except TemplateProblems as error:
        return _fail(str(error), EXIT_USAGE)
    except CliError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; the alias serves what it served", 130)
    return EXIT_OK


def _named(sam: Sam, names: Sequence[str]) -> list[Function]:
    functions = {function.name: function for function in sam.functions}
    if unknown := [name for name in names if name not in functions]:
        raise CliError(f"there is no {', '.join(unknown)}; there are: {', '.join(sorted(functions))}", EXIT_USAGE)
    return [functions[name] for name in dict.fromkeys(names)]


def deploy(sam: Sam, function: Function, client: Any, physical: str, arguments: argparse.Namespace) -> None:
    """Say what will change, and change it."""
    deployed = look_at(client, physical, arguments.alias)
    if deployed.runtime not in sam.runtimes:
        says = ", ".join(sam.runtimes)
        raise CliError(f"{physical} runs on {deployed.runtime}, the template says {says}: deploy the stack first")
    target = Target(deployed.runtime, deployed.architecture)
    (artefact,) = build(sam, [function.name], target, arguments.cache)
    event = _event_of(arguments.smoke) if arguments.smoke else smoke_event(sam.manifest, function)
    for line in _plan(function, deployed, artefact):
        say(line)
    if not arguments.dry_run and not deployed.serves(artefact.code_sha256):
        Rollout(client, deployed, event, lambda line: say(f"  {line}")).run(artefact)


def _plan(function: Function, deployed: Deployed, artefact: Artefact) -> list[str]:
    lines = [f"{function.name}: {deployed.name}, {deployed.runtime} on {deployed.architecture}"]
    if deployed.serves(artefact.code_sha256):
        return [*lines, f"  nothing to do: {deployed.alias} serves this code already, as version {deployed.version}"]
    if artefact.code_sha256 == deployed.version_code_sha256:
        lines.append("  code: the same; what has changed since that version was published is its configuration")
    else:
        lines.append(f"  code: {deployed.version_code_sha256} → {artefact.code_sha256}, {len(artefact.zip):,} bytes")
    if deployed.code_sha256 not in (deployed.version_code_sha256, artefact.code_sha256):
        lines.append(f"  the newest code, which {deployed.alias} does not serve, is replaced: {deployed.code_sha256}")
    return [*lines, f"  {deployed.alias}: version {deployed.version} → a new one, after a smoke test"]


def _event_of(path: Path) -> dict[str, Any]:
    try:
        event = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CliError(f"{path} cannot be read as JSON: {error}", EXIT_USAGE) from error
    if not isinstance(event, dict):
        raise CliError(f"{path} has no JSON object in it", EXIT_USAGE)
    return event


def _fail(message: str, exit_code: int) -> int:
    print(f"error: {message}", file=sys.stderr, flush=True)  # noqa: T201 - a command's output
    return exit_code
