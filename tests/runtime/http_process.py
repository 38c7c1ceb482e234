"""The HTTP process of the runtime as a child process, hosting the functions beside the tests."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.api import Answer, Api
from tests.support.product import clean_environment
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = Path(__file__).resolve().parent / "fixtures_http"
ACCESS_KEY_ID = "AKIATEST"
SECRET_ACCESS_KEY = "a secret of the tests"


class HttpProcess:
    """`python -m local_runtime.processes.http` on a free port; a context manager."""

    def __init__(self, environment: Mapping[str, str] | None = None, *, workers: int = 1) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="gw-"))
        self.events_file = self.data_dir / "events.jsonl"
        self.log_file = self.data_dir / "http.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **clean_environment(),
            "SCOREBOARD_TEMPLATE": str(FIXTURES / "template.yaml"),
            "SCOREBOARD_DATA_DIR": str(self.data_dir),
            "SCOREBOARD_PORT": "0",
            "SCOREBOARD_WORKERS": str(workers),
            "EVENTS_FILE": str(self.events_file),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            **(environment or {}),
        }
        self._workers = workers
        self.last_log = ""

    def __enter__(self) -> Self:
        if self.process is None:
            try:
                self.start()
            except AssertionError as error:
                self.__exit__(type(error), error, None)
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.last_log = self.log
        if kind is not None:
            sys.stderr.write(self.last_log)
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def start(self, pass_fds: tuple[int, ...] = ()) -> None:
        """Start it and wait until its workers serve."""
        self._announcement.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local_runtime.processes.http"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
            )
        eventually(self._serves, 60, f"the HTTP process serves: {self.log_file}")

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as the supervisor does; answers the exit code."""
        assert self.process is not None
        self.process.send_signal(signal_number)
        return self.process.wait(60)

    def _serves(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the HTTP process ended with {self.process.returncode}:\n{self.log}")
        return self._announcement.exists() and len(self.worker_sockets) == self._workers

    @property
    def worker_sockets(self) -> list[Path]:
        """The socket files of the living workers."""
        return list((self.data_dir / "run" / "http").glob("worker-*.sock"))

    @property
    def worker_pids(self) -> list[int]:
        """The living workers."""
        return [int(path.stem.removeprefix("worker-")) for path in self.worker_sockets]

    @property
    def _announcement(self) -> Path:
        return self.data_dir / "run" / "http.json"

    @property
    def where(self) -> dict[str, Any]:
        """What the process announced."""
        document: dict[str, Any] = json.loads(self._announcement.read_text())
        return document

    @property
    def base_url(self) -> str:
        """Where it listens."""
        url: str = self.where["base_url"]
        return url

    @property
    def ws_url(self) -> str:
        """Where it takes WebSockets."""
        return self.base_url.replace("http", "ws", 1) + "/ws"

    @property
    def api(self) -> Api:
        """A client of it."""
        return Api(self.base_url)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text()

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The WebSocket events the functions have seen, all or those of a kind: CONNECT, MESSAGE, DISCONNECT."""
        if not self.events_file.exists():
            return []
        events = [json.loads(line) for line in self.events_file.read_text().split("\n")[:-1]]  # the last one may be half written
        return [event for event in events if kind in (None, event["requestContext"]["eventType"])]

    def open_socket(self, tls: ssl.SSLContext | None = None) -> socket.socket:
        """A bare connection."""
        parts = urlsplit(self.base_url)
        sock = socket.create_connection((parts.hostname, parts.port), timeout=60)
        return tls.wrap_socket(sock, server_hostname="127.0.0.1") if tls is not None else sock

    def send_raw(self, data: bytes) -> Answer:
        """Send bytes as they are and read one response."""
        with self.open_socket() as sock:
            sock.sendall(data)
            return read_answer(sock)


def read_answer(sock: socket.socket, method: str = "GET") -> Answer:
    """Read one response from a bare connection."""
    response = http.client.HTTPResponse(sock, method=method)
    try:
        response.begin()
        return Answer(response.status, response.msg, response.read())
    finally:
        response.close()
