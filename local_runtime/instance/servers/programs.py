"""Where the servers' programs are on this machine, and how to get one that is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_runtime.instance.servers.errors import ServerError

Which = Callable[[str], str | None]
APT, BREW = "apt-get install --no-install-recommends", "brew install"
VERSION_SECONDS = 10.0


class MissingProgram(ServerError):
    """A server's program is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the places it may be in besides PATH (globs; the last match in order of version wins), its packages."""

    name: str
    globs: tuple[str, ...]
    debian_package: str
    homebrew_package: str
    tells_version: bool = True  # with --version, and does nothing else then

    def find(self, which: Which = shutil.which, root: Path = Path("/")) -> Path | None:
        """The program's path; private directories come before PATH, where Debian keeps wrappers that switch users."""
        for pattern in self.globs:
            matches = sorted(root.glob(pattern.lstrip("/")), key=_version_key)
            if matches:
                return matches[-1]
        found = which(self.name)
        return Path(found) if found else None

    def find_major(self, major: str) -> Path | None:
        """Of one major version, where several are installed side by side."""
        places = [path for pattern in self.globs for path in Path("/").glob(pattern.lstrip("/"))]
        return next((path for path in places if re.search(rf"[@/]{re.escape(major)}/bin/", str(path))), None)

    def require(self, which: Which = shutil.which, root: Path = Path("/")) -> Path:
        """The program's path; raises MissingProgram."""
        path = self.find(which, root)
        if path is None:
            raise MissingProgram(f"{self.name} is not installed: run `make setup`, or `{self.install_command()}`")
        return path

    def version(self, path: Path) -> str:
        """Of the one at this path; empty when it cannot be told."""
        if not self.tells_version:
            return next((part.rpartition("-")[2] for part in path.parts if part.startswith(("rabbitmq_server-", "erts-"))), "")
        words = self._told(path).replace("v=", "").split()
        return next((word for word in words if word[0].isdigit()), "")

    def brand(self, path: Path) -> str:
        """What the one at this path calls itself: `redis-server` may be Redis or Valkey, which do not read each other's data."""
        return next(iter(self._told(path).split()), self.name)

    def _told(self, path: Path) -> str:
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout

    def install_command(self, which: Which = shutil.which) -> str:
        """What installs it on this kind of machine."""
        if sys.platform == "darwin":
            return f"{BREW} {self.homebrew_package}"
        if which("apt-get") is None:
            return f"this system's package manager, for what Debian calls {self.debian_package}"
        return f"{'' if os.geteuid() == 0 else 'sudo '}{APT} {self.debian_package}"


def _version_key(path: Path) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in str(path)).split()]


_HOMEBREW = ("/opt/homebrew/opt", "/usr/local/opt")
REDIS = Program("redis-server", tuple(f"{opt}/redis/bin/redis-server" for opt in _HOMEBREW), "redis-server", "redis")
RABBITMQ = Program(
    "rabbitmq-server",
    (
        "/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server",
        *(f"{opt}/rabbitmq/sbin/rabbitmq-server" for opt in _HOMEBREW),
    ),
    "rabbitmq-server",
    "rabbitmq",
    tells_version=False,
)
EPMD = Program(
    "epmd",
    (
        "/usr/lib/erlang/erts-*/bin/epmd",
        "/usr/lib64/erlang/erts-*/bin/epmd",
        *(f"{opt}/erlang/lib/erlang/erts-*/bin/epmd" for opt in _HOMEBREW),
    ),
    "rabbitmq-server",
    "rabbitmq",
    tells_version=False,
)
_POSTGRES_GLOBS = ("/usr/lib/postgresql/*/bin/{0}", *(f"{opt}/postgresql@*/bin/{{0}}" for opt in _HOMEBREW))
POSTGRES = Program("postgres", tuple(p.format("postgres") for p in _POSTGRES_GLOBS), "postgresql", "postgresql@16")
INITDB = Program("initdb", tuple(p.format("initdb") for p in _POSTGRES_GLOBS), "postgresql", "postgresql@16")
PG_DUMP = Program("pg_dump", tuple(p.format("pg_dump") for p in _POSTGRES_GLOBS), "postgresql", "postgresql@16")
PG_RESTORE = Program("pg_restore", tuple(p.format("pg_restore") for p in _POSTGRES_GLOBS), "postgresql", "postgresql@16")
SERVERS = (REDIS, RABBITMQ, EPMD, POSTGRES, INITDB)
