"""Ports, certificates and programs of the private servers."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from local_runtime.instance.servers.certificates import Certificates, ensure_certificates
from local_runtime.instance.servers.ports import free_port, remembered_port
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.programs import POSTGRES, RABBITMQ, REDIS, MissingProgram
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.unwritten import BLOCK_BYTES, cut_unwritten


def test_no_port_is_one_that_the_kernel_gives_to_outgoing_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = server.getsockname()[1]
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert first <= given
    assert all(free_port() < first for _ in range(50))


def test_a_port_is_given_to_one_process_only(tmp_path: Path) -> None:
    noted = tmp_path / "port"
    program = (
        f"from local_runtime.instance.servers.ports import *; print(remembered_port(Path({str(noted)!r})), flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        with socket.create_server(("127.0.0.1", theirs)):
            pass  # nobody listens there yet
        assert remembered_port(noted) != theirs
        other.communicate("\n")
    noted.write_text(f"{theirs}\n")
    assert remembered_port(noted) == theirs


def test_ports_of_one_server_differ(tmp_path: Path) -> None:
    taken = remembered_port(tmp_path / "one")
    (tmp_path / "two").write_text(f"{taken}\n")
    assert remembered_port(tmp_path / "two", (taken,)) != taken


@pytest.mark.parametrize("noted", ["", "eighty", "0", "99999999"])
def test_a_note_that_is_no_port_is_replaced(tmp_path: Path, noted: str) -> None:
    (tmp_path / "port").write_text(noted)
    port = remembered_port(tmp_path / "port")
    assert 0 < port < 65536
    assert remembered_port(tmp_path / "port") == port


def certificate(certificates: Certificates) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificates.certificate_file.read_bytes())


def test_certificates_name_loopback_only_and_are_signed_by_the_ca(tmp_path: Path) -> None:
    made = ensure_certificates(tmp_path)
    names = certificate(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert all(ipaddress.ip_address(str(address)).is_loopback for address in names.get_values_for_type(x509.IPAddress))
    certificate(made).verify_directly_issued_by(x509.load_pem_x509_certificate(made.ca_file.read_bytes()))


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server.key"])
def test_files_that_do_not_belong_together_are_made_anew(tmp_path: Path, name: str) -> None:
    made, other = ensure_certificates(tmp_path / "made"), ensure_certificates(tmp_path / "other")
    serial_number = certificate(made).serial_number
    (tmp_path / "made" / name).write_bytes((other.ca_file.parent / name).read_bytes())
    assert certificate(ensure_certificates(tmp_path / "made")).serial_number not in {
        serial_number,
        certificate(other).serial_number,
    }


def test_certificates_stay_good_when_the_clock_is_set_back_and_no_client_finds_them_too_long(tmp_path: Path) -> None:
    made = certificate(ensure_certificates(tmp_path))
    assert certificate(ensure_certificates(tmp_path, dt.datetime.now(dt.UTC) - dt.timedelta(days=7))) == made
    assert made.not_valid_after_utc - made.not_valid_before_utc <= dt.timedelta(days=825)


def test_a_certificate_from_the_future_is_made_anew(tmp_path: Path) -> None:
    serial_number = certificate(ensure_certificates(tmp_path)).serial_number
    earlier = dt.datetime.now(dt.UTC) - dt.timedelta(days=31)
    assert certificate(ensure_certificates(tmp_path, earlier)).serial_number != serial_number


def test_the_newest_version_of_a_program_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "14"):
        (tmp_path / "usr/lib/postgresql" / version / "bin").mkdir(parents=True)
        (tmp_path / "usr/lib/postgresql" / version / "bin/postgres").touch()
    assert POSTGRES.find(root=tmp_path) == tmp_path / "usr/lib/postgresql/15/bin/postgres"


def test_debians_wrapper_that_switches_users_is_passed_by(tmp_path: Path) -> None:
    private = tmp_path / "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server"
    private.parent.mkdir(parents=True)
    private.touch()
    assert RABBITMQ.find(lambda _: "/usr/sbin/rabbitmq-server", tmp_path) == private


def test_a_missing_server_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    for program in (REDIS, RABBITMQ, POSTGRES):
        with pytest.raises(MissingProgram) as missing:
            program.require(lambda _: None, tmp_path)
        assert program.name in str(missing.value)
        assert "make setup" in str(missing.value)
        assert program.install_command() in str(missing.value)


def test_the_command_fits_the_package_manager() -> None:
    assert "apt-get install" in REDIS.install_command(lambda name: f"/usr/bin/{name}")
    assert "apt-get" not in REDIS.install_command(lambda _: None)


def test_a_password_of_a_server_stands_in_no_argument(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    broker = PrivateRabbitMQ(tmp_path, "a-secret")
    broker.prepare()
    database = PrivatePostgreSQL(tmp_path, "a-secret")
    for spec in (*broker.specs(), *database.specs()):
        assert not any("a-secret" in text for text in (*spec.argv, *spec.env.values()))


@pytest.mark.parametrize("zeros", [0, 1, BLOCK_BYTES - 8, BLOCK_BYTES, 3 * BLOCK_BYTES])
@pytest.mark.parametrize("written", [b"", b"a line\r\n", b"a\0b" * BLOCK_BYTES])
def test_zeros_that_a_dead_machine_left_at_the_end_are_cut_off(tmp_path: Path, written: bytes, zeros: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(written + bytes(zeros))
    assert cut_unwritten(file) == zeros
    assert file.read_bytes() == written
