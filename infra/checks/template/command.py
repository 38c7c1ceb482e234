"""What is wrong with a template: what the local runtime or SAM refuses, what breaks a rule, what cfn-lint finds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs

from infra.checks.template import names, rules
from infra.checks.template.stack import Stack
from infra.checks.template.translation import REGION, NotTranslatable, translate
from infra.sam import Sam, read_sam
from local_runtime.hosting.template import TemplateProblems
from local_runtime.settings import DEFAULT_TEMPLATE

STORES = DEFAULT_TEMPLATE.parent / "stores.yaml"
RULES = (*rules.RULES, *names.RULES)


def problems_of(path: Path) -> list[str]:
    """All problems, in the order in which they can be found: a template that is refused is not looked at further."""
    try:
        sam = read_sam(path)
        _ = sam.manifest
        translated = translate(sam)
    except TemplateProblems as error:
        return [str(problem) for problem in error.problems]
    except NotTranslatable as error:
        return error.problems
    return [*broken_rules(translated, sam), *lint_findings(json.dumps(translated, indent=1))]


def broken_rules(translated: dict[str, Any], sam: Sam) -> list[str]:
    """What the rules of this directory find."""
    stack = Stack(translated)
    return [problem for rule in RULES for problem in rule(stack, sam)]


def lint_findings(text: str) -> list[str]:
    """What cfn-lint finds in CloudFormation's own form; of SAM's it would see a quarter."""
    found = lint(text, config=ManualArgs(regions=[REGION]))
    return [f"{'/'.join(map(str, each.path or ()))}: {each.rule.id} {each.message}" for each in found]


def main(argv: Sequence[str]) -> int:
    """Print the problems; 1 when there are any."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.checks.template", description="Finds what is wrong with the templates, without an account."
    )
    parser.add_argument("template", nargs="?", type=Path, default=DEFAULT_TEMPLATE, help="the AWS SAM template")
    parser.add_argument("--stores", type=Path, default=STORES, help="the CloudFormation template of the stores")
    arguments = parser.parse_args(argv)
    found = [*problems_of(arguments.template), *lint_findings(arguments.stores.read_text(encoding="utf-8"))]
    for problem in found:
        print(problem, file=sys.stderr)  # noqa: T201 - a command's output
    return 1 if found else 0
