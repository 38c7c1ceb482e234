"""What is installed, what is missing and how to get it; and of a running instance, what works."""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from local_runtime.instance.certificate import invalid_dates
from local_runtime.instance.descriptors import REMEDY, allow_least, allowed
from local_runtime.instance.directory import MEMORY
from local_runtime.instance.readiness import NoReadiness, readiness
from local_runtime.instance.servers.memory import available_megabytes, shares_of
from local_runtime.instance.servers.postgresql import ACCOUNT, shared_memory_type
from local_runtime.instance.servers.programs import POSTGRES, SERVERS, Program
from local_runtime.instance.servers.room import MEGABYTE, free_bytes, low_bytes
from local_runtime.settings import LEAST_MEMORY_MB, PRIVATE_SERVERS

MINIMUM_PYTHON = (3, 11)
PATIENCE_SECONDS = 5.0
LEAST_SHARED_BYTES = 8 * MEGABYTE  # PostgreSQL takes 1.2 MB when it starts, and some more for a query of several processes
_CAPABILITIES = {
    "acceptUpdates": "accept updates",
    "record": "record",
    "broadcast": "broadcast",
    "logIn": "log in",
    "read": "read",
}
_RUNBOOK = "infra/monitoring/RUNBOOK.md"
Find = Callable[[Program], Path | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` says what to do when it is not `ok`, `is_there` that it is broken and not missing."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    is_there: bool = False


@dataclass(frozen=True, slots=True)
class PrivateMemory:
    """MB that private servers reckon with, and whether Redis and PostgreSQL are among them."""

    megabytes: int
    has_redis: bool
    has_postgresql: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether they can work with it."""
        return self.megabytes >= LEAST_MEMORY_MB


def report(
    data_dir: Path,
    find: Find = Program.find,
    python: Sequence[int] = sys.version_info[:3],
    *,
    root: bool | None = None,
    memory: PrivateMemory | None = None,
    certificate: Path | None = None,
) -> list[Finding]:
    """Look at everything the instance needs; `root` says whether it would run as root, None asks the system.

    `certificate` is the one that is served, or would be.
    """
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
    findings += [_data_directory(data_dir), _disk(data_dir), _descriptors()]
    if memory is not None:
        findings.append(_memory(memory))
        if memory.has_postgresql and (shared := _shared_memory(data_dir)) is not None:
            findings.append(shared)
    if certificate is not None:
        findings.append(_certificate(certificate))
    return findings


def private_memory(environment: Mapping[str, str], wanted_mb: int, runtime: Mapping[str, Any] | None) -> PrivateMemory | None:
    """Of the instance that runs, else of one that is started like this process; None where all servers are somebody else's."""
    if runtime is None:
        private = {name for name, url in PRIVATE_SERVERS.items() if not environment.get(url)}
        available = available_megabytes()
    else:
        private = PRIVATE_SERVERS.keys() & runtime["processes"].keys()
        wanted_mb = int(runtime["function_env"].get("SCOREBOARD_MEMORY_MB") or 0)
        available = available_megabytes(own=Path(f"/proc/{runtime['pid']}/cgroup"))
    return PrivateMemory(wanted_mb or available, "redis" in private, "postgresql" in private) if private else None


def served_certificate(given: Path | None, runtime: Mapping[str, Any] | None) -> Path | None:
    """Of the instance that runs, else `given`; None without TLS, and where an instance would make its own."""
    if runtime is None:
        return given
    path = runtime["function_env"].get("SCOREBOARD_TLS_CERT")
    return Path(path) if path else None


def what_works(runtime: Mapping[str, Any]) -> list[Finding]:
    """What /readyz of a running instance says; `runtime` is its runtime.json."""
    try:
        _, document = readiness(runtime, PATIENCE_SECONDS)
    except NoReadiness as error:
        return [Finding("instance", False, str(error), f"{_RUNBOOK}, ScrapeDown", is_there=True)]
    findings = []
    for name, label in _CAPABILITIES.items():
        told = document["capabilities"][name]
        alert = "UpdatesRefused" if name == "acceptUpdates" else "CapabilityLost"
        findings.append(Finding(label, told["ok"], told.get("reason", "works"), f"see {_RUNBOOK}, {alert}", is_there=True))
    return findings


def doctor(
    out: TextIO,
    data_dir: Path,
    find: Find = Program.find,
    runtime: Mapping[str, Any] | None = None,
    *,
    memory: PrivateMemory | None = None,
    certificate: Path | None = None,
) -> int:
    """Print the report, with what works where an instance runs; 0 when nothing is missing or broken, else 1."""
    findings = report(data_dir, find, memory=memory, certificate=certificate) + (what_works(runtime) if runtime else [])
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        state = "ok  " if finding.ok else "FAIL" if finding.is_there else "MISS"
        out.write(f"{state}  {finding.name:<{width}}  {finding.found}\n")
        if not finding.ok:
            out.write(f"      {'':<{width}}  {'' if finding.is_there else 'to get it: '}{finding.remedy}\n")
    missing = sum(not finding.ok and not finding.is_there for finding in findings)
    broken = sum(not finding.ok and finding.is_there for finding in findings)
    counts = [f"{missing} missing"] * bool(missing) + [f"{broken} not working"] * bool(broken)
    out.write(f"{', '.join(counts) or 'everything is there'}{' and works' if runtime and not counts else ''}\n")
    return 1 if counts else 0


def _account() -> Finding:
    name = f"account {ACCOUNT}"
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return Finding(name, False, "missing", f"{POSTGRES.install_command()} (PostgreSQL does not run as root)")
    return Finding(name, True, f"uid {entry.pw_uid}; PostgreSQL does not run as root")


def _descriptors() -> Finding:
    is_enough = allow_least()
    return Finding("open files", is_enough, f"{allowed()} allowed", REMEDY, is_there=True)


def _disk(data_dir: Path) -> Finding:
    place = _existing(data_dir)
    free, low = free_bytes(place), low_bytes(place)
    remedy = f"make room on the disk of {place}: below {low // MEGABYTE} MB no update is accepted"
    return Finding("disk", free > 2 * low, f"{free // MEGABYTE} MB free at {place}", remedy, is_there=True)


def _memory(memory: PrivateMemory) -> Finding:
    found = f"{memory.megabytes} MB to reckon with"
    if memory.has_redis:
        found += f"; the private Redis is full at {shares_of(memory.megabytes).redis} MB"
    return Finding("memory", memory.is_enough, found, f"give it {LEAST_MEMORY_MB} MB or more", is_there=True)


def _shared_memory(data_dir: Path) -> Finding | None:
    """Where PostgreSQL's processes share memory, on Linux; None where it does so in another way."""
    kind = shared_memory_type(data_dir)
    is_writable = _is_writable_for_postgresql(MEMORY)
    if sys.platform != "linux" or kind not in ("posix", "") or (not kind and not is_writable):  # a new one finds another way then
        return None
    if not is_writable:
        remedy = f"make {MEMORY} a tmpfs that every account may write to (in a container: docker run --shm-size 256m)"
        return Finding("shared memory", False, f"PostgreSQL cannot write to {MEMORY}", remedy, is_there=True)
    free = free_bytes(MEMORY)
    remedy = f"make room in {MEMORY}, or give it 64 MB or more (in a container: docker run --shm-size 256m)"
    return Finding("shared memory", free >= LEAST_SHARED_BYTES, f"{free // MEGABYTE} MB free at {MEMORY}", remedy, is_there=True)


def _is_writable_for_postgresql(place: Path) -> bool:
    """Where root runs the instance, PostgreSQL has an account of its own, for which everybody's rights count."""
    is_open = os.geteuid() != 0 or (place.is_dir() and bool(place.stat().st_mode & stat.S_IWOTH))
    return is_open and os.access(place, os.W_OK | os.X_OK)


def _certificate(certificate: Path) -> Finding:
    try:
        certificate.open("rb").close()
    except OSError as error:
        return Finding("certificate", False, f"{certificate} cannot be read: {error.strerror}", "see --tls-cert", is_there=True)
    dates = invalid_dates(certificate)
    return Finding("certificate", not dates, dates or str(certificate), "renew it: clients refuse it", is_there=True)


def _existing(data_dir: Path) -> Path:
    place = data_dir.absolute()
    while not os.path.exists(place):  # noqa: PTH110 - Path.exists() raises where nothing may be looked at
        place = place.parent
    return place


def _data_directory(data_dir: Path) -> Finding:
    place = _existing(data_dir)
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return Finding("data directory", writable, str(data_dir), f"make {place} writable, or choose another with --data-dir")
