"""The line to PostgreSQL over TLS: as much trust as the URL asks for, no more and no less."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from local_runtime.instance.servers.certificates import Certificates, ensure_certificates
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.run import running
from shared.core.errors import ConfigurationError, PostgresUnavailable
from shared.stores.postgresql.pool import Pool
from tests.support.product import new_data_dir, remove_data_dir
from tests.support.tls_postgresql import offer_tls


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    made = new_data_dir()
    made.mkdir(mode=0o711)
    yield made
    remove_data_dir(made)


@pytest.fixture(scope="module")
def certificates(data_dir: Path) -> Certificates:
    return ensure_certificates(data_dir / "tls")


@pytest.fixture(scope="module")
def tls_url(data_dir: Path, certificates: Certificates) -> Iterator[str]:
    """A PostgreSQL that offers TLS, with a certificate for loopback names."""
    server = PrivatePostgreSQL(data_dir, secrets.token_hex(16))
    server.prepare()
    offer_tls(data_dir, certificates)
    with running(server):
        yield server.url


def encrypted(url: str, ca_file: str = "") -> bool:
    pool = Pool(url, size=1, ca_file=ca_file)
    try:
        with pool.connection() as session:
            return bool(session.run("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0][0])
    finally:
        pool.close()


def test_a_verified_line_is_encrypted(tls_url: str, certificates: Certificates) -> None:
    for mode in ("verify-ca", "verify-full"):
        assert encrypted(f"{tls_url}?sslmode={mode}&sslrootcert={certificates.ca_file}")


def test_the_ca_file_of_the_setting_stands_in_for_the_one_in_the_url(
    tls_url: str, certificates: Certificates, tmp_path: Path
) -> None:
    known, other = str(certificates.ca_file), str(ensure_certificates(tmp_path).ca_file)
    assert encrypted(f"{tls_url}?sslmode=verify-full", known)
    assert encrypted(f"{tls_url}?sslmode=verify-full&sslrootcert={known}", other)
    with pytest.raises(PostgresUnavailable) as refused:
        encrypted(f"{tls_url}?sslmode=verify-full", other)
    assert "CERTIFICATE_VERIFY_FAILED" in repr(refused.value.__cause__)


def test_another_name_is_refused_by_verify_full_alone(tls_url: str, certificates: Certificates) -> None:
    """The server's certificate is for 127.0.0.1, and its address has another name here."""
    elsewhere = tls_url.replace("@127.0.0.1:", "@127.1:")
    assert encrypted(f"{elsewhere}?sslmode=verify-ca", str(certificates.ca_file))
    with pytest.raises(PostgresUnavailable) as refused:
        encrypted(f"{elsewhere}?sslmode=verify-full", str(certificates.ca_file))
    assert "not valid for '127.1'" in repr(refused.value.__cause__)


@pytest.mark.parametrize("content", [None, "no certificate at all"])
def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"DATABASE_CA_FILE.*ca\.pem") as refused:
        encrypted("postgresql://u:s3cret@db.example/d", str(path))
    assert "s3cret" not in str(refused.value)


def test_the_check_at_start_asks_for_the_same(tls_url: str, certificates: Certificates) -> None:
    urls = {"DATABASE_URL": f"{tls_url}?sslmode=verify-full"}
    check_outside_servers(urls, {"DATABASE_URL": str(certificates.ca_file)})
    check_outside_servers({"DATABASE_URL": f"{urls['DATABASE_URL']}&sslrootcert={certificates.ca_file}"}, {})
    check_outside_servers({"DATABASE_URL": f"{tls_url}?sslmode=require"}, {})
    with pytest.raises(InstanceError, match="CERTIFICATE_VERIFY_FAILED"):
        check_outside_servers(urls, {})


def test_an_unverified_line_is_encrypted_when_that_is_asked_for(tls_url: str) -> None:
    assert encrypted(f"{tls_url}?sslmode=require")
    assert not encrypted(f"{tls_url}?sslmode=disable")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_server_that_an_unknown_ca_signed_is_refused(tls_url: str, mode: str) -> None:
    with pytest.raises(PostgresUnavailable) as refused:
        encrypted(f"{tls_url}?sslmode={mode}")
    assert "CERTIFICATE_VERIFY_FAILED" in repr(refused.value.__cause__)


def test_a_stale_connection_is_replaced_under_tls_too(tls_url: str) -> None:
    pool, other = Pool(f"{tls_url}?sslmode=require", size=1), Pool(tls_url, size=1)
    with pool.connection() as session:
        pid = session.run("SELECT pg_backend_pid()")[0][0]
    with pool.connection() as session:
        assert session.run("SELECT pg_backend_pid()")[0][0] == pid
    with other.connection() as session:
        session.run("SELECT pg_terminate_backend(:pid, 5000)", pid=pid)
    with pool.connection() as session:
        assert session.run("SELECT pg_backend_pid()")[0][0] != pid
    pool.close()
    other.close()
