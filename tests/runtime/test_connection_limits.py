"""Connections by the thousand, slow ones and half ones: they bound each other, and nobody else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from local_runtime.gateway.http.admission import Admission, NoPlace
from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.api import Answer
from tests.support.waiting import eventually

MANY, OTHER = "127.0.0.1", "127.0.0.2"  # the address that opens more connections than it should, and another one
PLACES = 20
# So that who is gone has been displaced.
PATIENT = {f"SCOREBOARD_{what}_SECONDS": "300" for what in ("HEAD", "BODY", "IDLE", "SEND")}
SLOW = {
    "nothing at all": b"",
    "half a request line": b"GET /ec",
    "half a head": b"GET /echo HTTP/1.1\r\nHost: h\r\nX-A: ",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nxxx",
    "half a chunk": b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nxxx",
    "an answer, and then nothing": b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n",
}


def admission(places: int = 3, per_address: int = 0, *, displaces_own: bool = True, stay: str = "") -> Admission[str]:
    return Admission(places, per_address, lambda guest: guest not in stay, displaces_own=displaces_own, exempt="9.9.9.9".__eq__)


def refusal(house: Admission[str], address: str, guest: str) -> HTTPStatus:
    with pytest.raises(NoPlace) as refused:
        house.admit(address, guest)
    return refused.value.status


def test_the_address_with_the_most_gives_a_place_to_a_newcomer() -> None:
    house = admission()
    assert [house.admit("1.1.1.1", "a"), house.admit("2.2.2.2", "b"), house.admit("2.2.2.2", "c")] == [None] * 3
    displaced = house.admit("3.3.3.3", "d")
    assert displaced is not None
    assert displaced.guest == "b", "the one that has been there longest, of the address that has the most"
    assert len(house) == 3
    house.leave("b")
    assert len(house) == 3, "it has left already"
    house.leave("d")
    assert (len(house), house.admit("2.2.2.2", "e")) == (2, None)


def test_a_guest_that_is_being_answered_keeps_its_place() -> None:
    house = admission(stay="ab")
    for guest in "abc":
        house.admit("1.1.1.1", guest)
    displaced = house.admit("2.2.2.2", "d")
    assert displaced is not None
    assert displaced.guest == "c"
    house.restore(displaced)
    assert len(house) == 4
    everybody = admission(stay="abc")
    for guest in "abc":
        everybody.admit("1.1.1.1", guest)
    assert refusal(everybody, "2.2.2.2", "d") == 503


def test_whoever_displaces_nobody_of_its_own_takes_only_from_the_greedier() -> None:
    house = admission(displaces_own=False)
    for address, guest in (("1.1.1.1", "a"), ("1.1.1.1", "b"), ("2.2.2.2", "c")):
        house.admit(address, guest)
    assert refusal(house, "1.1.1.1", "d") == 503
    assert refusal(house, "2.2.2.2", "d") == 503, "it would only turn the tables"
    assert house.admit("3.3.3.3", "d") is not None


def test_one_address_has_a_bound_of_its_own() -> None:
    house = admission(places=10, per_address=2)
    for guest in "ab":
        house.admit("2001:db8:1:1::1", guest)
    assert refusal(house, "2001:db8:1:1:ffff::9", "c") == 429, "whoever has an address of IPv6 has 2 to the power of 64"
    assert house.admit("2001:db8:1:2::1", "d") is None
    for guest in "efg":
        assert house.admit("9.9.9.9", guest) is None
    for guest in "hi":
        house.admit("1.1.1.1", guest)
    assert refusal(house, "::ffff:1.1.1.1", "j") == 429


class Crowd:
    """Connections of one address that are never finished."""

    def __init__(self, server: HttpProcess, stack: ExitStack) -> None:
        self._server, self._stack = server, stack
        self.socks: list[socket.socket] = []

    def grow(self, number: int, beginning: bytes) -> None:
        for _ in range(number):
            sock = self._stack.enter_context(self._server.open_socket())
            with suppress(OSError):  # turned away already
                sock.sendall(beginning)
            self.socks.append(sock)

    def open(self) -> int:
        """How many have not been closed by the server."""
        return sum(_is_open(sock) for sock in self.socks)


def _is_open(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def asks(server: HttpProcess, address: str, path: str = "/echo", tls: ssl.SSLContext | None = None) -> Answer:
    """One request from this address."""
    parts = urlsplit(server.base_url)
    assert parts.hostname
    assert parts.port
    bare = socket.create_connection((parts.hostname, parts.port), timeout=60, source_address=(address, 0))
    with tls.wrap_socket(bare, server_hostname="127.0.0.1") if tls is not None else bare as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        return read_answer(sock)


def refused_with(status: int, answer: Answer) -> Answer | None:
    return answer if answer.status == status else None


def status_of(sock: socket.socket) -> int | None:
    try:
        return read_answer(sock).status
    except (OSError, HTTPException):
        return None


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess({"SCOREBOARD_MAX_CONNECTIONS": str(PLACES), **PATIENT}) as process:
        yield process


@pytest.mark.parametrize("beginning", SLOW)
def test_slow_connections_hold_up_nobody(server: HttpProcess, beginning: str) -> None:
    workers = server.worker_pids
    with ExitStack() as stack:
        crowd = Crowd(server, stack)
        for _ in range(4):
            crowd.grow(PLACES // 2, SLOW[beginning])
            assert asks(server, OTHER).status == 200
            assert asks(server, MANY).status == 200, "the same address displaces its own"
        eventually(lambda: crowd.open() < PLACES, 60, "those without a place are gone")
        assert crowd.open() >= PLACES // 2, "the others may go on"
    assert asks(server, OTHER).status == 200
    assert server.worker_pids == workers
    assert "Traceback" not in server.log


def test_whose_request_is_not_finished_is_told_that_its_place_was_taken(server: HttpProcess) -> None:
    def is_told() -> Answer | None:
        with server.open_socket() as slow, ExitStack() as stack:
            slow.sendall(SLOW["half a head"])
            Crowd(server, stack).grow(PLACES, b"GET /ec")
            try:
                return read_answer(slow)
            except ConnectionResetError:  # it had to go before anything of it was read
                return None

    answer = eventually(is_told, 60, "an answer")
    assert answer is not None
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


def test_who_is_being_answered_is_not_displaced_and_a_newcomer_is_told_to_come_back(server: HttpProcess) -> None:
    def all_places_busy() -> Answer | None:
        with ExitStack() as stack:
            busy = [stack.enter_context(server.open_socket()) for _ in range(PLACES)]
            for sock in busy:
                sock.sendall(b"GET /sleep?seconds=1 HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = asks(server, OTHER)
            # One whose request had not been read yet when the next one came may have had to give way to it.
            answered = [status_of(sock) for sock in busy]
        return refused_with(503, answer) if answered == [200] * PLACES else None

    refused = eventually(all_places_busy, 60, "a newcomer is refused")
    assert refused is not None
    assert (refused.json["code"], refused.headers["Retry-After"]) == ("unavailable", "1")
    assert asks(server, OTHER).status == 200
    assert "scoreboard_connections_turned_away_total 0.0" not in server.api.get("/metrics").body.decode()


def test_one_address_may_be_bounded() -> None:
    with HttpProcess({"SCOREBOARD_MAX_CONNECTIONS_PER_ADDRESS": "5", **PATIENT}) as server, ExitStack() as stack:
        crowd = Crowd(server, stack)
        crowd.grow(5, b"GET /ec")
        refused = eventually(lambda: refused_with(429, asks(server, MANY)), 60, "the address is full")
        assert refused is not None
        assert (refused.json["code"], refused.headers["Retry-After"]) == ("too_many_connections", "1")
        assert asks(server, OTHER).status == 200
        assert crowd.open() == 5
        for sock in crowd.socks:
            sock.close()
        eventually(lambda: asks(server, MANY).status == 200, 60, "there are places again")


def test_half_a_handshake_of_tls_takes_no_place_for_long(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    environment = {
        "SCOREBOARD_TLS": "true",
        "SCOREBOARD_TLS_CERT": str(tmp_path / "cert.pem"),
        "SCOREBOARD_TLS_KEY": str(tmp_path / "key.pem"),
        "SCOREBOARD_MAX_CONNECTIONS": "10",
    }
    with HttpProcess(environment) as server, ExitStack() as stack:
        crowd = Crowd(server, stack)
        crowd.grow(30, b"\x16\x03\x01\x02\x00\x01")
        assert asks(server, OTHER, tls=context).status == 200
        eventually(lambda: crowd.open() <= 10, 60, "those without a place are gone")
        assert "Traceback" not in server.log


def viewer_of(server: HttpProcess, address: str) -> ClientConnection:
    viewer: ClientConnection = connect(server.ws_url, proxy=None, open_timeout=60, source_address=(address, 0))
    return viewer


def refused_viewer(server: HttpProcess, address: str) -> int:
    with pytest.raises(InvalidStatus) as refused, viewer_of(server, address):
        pass
    return refused.value.response.status_code


def test_viewers_beyond_the_bound_displace_only_those_of_an_address_with_more() -> None:
    with HttpProcess({"SCOREBOARD_MAX_VIEWERS": "4"}) as server, ExitStack() as stack:
        viewers = [stack.enter_context(viewer_of(server, MANY)) for _ in range(4)]
        assert refused_viewer(server, MANY) == 503
        newcomer = stack.enter_context(viewer_of(server, OTHER))
        with pytest.raises(ConnectionClosed) as end:
            viewers[0].recv(timeout=60)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1008
        assert newcomer.ping().wait(60)
        assert all(viewer.ping().wait(60) for viewer in viewers[1:])
        viewers[1].close()
        eventually(lambda: _is_admitted(server, MANY), 60, "the place is free again")


def test_viewers_of_one_address_may_be_bounded() -> None:
    with HttpProcess({"SCOREBOARD_MAX_VIEWERS_PER_ADDRESS": "2"}) as server, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(viewer_of(server, MANY))
        assert refused_viewer(server, MANY) == 429
        assert stack.enter_context(viewer_of(server, OTHER)).ping().wait(60)


def test_nobody_gives_way_to_whom_the_function_refuses() -> None:
    with HttpProcess({"SCOREBOARD_MAX_VIEWERS": "3"}) as server, ExitStack() as stack:
        viewers = [stack.enter_context(viewer_of(server, MANY)) for _ in range(3)]
        for _ in range(5):
            with pytest.raises(InvalidStatus) as refused:
                connect(server.ws_url + "?status=401", proxy=None, open_timeout=60, source_address=(OTHER, 0))
            assert refused.value.response.status_code == 401
        assert all(viewer.ping().wait(60) for viewer in viewers)
        assert stack.enter_context(viewer_of(server, OTHER)).ping().wait(60)


def test_a_handshake_that_is_refused_takes_no_place() -> None:
    with HttpProcess({"SCOREBOARD_MAX_VIEWERS": "2"}) as server:
        for _ in range(5):
            with pytest.raises(InvalidStatus) as refused:
                connect(server.ws_url + "?status=401", proxy=None, open_timeout=60)
            assert refused.value.response.status_code == 401
        assert _is_admitted(server, MANY)


def _is_admitted(server: HttpProcess, address: str) -> bool:
    try:
        with viewer_of(server, address) as viewer:
            return viewer.ping().wait(60)
    except InvalidStatus:
        return False
