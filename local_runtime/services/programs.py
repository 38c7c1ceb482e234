"""Where the servers' programs are on this machine, and how to get one that is missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Which = Callable[[str], str | None]
APT, BREW = "apt-get install", "brew install"


class MissingProgram(Exception):
    """A server's program is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the places it may be in besides PATH (globs; the last match in order of version wins), its packages."""

    name: str
    globs: tuple[str, ...]
    debian_package: str
    homebrew_package: str

    def find(self, which: Which = shutil.which, root: Path = Path("/")) -> Path | None:
        """The program's path; private directories come before PATH, where Debian keeps wrappers that switch users."""
        for pattern in self.globs:
            matches = sorted(root.glob(pattern.lstrip("/")), key=_version_key)
            if matches:
                return matches[-1]
        found = which(self.name)
        return Path(found) if found else None

    def require(self, which: Which = shutil.which, root: Path = Path("/")) -> Path:
        """The program's path; raises MissingProgram."""
        path = self.find(which, root)
        if path is None:
            raise MissingProgram(f"{self.name} is not installed: run `make setup`, or `{self.install_command()}`")
        return path

    def install_command(self) -> str:
        """What installs it on this kind of machine."""
        if sys.platform == "darwin":
            return f"{BREW} {self.homebrew_package}"
        return f"{APT} {self.debian_package}"


def _version_key(path: Path) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in str(path)).split()]


REDIS = Program("redis-server", (), "redis-server", "redis")
RABBITMQ = Program(
    "rabbitmq-server",
    (
        "/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server",
        "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
        "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
    ),
    "rabbitmq-server",
    "rabbitmq",
)
EPMD = Program("epmd", ("/usr/lib/erlang/erts-*/bin/epmd",), "rabbitmq-server", "rabbitmq")
_POSTGRES_GLOBS = (
    "/usr/lib/postgresql/*/bin/{0}",
    "/opt/homebrew/opt/postgresql@*/bin/{0}",
    "/usr/local/opt/postgresql@*/bin/{0}",
)
POSTGRES = Program("postgres", tuple(p.format("postgres") for p in _POSTGRES_GLOBS), "postgresql", "postgresql@16")
INITDB = Program("initdb", tuple(p.format("initdb") for p in _POSTGRES_GLOBS), "postgresql", "postgresql@16")
SERVERS = (REDIS, RABBITMQ, EPMD, POSTGRES, INITDB)
