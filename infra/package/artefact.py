"""An artefact: the files of a zip, checked against the target, written so that the same files give the same bytes."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from infra.package.elf import NotElf, read_shared_object
from infra.package.target import Target
from local_runtime.cli.errors import CliError

MAX_ZIP_BYTES = 50 * 1024**2
MAX_UNZIPPED_BYTES = 250 * 1024**2
# What the runtime's operating system has of the libraries that a shared object may ask for.
SYSTEM_LIBRARIES = frozenset(
    f"{name}.so.{version}"
    for name, version in (("libc", 6), ("libm", 6), ("libpthread", 0), ("libdl", 2), ("librt", 1), ("libgcc_s", 1))
) | {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


@dataclass(frozen=True)
class Artefact:
    """A zip to be. `files` are its contents by path."""

    name: str
    files: dict[str, bytes]

    @property
    def unzipped_bytes(self) -> int:
        return sum(map(len, self.files.values()))

    @cached_property
    def zip(self) -> bytes:
        """The archive: files in the order of their names, all of one time, with the modes that Lambda needs."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in sorted(self.files):
                entry = zipfile.ZipInfo(path, _EARLIEST)
                entry.create_system, entry.compress_type = _UNIX, zipfile.ZIP_DEFLATED
                entry.external_attr = (0o100755 if is_shared_object(path) else 0o100644) << 16
                archive.writestr(entry, self.files[path])
        return buffer.getvalue()

    @property
    def sha256(self) -> str:
        """In hexadecimal, as sha256sum prints it."""
        return hashlib.sha256(self.zip).hexdigest()

    @property
    def code_sha256(self) -> str:
        """In base64, as Lambda shows it."""
        return base64.b64encode(hashlib.sha256(self.zip).digest()).decode()

    def problems(self, target: Target) -> list[str]:
        """Everything for which Lambda would refuse the artefact, or fail to load it."""
        found = [f"{self.name}: {path} {problem}" for path in sorted(self.files) for problem in self._native(path, target)]
        if len(self.zip) > MAX_ZIP_BYTES:
            found.append(f"{self.name}: the zip has {len(self.zip):,} bytes, and Lambda takes {MAX_ZIP_BYTES:,}")
        if self.unzipped_bytes > MAX_UNZIPPED_BYTES:
            found.append(f"{self.name}: unzipped it has {self.unzipped_bytes:,} bytes, and Lambda takes {MAX_UNZIPPED_BYTES:,}")
        return found

    def _native(self, path: str, target: Target) -> list[str]:
        if not is_shared_object(path):
            return []
        try:
            found = read_shared_object(self.files[path])
        except NotElf as error:
            return [f"is no shared object: {error}"]
        shipped = {Path(each).name for each in self.files}
        problems = [f"needs {each}, which is not there" for each in found.needed if each not in SYSTEM_LIBRARIES | shipped]
        if found.machine != target.elf_machine:
            problems.append(f"is for another machine (ELF {found.machine}), not for {target.architecture}")
        if found.glibc > target.glibc:
            needed, there = (".".join(map(str, version)) for version in (found.glibc, target.glibc))
            problems.append(f"needs glibc {needed}, and {target.runtime} has {there}")
        return problems

    def write(self, directory: Path) -> Path:
        """Write the zip; CliError when the directory cannot be written to."""
        path = directory / f"{self.name}.zip"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.zip)
        except OSError as error:
            raise CliError(f"{path} cannot be written: {error.strerror}") from error
        return path


def is_shared_object(path: str) -> bool:
    """Whether the name is a shared object's: `x.so`, `libx.so.1`."""
    return ".so" in Path(path).suffixes
