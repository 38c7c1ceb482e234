"""What the artefacts must run on: a Python minor version, a machine, a C library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass

from local_runtime.cli.errors import CliError

# The C library of the operating system under each runtime: Amazon Linux 2, then Amazon Linux 2023.
GLIBC_MINOR = {"python3.11": 26, "python3.12": 34, "python3.13": 34, "python3.14": 34}
# What wheels and ELF headers call the machine.
MACHINES = {"arm64": ("aarch64", 183), "x86_64": ("x86_64", 62)}
_OLDEST_GLIBC_OF_WHEELS = 17


@dataclass(frozen=True, slots=True)
class Target:
    """A runtime (python3.11) on an architecture (arm64)."""

    runtime: str
    architecture: str

    def __post_init__(self) -> None:
        if self.runtime not in GLIBC_MINOR:
            raise CliError(f"the runtime {self.runtime} is not known; known are: {', '.join(GLIBC_MINOR)}")

    @property
    def python_version(self) -> str:
        """The minor version, e.g. 3.11."""
        return self.runtime.removeprefix("python")

    @property
    def glibc(self) -> tuple[int, int]:
        """The version of the C library."""
        return 2, GLIBC_MINOR[self.runtime]

    @property
    def elf_machine(self) -> int:
        """The machine in an ELF header."""
        return MACHINES[self.architecture][1]

    @property
    def wheel_platforms(self) -> tuple[str, ...]:
        """The platform tags of wheels that run there; each must be named, for none implies the older ones."""
        machine = MACHINES[self.architecture][0]
        minors = range(self.glibc[1], _OLDEST_GLIBC_OF_WHEELS - 1, -1)
        return (*(f"manylinux_2_{minor}_{machine}" for minor in minors), f"manylinux2014_{machine}")

    @property
    def interpreter(self) -> str:
        """A Python of exactly that minor version on this machine: byte-code of another one is of no use there."""
        if sys.version_info[:2] == tuple(map(int, self.python_version.split("."))):
            return sys.executable
        found = shutil.which(self.runtime)
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:  # noqa: S603
            return found
        raise CliError(f"byte-code for {self.runtime} needs that interpreter, and there is no {self.runtime} here: install it")
