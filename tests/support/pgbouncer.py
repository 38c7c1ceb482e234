"""PgBouncer in front of a PostgreSQL of the tests, as an operator would run it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from signal import SIGTERM
from urllib.parse import unquote, urlsplit

from local_runtime.instance.servers.ports import free_port
from local_runtime.instance.supervisor.process import ProcessSpec

ACCOUNT = "postgres"  # it does not run as root, either


class PgBouncer:
    """Start it with local_runtime.instance.servers.run.running. `options` are lines of its configuration.

    Debian's 1.18 is the version that knows no prepared statements in transaction mode.
    """

    def __init__(self, directory: Path, *database_urls: str, pool_mode: str = "transaction", options: str = "") -> None:
        self._directory = directory
        self._servers = [urlsplit(url) for url in database_urls]
        self._pool_mode = pool_mode
        self._options = options
        self._account = ACCOUNT if os.geteuid() == 0 else None
        self.port = free_port()

    def through(self, database_url: str) -> str:
        """The same database and role by way of it."""
        server = urlsplit(database_url)
        return server._replace(netloc=f"{server.username}:{server.password}@127.0.0.1:{self.port}").geturl()

    def prepare(self) -> None:
        """Write its files."""
        self._directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        [(host, port)] = {(server.hostname, server.port) for server in self._servers}
        users = "".join(f'"{unquote(server.username or "")}" "{unquote(server.password or "")}"\n' for server in self._servers)
        (self._directory / "users.txt").write_text(users)
        (self._directory / "pgbouncer.ini").write_text(
            f"""[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self._directory / "users.txt"}
pool_mode = {self._pool_mode}
max_client_conn = 500
server_login_retry = 1
{self._options}
"""
        )
        if self._account:
            for path in (self._directory, *self._directory.iterdir()):
                shutil.chown(path, self._account, self._account)

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The one process."""
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/opt/homebrew/bin")
        assert program, "pgbouncer is not installed: infra/setup.sh --for-tests installs it"
        return (
            ProcessSpec(
                name="pgbouncer",
                argv=(program, str(self._directory / "pgbouncer.ini")),
                env={"PATH": os.defpath},
                probe=self._listens,
                user=self._account,
                log_file=self._directory / "pgbouncer.log",
                stop_signal=SIGTERM,
            ),
        )

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True
