"""What is installed, what is missing and how to get it."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from local_runtime.services.postgresql import ACCOUNT
from local_runtime.services.programs import POSTGRES, SERVERS, Program

MINIMUM_PYTHON = (3, 11)
Find = Callable[[Program], Path | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` says what to do when it is not `ok`."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def report(
    data_dir: Path, find: Find = Program.find, python: Sequence[int] = sys.version_info[:3], *, root: bool | None = None
) -> list[Finding]:
    """Look at everything the instance needs; `root` says whether it would run as root, None asks the system."""
    version = ".".join(map(str, python[:3]))
    findings = [
        Finding("python", tuple(python[:2]) >= MINIMUM_PYTHON, f"{version} at {sys.executable}", "install Python 3.11 or newer")
    ]
    for program in SERVERS:
        path = find(program)
        if path is None:
            findings.append(Finding(program.name, False, "missing", f"make setup, or: {program.install_command()}"))
        else:
            findings.append(Finding(program.name, True, f"{program.version(path)} at {path}".lstrip()))
    if os.geteuid() == 0 if root is None else root:
        findings.append(_account())
    findings.append(_data_directory(data_dir))
    return findings


def doctor(out: TextIO, data_dir: Path, find: Find = Program.find) -> int:
    """Print the report; 0 when nothing is missing, else 1."""
    findings = report(data_dir, find)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        out.write(f"{'ok  ' if finding.ok else 'MISS'}  {finding.name:<{width}}  {finding.found}\n")
        if not finding.ok:
            out.write(f"      {'':<{width}}  to get it: {finding.remedy}\n")
    missing = sum(not finding.ok for finding in findings)
    out.write("everything is there\n" if not missing else f"{missing} missing\n")
    return 1 if missing else 0


def _account() -> Finding:
    name = f"account {ACCOUNT}"
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return Finding(name, False, "missing", f"{POSTGRES.install_command()} (PostgreSQL does not run as root)")
    return Finding(name, True, f"uid {entry.pw_uid}; PostgreSQL does not run as root")


def _data_directory(data_dir: Path) -> Finding:
    place = data_dir.absolute()
    while not place.exists():
        place = place.parent
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return Finding("data directory", writable, str(data_dir), f"make {place} writable, or choose another with --data-dir")
