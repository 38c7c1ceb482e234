"""A private Redis: append-only file, password, loopback, evicting only what carries a TTL."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from pathlib import Path

from local_runtime.instance.question import Question
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.certificates import write_private
from local_runtime.instance.servers.memory import Shares, own_shares
from local_runtime.instance.servers.ports import LOOPBACK, remembered_port
from local_runtime.instance.servers.unwritten import cut_unwritten
from local_runtime.instance.supervisor.process import ProcessSpec

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
TELL_SECONDS = 0.2
SYNCED = "synced"  # a key that is there for a moment


class PrivateRedis:
    """Redis under `<data_dir>/redis`; `prepare` it, then start its `specs`.

    The append-only file is written before a command is answered and synced each second: what was answered survives
    the death of the process, and all but the last second that of the machine.

    It is rewritten at 64 MB, Redis's default: one that grows larger costs less, but is loaded for longer at the next start, some
    10 MB a second. Compressing what is rewritten would take as much CPU as writing it and make it no smaller.
    """

    def __init__(self, data_dir: Path, password: str, memory: Shares | None = None) -> None:
        self._directory = data_dir / "redis"
        self._memory = memory or own_shares()
        self._password = password
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers; valid after prepare()."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Choose the port and write the configuration; idempotent."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = remembered_port(self._directory / "port")
        configuration = f"""bind {LOOPBACK}
port {self.port}
protected-mode yes
requirepass {self._password}
dir ./
daemonize no
supervised no
save ""
appendonly yes
appendfsync everysec
aof-use-rdb-preamble yes
rdbcompression no
maxmemory {self._memory.redis}mb
maxmemory-policy volatile-ttl
tcp-backlog 511
logfile ""
loglevel notice
always-show-logo no
"""
        write_private(self._directory / "redis.conf", configuration.encode())
        self._cut_log()

    def _cut_log(self) -> None:
        """Redis takes a log that ends in the middle of a command, but none that ends with zeros."""
        for log in self._directory.glob("appendonlydir/*.incr.aof"):
            if zeros := cut_unwritten(log):
                logger.warning("%s ended with %d bytes that were never written: the machine died", log, zeros)

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The one process."""
        return (
            ProcessSpec(
                name="redis",
                argv=(str(programs.REDIS.require()), str(self._directory / "redis.conf")),
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                cwd=self._directory,
                log_file=self._directory / "redis.log",
                probe=self._serves,
                answers=Question(LOOPBACK, self.port, b"PING\r\n"),
                stop_timeout_seconds=5.0,
            ),
        )

    def refuse_changes(self, refuse: bool) -> bool:
        """Have it refuse every change, as one without enough replicas does, or take them again; answers whether it heard."""
        return self._ask(TELL_SECONDS, f"CONFIG SET min-replicas-to-write {int(refuse)}") == b"+OK\r\n"

    def sync_again(self) -> bool:
        """Have it go on syncing after the clock was set back; answers whether it does.

        Redis syncs when a second has passed since it last did, by the clock on the wall. Syncing at once it notes the new time.
        """
        at_once = self._ask(TELL_SECONDS, "CONFIG SET appendfsync always", f"SET {SYNCED} 1", f"DEL {SYNCED}")
        each_second = self._ask(TELL_SECONDS, "CONFIG SET appendfsync everysec")
        return at_once + each_second == b"+OK\r\n+OK\r\n:1\r\n+OK\r\n"

    def _serves(self) -> bool:
        """PONG also means that the append-only file is loaded: until then Redis answers LOADING."""
        return self._ask(PROBE_SECONDS, "PING") == b"+PONG\r\n"

    def _ask(self, seconds: float, *commands: str) -> bytes:
        """The answers, a line each; fewer lines if it does not answer."""
        answer, lines = b"", (f"AUTH {self._password}", *commands)
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), seconds) as connection:
            connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
            while answer.count(b"\r\n") < len(lines) and (part := connection.recv(256)):
                answer += part
        return answer.removeprefix(b"+OK\r\n")


def snapshot_as_log(snapshot: Path, data_dir: Path) -> None:
    """Have a Redis that is yet to start in `data_dir` begin with what a snapshot holds; the file is taken away.

    It is the older form of an append-only file, which every version takes over.
    """
    directory = data_dir / "redis"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    snapshot.rename(directory / "appendonly.aof")
