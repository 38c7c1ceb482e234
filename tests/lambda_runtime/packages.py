"""The artefacts of `python -m infra.package`, unpacked as Lambda unpacks them: a task directory each, one layer directory."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path

from tests.support.product import ROOT

# What the managed runtime brings; everything else must be in the zips.
RUNTIME_DISTRIBUTIONS = (
    "awslambdaric",
    "simplejson",
    "snapshot-restore-py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "python-dateutil",
    "six",
    "urllib3",
)
LAYER = "layer"


class Packages:
    """Zips found in `artefacts`, unpacked below `directory` when they are asked for; nobody may write there."""

    def __init__(self, artefacts: Path, directory: Path) -> None:
        self.artefacts = artefacts
        self._directory = directory
        self.runtime = directory / "runtime"
        self._unpacked: set[str] = set()
        _link_runtime(self.runtime)
        self.layer = self.unpacked(LAYER)

    def unpacked(self, name: str) -> Path:
        """The directory with the content of `name`.zip."""
        directory = self._directory / name
        if not directory.exists():
            with zipfile.ZipFile(self.artefacts / f"{name}.zip") as archive:
                archive.extractall(directory)
            self._unpacked.add(name)
            for path in (directory, *directory.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
        return directory

    def import_path(self, name: str) -> str:
        """PYTHONPATH of a function: its task, the layer, the runtime."""
        return ":".join(map(str, (self.unpacked(name), self.layer / "python", self.runtime)))

    def written(self) -> list[str]:
        """What somebody wrote in them all the same: the superuser may, where Lambda's own account may not."""
        known: set[str] = set()
        for name in self._unpacked:
            with zipfile.ZipFile(self.artefacts / f"{name}.zip") as archive:
                known |= {f"{name}/{member}" for member in archive.namelist()}
        found = {str(path.relative_to(self._directory)) for name in self._unpacked for path in _files(self._directory / name)}
        return sorted(found - known)


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def package(directory: Path) -> Path:
    """Run `python -m infra.package` for this machine; answers where the zips are."""
    artefacts = directory / "artefacts"
    architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    command = [sys.executable, "-m", "infra.package", "--out", str(artefacts), "--arch", architecture]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return artefacts


def altered(artefacts: Path, copy: Path, name: str, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    """A copy of all zips of which one has another content; answers where it is."""
    shutil.copytree(artefacts, copy)
    with zipfile.ZipFile(artefacts / f"{name}.zip") as archive:
        content = {member: archive.read(member) for member in archive.namelist()}
    write_zip(copy / f"{name}.zip", change(content))
    return copy


def write_zip(path: Path, content: Mapping[str, bytes]) -> None:
    """A zip with these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)


def _link_runtime(directory: Path) -> None:
    """A directory with what the managed runtime brings, and nothing that merely happens to be installed here."""
    directory.mkdir(parents=True)
    for name in _top_level(RUNTIME_DISTRIBUTIONS):
        (directory / name.name).symlink_to(name)


def _top_level(distributions: Iterable[str]) -> set[Path]:
    """Where their packages and modules are installed."""
    found = set()
    for name in distributions:
        files = distribution(name).files or ()
        root = Path(str(distribution(name).locate_file("")))
        found |= {root / file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}
    return found


def interpreter() -> list[str]:
    """This Python without its site-packages, the user's or anybody's."""
    return [sys.executable, "-S", "-s"]
