"""Whether a part of `make test-cluster` can run on this machine, and what its parts say."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping


class CannotRun(Exception):
    """A part cannot run on this machine; the message says what it lacks."""


def require_root(what_for: str) -> None:
    """CannotRun unless we are root."""
    if os.geteuid() != 0:
        raise CannotRun(f"{what_for}: run this as root")


def require_programs(packages: Mapping[str, str]) -> None:
    """CannotRun unless each program is there; `packages` names the package of Debian that has it."""
    missing = {program: package for program, package in packages.items() if not shutil.which(program)}
    if missing:
        raise CannotRun(f"no {', '.join(missing)} here: apt-get install {' '.join(sorted(set(missing.values())))}")


def say(*lines: str) -> None:
    """To whoever waits."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
