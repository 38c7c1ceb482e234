"""The product as a user runs it: a child process with its own servers, spoken to over its sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import pg8000.native
import redis

from local_runtime.instance.servers.postgresql import SUPERUSER
from local_runtime.instance.supervisor.tree import descendants
from tests.support.api import Api
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 240.0


class Product:
    """`python -m local_runtime serve` on a free port and a data directory of its own, from the checkout at `root`."""

    root = ROOT
    python = Path(sys.executable)

    def __init__(self, data_dir: Path | None = None, *options: str, **environment: str) -> None:
        self.data_dir = data_dir or new_data_dir()
        self.place = self.data_dir  # the data directory as the product sees it
        self.enter: tuple[str, ...] = ()  # what a command is started with, to see what the product sees
        self._options = options
        self._environment = environment
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it and wait for the line that begins `ready:`."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            self._command("serve", "--port", "0", *self._options),
            cwd=self.root,
            env={**clean_environment(), **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(self.process, ready), daemon=True).start()
        deadline = began + READY_SECONDS
        while not ready.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError("the product did not become ready:\n" + "".join(self.output))
        self.start_seconds = time.monotonic() - began
        return self

    def _command(self, *arguments: str) -> list[str]:
        there = [*self.enter, "env", "-C", str(self.root)] if self.enter else []
        return [*there, str(self.python), "-m", "local_runtime", *arguments, "--data-dir", str(self.place)]

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.output.append(line)
                if line.startswith("ready:"):
                    ready.set()

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM, as an operator would; answers the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def verb(self, *arguments: str, stdin: str = "", seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One of the verbs, on its data directory, to its end."""
        return subprocess.run(
            self._command(*arguments),
            cwd=self.root,
            env=clean_environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def invoke(self, function: str) -> Any:
        """What the schedule would do within its minute; answers what the function does."""
        done = self.verb("invoke", function, "-", stdin="{}")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def destroy(self) -> None:
        """Stop it if it runs and remove its data."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        remove_data_dir(self.data_dir)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.destroy()

    @property
    def runtime(self) -> dict[str, Any]:
        """runtime.json as it stands."""
        document: dict[str, Any] = json.loads((self.data_dir / "runtime.json").read_text())
        return document

    @property
    def base_url(self) -> str:
        """Where it listens."""
        url: str = self.runtime["base_url"]
        return url

    @property
    def api(self) -> Api:
        """A client of it."""
        return Api(self.base_url)

    def pid(self, name: str) -> int:
        """The process with this name in runtime.json."""
        pid: int = self.runtime["processes"][name]
        return pid

    def kill(self, name: str, signal_number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to one of its processes; answers the pid it had."""
        pid = self.pid(name)
        os.kill(pid, signal_number)
        if signal_number == signal.SIGSTOP:
            eventually(lambda: is_stopped(pid), 60, f"{name} stopped")
        return pid

    def wait_replaced(self, name: str, old_pid: int, seconds: float = 60.0) -> int:
        """Wait until runtime.json names another living process for `name`."""

        def replaced() -> int:
            pid = self.pid(name)
            return pid if pid != old_pid and alive(pid) else 0

        return eventually(replaced, seconds, f"{name} started again")

    def restart_http(self) -> None:
        """SIGKILL the HTTP master and wait until requests are answered again."""
        old_pid = self.kill("http")
        self.wait_replaced("http", old_pid)
        eventually(self.is_alive, 60, "/healthz answered again")

    def is_alive(self) -> bool:
        """Whether /healthz answers 200."""
        try:
            return self.api.get("/healthz").status == 200
        except OSError:
            return False

    def is_ready(self) -> bool:
        """Whether /readyz says that everything works."""
        try:
            return bool(self.api.get("/readyz").json["data"]["status"] == "ready")
        except OSError:
            return False

    def redis(self) -> redis.Redis:
        """A client of its Redis, patient with commands on millions of members."""
        ca_file = self._environment.get("REDIS_CA_FILE")
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        return redis.Redis.from_url(self.runtime["redis_url"], decode_responses=True, socket_timeout=60.0, **tls)

    def query(self, sql: str, **parameters: object) -> list[Any]:
        """Run one statement on its PostgreSQL."""
        return query(self.runtime["database_url"], sql, **parameters)

    def write(self, sql: str) -> list[Any]:
        """Run one statement on its PostgreSQL, though all sessions be read-only."""
        connection = connect(self.runtime["database_url"])
        try:
            connection.run("SET default_transaction_read_only = off")
            return list(connection.run(sql) or [])
        finally:
            connection.close()

    def children(self) -> set[int]:
        """Every descendant process, by pid."""
        assert self.process is not None
        return descendants(self.process.pid)


def connect(database_url: str) -> pg8000.native.Connection:
    """A connection to a database by URL."""
    url = urlsplit(database_url)
    return pg8000.native.Connection(
        unquote(url.username or ""),
        host=url.hostname or "127.0.0.1",
        port=url.port or 5432,
        database=url.path.lstrip("/"),
        password=unquote(url.password or ""),
        ssl_context=False,
    )


def query(database_url: str, sql: str, **parameters: object) -> list[Any]:
    """Run one statement on a database."""
    connection = connect(database_url)
    try:
        return list(connection.run(sql, **parameters) or [])
    finally:
        connection.close()


def let_superuser_in(data_dir: Path) -> None:
    """Have a prepared PostgreSQL, when it starts, take its superuser's word: that role has no password."""
    rules = data_dir / "postgresql" / "cluster" / "pg_hba.conf"
    rules.write_text(f"host all {SUPERUSER} 127.0.0.1/32 trust\n{rules.read_text()}")


def clean_environment() -> dict[str, str]:
    """The environment without anything that would configure the product."""
    ours = [
        "MAKE",  # what `make test ARGS=...` hands down to every other make
        "MFLAGS",
        "ARGS",
        "SCOREBOARD_",
        "REDIS_",
        "AMQP_",
        "DATABASE_",
        "MIGRATIONS_",
        "JWT_",
        "PAYLOAD_",
        "AWS_",
        "PUBLIC_",
        "REQUIRE_",
        "RATE_",
    ]
    ours += ["KEY_", "CORS_", "METRICS_"]
    return {name: value for name, value in os.environ.items() if not name.startswith(tuple(ours))}


def new_data_dir() -> Path:
    """A directory that the account of PostgreSQL can reach, too."""
    path = Path(tempfile.mkdtemp(prefix="scoreboard-test-"))
    path.chmod(0o711)
    return path / "data"


def remove_data_dir(data_dir: Path) -> None:
    """Remove what new_data_dir made."""
    shutil.rmtree(data_dir.parent, ignore_errors=True)


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has come to each of its threads: on a busy machine they go on for a moment."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")  # none where there is no /proc
    return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
