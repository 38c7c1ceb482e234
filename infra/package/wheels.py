"""The libraries of a requirements file as wheels for the target, checked against its hashes and kept for the next time."""

from __future__ import annotations

import contextlib
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from infra.package.target import Target
from local_runtime.cli.errors import CliError

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_LINES_OF_A_FAILURE = 15


def fetch_wheels(requirements: Path, target: Target, cache: Path) -> list[Path]:
    """The wheels, in the order of their names. pip is asked once for each set of requirements and target."""
    text = requirements.read_text(encoding="utf-8")
    key = hashlib.sha256(f"{target}\n{text}".encode()).hexdigest()[:16]
    directory = cache / f"{target.runtime}-{target.architecture}-{key}"
    if not directory.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as name:
            _download(requirements, target, Path(name))
            # Whole or not at all; where somebody else was faster, theirs are as good.
            with contextlib.suppress(OSError):
                Path(name).rename(directory)
    wheels = sorted(directory.glob("*.whl"))
    _check(wheels, set(_HASH.findall(text)))
    return wheels


def _download(requirements: Path, target: Target, directory: Path) -> None:
    platforms = [option for platform in target.wheel_platforms for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--implementation", "cp", "--python-version", target.python_version]
    done = subprocess.run(  # noqa: S603 - pip, with arguments of our own
        [*command, *platforms, "--requirement", str(requirements), "--dest", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = "\n  ".join(done.stderr.strip().splitlines()[-_LINES_OF_A_FAILURE:])
        raise CliError(f"pip could not fetch {requirements.name} for {target.runtime} on {target.architecture}:\n  {reason}")


def _check(wheels: list[Path], hashes: set[str]) -> None:
    changed = [wheel for wheel in wheels if hashlib.sha256(wheel.read_bytes()).hexdigest() not in hashes]
    if changed:
        raise CliError(f"{changed[0]} is not what was fetched: remove {changed[0].parent} and try again")


def unpack_wheel(wheel: Path) -> dict[str, bytes]:
    """What of a wheel stands on the import path, by path."""
    with zipfile.ZipFile(wheel) as archive:
        return {place: archive.read(name) for name in archive.namelist() if (place := _place(name))}


def _place(name: str) -> str | None:
    """Where a file of a wheel is installed on the import path; scripts, headers and the list of files are not."""
    if name.endswith(("/", ".dist-info/RECORD")):
        return None
    head, _, rest = name.partition("/")
    if not head.endswith(".data"):
        return name
    scheme, _, inside = rest.partition("/")
    return inside if scheme in ("purelib", "platlib") else None
