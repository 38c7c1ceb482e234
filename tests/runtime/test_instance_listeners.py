"""Where an instance listens, and when it is known to serve."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.listeners import bound_listeners, refuse_exposure
from local_runtime.instance.probes import HttpProbe, ReadyFile
from local_runtime.instance.servers.certificates import ensure_certificates
from local_runtime.processes.serve import check_settings
from local_runtime.settings import InstanceSettings, SettingsError
from tests.support.waiting import eventually

ALIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_port_0_takes_a_free_one_and_the_urls_name_it() -> None:
    with bound_listeners(InstanceSettings(port=0)) as listeners:
        assert listeners.port > 0
        assert listeners.base_url("http") == f"http://127.0.0.1:{listeners.port}"
        management = listeners.management_url("live")
        assert management.startswith("http://127.0.0.1:")
        assert management.endswith("/live")
        assert str(listeners.port) not in management


def test_a_listener_on_all_addresses_is_named_by_its_loopback_one() -> None:
    with bound_listeners(InstanceSettings(host="0.0.0.0", port=0)) as listeners:  # noqa: S104
        assert listeners.base_url("https") == f"https://127.0.0.1:{listeners.port}"


def test_an_ipv6_address_stands_in_brackets() -> None:
    with bound_listeners(InstanceSettings(host="::1", port=0)) as listeners:
        assert listeners.base_url("http") == f"http://[::1]:{listeners.port}"


def test_a_port_in_use_is_reported_with_the_option_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(InstanceError, match=rf"port {port} .* in use .*--port \(SCOREBOARD_PORT\); --port 0"),
            bound_listeners(InstanceSettings(port=port)),
        ):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "999.1.1.1", "::zz", "a..b"])
def test_an_address_that_is_not_ours_is_reported_with_the_option_to_change(host: str) -> None:
    settings = InstanceSettings(host=host, port=0, insecure=host == "192.0.2.1")
    refuse_exposure(settings)
    told = rf"{re.escape(host)} is no address or name of this machine: .*--host \(SCOREBOARD_HOST\)"
    with pytest.raises(InstanceError, match=told), bound_listeners(settings):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104
def test_plain_text_leaves_this_machine_only_when_told_to(host: str) -> None:
    with pytest.raises(InstanceError, match="--tls, or allow it with --insecure"):
        refuse_exposure(InstanceSettings(host=host))
    refuse_exposure(InstanceSettings(host=host, tls=True))
    refuse_exposure(InstanceSettings(host=host, insecure=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_no_exposure(host: str) -> None:
    refuse_exposure(InstanceSettings(host=host))


def test_numbers_out_of_range_are_reported_together() -> None:
    with pytest.raises(SettingsError) as refused:
        check_settings(
            InstanceSettings(
                port=70000,
                workers=0,
                max_body_bytes=0,
                max_log_bytes=0,
                max_connections=0,
                max_viewers=0,
                max_connections_per_address=-1,
                max_viewers_per_address=-1,
                trusted_proxies="nonsense",
            ),
            {"SCOREBOARD_HEAD_SECONDS": "0", "SCOREBOARD_IDLE_SECONDS": "nan", "SCOREBOARD_SEND_SECONDS": "soon"},
        )
    options = ["port", "workers", "max-body-bytes", "max-log-bytes", "max-connections", "max-viewers"]
    options += ["max-connections-per-address", "max-viewers-per-address"]
    variables = ["TRUSTED_PROXIES: ", "HEAD_SECONDS='0'", "IDLE_SECONDS='nan'", "SEND_SECONDS='soon'"]
    told = str(refused.value).splitlines()[1:]
    assert len(told) == len(options) + len(variables)
    assert all(any(f"--{option} " in line for line in told) for option in options), told
    assert all(any(f"SCOREBOARD_{variable}" in line for line in told) for variable in variables), told
    check_settings(InstanceSettings(), {})


@pytest.mark.parametrize(
    ("answer", "serves"), [(ALIVE, True), (ALIVE.replace(b"200", b"404"), True), (ALIVE.replace(b"200", b"503"), False)]
)
def test_the_http_probe_waits_for_nothing_and_hears_the_answer(answer: bytes, serves: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probe = HttpProbe("127.0.0.1", listener.getsockname()[1], tls=False)
        assert not probe()  # nobody has accepted
        connection, _ = listener.accept()
        with connection:
            assert not probe()
            assert connection.recv(1024).startswith(b"GET /healthz HTTP/1.1\r\n")
            connection.sendall(answer)
            if serves:
                eventually(probe, 60, "heard")
            else:
                eventually(lambda: not probe() and probe._connection is None, 60, "heard")


def test_the_http_probe_speaks_tls(tmp_path: Path) -> None:
    certificates = ensure_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probe = HttpProbe("127.0.0.1", listener.getsockname()[1], tls=True)
        assert not probe()
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as secure:
            secure.setblocking(False)
            eventually(lambda: not probe() and _handshake(secure), 60, "handshake")
            assert not probe()
            secure.setblocking(True)
            assert secure.recv(1024).startswith(b"GET /healthz")
            secure.sendall(ALIVE)
            eventually(probe, 60, "heard")


def _handshake(secure: ssl.SSLSocket) -> bool:
    try:
        secure.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def test_the_http_probe_tries_again_after_a_connection_that_was_refused_or_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    probe = HttpProbe("127.0.0.1", port, tls=False)
    assert not probe()
    with socket.create_server(("127.0.0.1", port)) as listener:
        assert not probe()
        listener.accept()[0].close()
        eventually(lambda: not probe() and probe._connection is None, 60, "noticed")
        assert not probe()
        connection, _ = listener.accept()
        with connection:
            connection.sendall(ALIVE)
            eventually(probe, 60, "heard")


def test_a_ready_file_counts_only_while_its_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "consumer.ready"
    probe = ReadyFile(path)
    assert not probe()
    path.write_text("")
    assert not probe()
    path.write_text(str(os.getpid()))
    assert probe()
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    path.write_text(str(gone.pid))
    assert not probe()
