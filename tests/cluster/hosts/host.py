"""A host: an address, a directory, and servers that run there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.hosts.network import Port
from tests.cluster.namespaces import command_in, kill_all
from tests.support.product import clean_environment

KILLED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """How a program is started; `user` is an account of this machine, where it does not run as root."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


class Host:
    """`name` is h1, h2 or h3."""

    def __init__(self, name: str, port: Port, place: Path) -> None:
        self.name, self.port, self.address, self.place = name, port, port.address, place / name
        self.place.mkdir(mode=0o755)
        self.enter = command_in(port.namespace)
        self._servers: dict[str, Server] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def add(self, server: Server) -> None:
        """Start it, now and whenever the host is started again."""
        self._servers[server.name] = server
        self.start(server.name)

    def start(self, name: str) -> None:
        """Start a server; what it prints is in `<place>/<name>.log`."""
        server = self._servers[name]
        with (self.place / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*self.enter, *_as(server.user), *server.command],
                env={**clean_environment(), **server.environment},
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_all(self) -> None:
        """As when the machine is switched on."""
        for name in self._servers:
            self.start(name)

    def kill(self, name: str) -> None:
        """SIGKILL to one of its servers."""
        self._running[name].kill()
        self._running.pop(name).wait(KILLED_SECONDS)

    def kill_all(self) -> None:
        """SIGKILL to everything that runs there, the product too."""
        kill_all(self.port.namespace)
        for process in self._running.values():
            process.wait(KILLED_SECONDS)
        self._running.clear()

    def directory(self, name: str, owner: str | None = None) -> Path:
        """Below the host's place."""
        path = self.place / name
        path.mkdir(mode=0o700)
        if owner:
            _give(path, owner)
        return path

    def write(self, path: str, text: str, owner: str | None = None) -> Path:
        """A file below the host's place, for its owner alone."""
        file = self.place / path
        file.write_text(text)
        file.chmod(0o600)
        if owner:
            _give(file, owner)
        return file


def _as(user: str | None) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()


def _give(path: Path, owner: str) -> None:
    import pwd

    account = pwd.getpwnam(owner)
    os.chown(path, account.pw_uid, account.pw_gid)
