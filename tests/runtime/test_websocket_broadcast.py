"""The broadcast: from a Redis channel to every viewer, conflated, and never from newer to older."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.runtime.boards import Board, frame_text
from tests.runtime.http_process import HttpProcess
from tests.support.waiting import eventually


def viewer_of(server: HttpProcess, **options: Any) -> ClientConnection:
    viewer: ClientConnection = connect(server.ws_url, proxy=None, open_timeout=60, **options)
    return viewer


def version_of(message: str | bytes) -> int:
    version: int = json.loads(message)["version"]
    return version


def receive(viewer: ClientConnection, until_version: int, seconds: float = 60.0) -> list[int]:
    """The versions received up to this one."""
    versions: list[int] = []
    while not versions or versions[-1] < until_version:
        versions.append(version_of(viewer.recv(timeout=seconds)))
    return versions


class DeafViewer:
    """A viewer that reads nothing until it is told to."""

    def __init__(self, server: HttpProcess, tls: ssl.SSLContext | None = None, query: str = "") -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = server.base_url.rpartition("/")[2].split(":")
        self.sock.connect((host, int(port)))
        self.sock.settimeout(15)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /ws{query} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        )
        self.sock.sendall(request.encode() + b"Sec-WebSocket-Version: 13\r\n\r\n")
        self._received = b""
        while b"\r\n\r\n" not in self._received:
            self._received += self.sock.recv(1)
        self._received = b""

    def send(self, text: str) -> None:
        """A message."""
        self.sock.sendall(Frame(Opcode.TEXT, text.encode()).serialize(mask=True))

    def message(self) -> Any:
        """Read whole frames up to the next message."""
        while True:
            opcode, payload = self._frame()
            if opcode == Opcode.TEXT:
                return json.loads(payload)

    def receive(self, until_version: int) -> list[int]:
        """Read whole frames up to this version."""
        versions: list[int] = []
        while not versions or versions[-1] < until_version:
            opcode, payload = self._frame()
            if opcode == 1:
                versions.append(version_of(payload))
        return versions

    def _frame(self) -> tuple[int, bytes]:
        first, length = self._take(2)
        if length == 126:
            length = int.from_bytes(self._take(2), "big")
        elif length == 127:
            length = int.from_bytes(self._take(8), "big")
        assert first & 0xF0 == 0x80
        return first & 0x0F, self._take(length)

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            data = self.sock.recv(65536)
            assert data
            self._received += data
        taken, self._received = self._received[:count], self._received[count:]
        return taken


def test_a_published_frame_reaches_every_viewer_of_every_worker_as_it_is(board: Board, server: HttpProcess) -> None:
    viewers = [viewer_of(server) for _ in range(10)]
    board.publish(1, "é")
    for viewer in viewers:
        with viewer:
            assert viewer.recv(timeout=60) == frame_text(1, "é")


def test_a_new_viewer_gets_the_newest_frame_at_once(board: Board, server: HttpProcess) -> None:
    board.publish(7)
    with viewer_of(server) as viewer:
        assert version_of(viewer.recv(timeout=60)) == 7
    with viewer_of(server) as viewer:
        assert version_of(viewer.recv(timeout=60)) == 7, "nothing more is published"


def test_the_state_kept_in_redis_is_known_from_the_start(board: Board) -> None:
    board.publish(3)
    with HttpProcess(board.environment) as server, viewer_of(server) as viewer:
        assert version_of(viewer.recv(timeout=60)) == 3


def test_a_first_change_is_sent_at_once(board: Board, server: HttpProcess) -> None:
    with viewer_of(server) as viewer:
        prompt = 0
        for version in range(1, 301):
            time.sleep(0.15)  # quiet for longer than the interval is the situation that is tested
            began = time.monotonic()
            board.publish(version)
            receive(viewer, version)
            prompt += time.monotonic() - began < 0.05  # half an interval; a busy machine may take longer
            if prompt == 3:
                return
    pytest.fail("the interval was waited for")


def test_changes_are_conflated_to_ten_a_second_and_the_last_state_arrives(board: Board, server: HttpProcess) -> None:
    with viewer_of(server) as viewer:
        board.publish(1)
        receive(viewer, 1)
        began, version, versions = time.monotonic(), 1, [1]
        while time.monotonic() - began < 2 or not 3 < len(versions) < version / 5:
            for _ in range(20):
                version += 1
                board.publish(version)
            with suppress(TimeoutError):
                versions.append(version_of(viewer.recv(timeout=0)))
            assert time.monotonic() - began < 60, f"{len(versions)} of {version} changes were sent"
        versions += receive(viewer, version) if versions[-1] < version else []
        seconds = time.monotonic() - began
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=0.3)
    assert versions == sorted(set(versions))
    assert len(versions) <= seconds * 10 + 2


def test_an_older_frame_never_follows_a_newer_one(board: Board, server: HttpProcess) -> None:
    with viewer_of(server) as viewer:
        for version in (5, 6, 9):
            board.publish(version)
            assert receive(viewer, version) == [version]
            for older in (version - 1, version):
                time.sleep(0.12)  # each one alone in its interval
                board.publish(older)
        time.sleep(0.12)
        board.publish(10)
        assert receive(viewer, 10) == [10]


def test_viewers_get_what_they_missed_while_redis_was_away(board: Board, server: HttpProcess) -> None:
    with viewer_of(server) as viewer:
        board.publish(1)
        receive(viewer, 1)
        board.redis.set(f"{board.channel}:last", frame_text(2))
        for client in board.redis.client_list():
            if int(client["sub"]) and board.listeners():
                board.redis.client_kill_filter(_id=client["id"])
        assert receive(viewer, 2) == [2]
        eventually(lambda: board.listeners() == 2, 60, "both workers listen again")
        board.publish(3)
        assert receive(viewer, 3) == [3]


def test_a_reader_that_stopped_does_not_slow_the_others_and_gets_the_newest_later(board: Board) -> None:
    with HttpProcess(board.environment) as server:  # one worker: what the viewer received has been offered to the deaf one, too
        eventually(lambda: board.listeners() == 1, 60, "the worker listens")
        deaf = DeafViewer(server)
        with deaf.sock, viewer_of(server) as viewer:
            filling = "x" * 20_000
            arrivals = []
            for version in range(1, 41):
                board.publish(version, filling)
                assert receive(viewer, version)[-1] == version
                arrivals.append(time.monotonic())
            gaps = sorted(later - earlier for earlier, later in pairwise(arrivals))
            assert gaps[len(gaps) // 2] < 0.5
            versions = deaf.receive(40)
        metrics = server.api.get("/metrics").body.decode()
    assert versions == sorted(set(versions))
    assert len(versions) < 30
    dropped = next(line for line in metrics.splitlines() if line.startswith("scoreboard_websocket_frames_dropped_total"))
    assert float(dropped.split()[1]) == 40 - len(versions)


def test_a_slow_reader_over_tls_gets_whole_frames_too(board: Board, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    paths = {"SCOREBOARD_TLS_CERT": str(tmp_path / "cert.pem"), "SCOREBOARD_TLS_KEY": str(tmp_path / "key.pem")}
    with HttpProcess({"SCOREBOARD_TLS": "true", **paths, **board.environment}) as server:
        eventually(lambda: board.listeners() == 1, 60, "the worker listens")
        deaf = DeafViewer(server, context)
        with deaf.sock, viewer_of(server, ssl=context) as viewer:
            for version in range(1, 31):
                board.publish(version, "y" * 20_000)
                assert receive(viewer, version)[-1] == version
            versions = deaf.receive(30)
    assert versions == sorted(set(versions))
    assert len(versions) < 25


def test_a_gateway_whose_redis_is_away_serves_and_finds_it_later(board: Board) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = {"REDIS_URL": f"redis://127.0.0.1:{port}/0", "BROADCAST_CHANNEL": board.channel}
    with HttpProcess(environment) as server, viewer_of(server) as viewer:
        assert viewer.ping().wait(60)
        eventually(lambda: "broadcast channel lost" in server.log, 60, "a word in the log")
        assert "Traceback" not in server.log
