"""The line to PostgreSQL over TLS: as much trust as the URL asks for, no more and no less."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.services.certificates import Certificates, ensure_certificates
from local_runtime.services.postgresql import PrivatePostgreSQL
from local_runtime.services.run import running
from shared.adapters.postgresql.pool import Pool
from shared.errors import PostgresUnavailable
from tests.support.product import new_data_dir, remove_data_dir


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
    cluster = (data_dir / "postgresql").resolve() / "cluster"
    for source, name in ((certificates.certificate_file, "server.crt"), (certificates.key_file, "server.key")):
        shutil.copyfile(source, cluster / name)
        (cluster / name).chmod(0o600)
        if os.geteuid() == 0:
            os.chown(cluster / name, pwd.getpwnam("postgres").pw_uid, -1)
    with (cluster / "postgresql.conf").open("a") as configuration:
        configuration.write("ssl = on\n")
    with running(server):
        yield server.url


def encrypted(url: str) -> bool:
    pool = Pool(url, size=1)
    try:
        with pool.connection() as session:
            return bool(session.run("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0][0])
    finally:
        pool.close()


def test_a_verified_line_is_encrypted(tls_url: str, certificates: Certificates) -> None:
    for mode in ("verify-ca", "verify-full"):
        assert encrypted(f"{tls_url}?sslmode={mode}&sslrootcert={certificates.ca_file}")


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
