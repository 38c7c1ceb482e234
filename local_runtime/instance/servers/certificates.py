"""A certificate authority of the instance's own and server certificates for loopback, kept in the data directory."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_BEFORE = dt.timedelta(days=30)  # the clock of a machine may be set back after they were made
LIFETIME = dt.timedelta(days=825) - VALID_BEFORE  # what is valid for longer some clients refuse
RENEW_BEFORE = dt.timedelta(days=30)
NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the CA's certificate, the server's chain and its private key."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def ensure_certificates(
    directory: Path, now: dt.datetime | None = None, *, names: Collection[x509.GeneralName] = ()
) -> Certificates:
    """The certificates in `directory`, made when there are none, they end within a month, or do not name all of `names`.

    The CA's private key is never written: a new CA comes with every renewal.
    """
    now = now or dt.datetime.now(dt.UTC)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificates = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    wanted = (*NAMES, *(name for name in names if name not in NAMES))
    if not _still_good(certificates, now, wanted):
        _make(certificates, now, wanted)
    return certificates


def _still_good(certificates: Certificates, now: dt.datetime, names: Collection[x509.GeneralName]) -> bool:
    try:
        server = x509.load_pem_x509_certificate(certificates.certificate_file.read_bytes())
        ca = x509.load_pem_x509_certificate(certificates.ca_file.read_bytes())
        key = serialization.load_pem_private_key(certificates.key_file.read_bytes(), password=None)
        server.verify_directly_issued_by(ca)
        named = set(server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    # A renewal that was interrupted leaves files that do not belong together.
    return (
        server.public_key() == key.public_key()
        and named >= set(names)
        and server.not_valid_before_utc <= now
        and server.not_valid_after_utc - now > RENEW_BEFORE
    )


def _make(certificates: Certificates, now: dt.datetime, names: Collection[x509.GeneralName]) -> None:
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Scoreboard local CA")])
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), ca_name, server_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = server_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(certificates.key_file, key)
    certificates.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    certificates.certificate_file.write_bytes(server.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID_BEFORE)
        .not_valid_after(now + LIFETIME)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
