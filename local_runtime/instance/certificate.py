"""What an instance shows over TLS: the operator's certificate, or one of its own for the names it listens under."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import socket
import stat
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from local_runtime.instance.server_tls import UnusableCertificate, server_context
from local_runtime.settings import InstanceSettings, SettingsError

if TYPE_CHECKING:
    from cryptography import x509

logger = logging.getLogger(__name__)

OWN_DIRECTORY, OWN_CA = "tls", "ca.pem"


def own_ca_file(settings: InstanceSettings) -> Path | None:
    """The CA that signs the instance's own certificate, where it shows that one."""
    return settings.data_dir / OWN_DIRECTORY / OWN_CA if settings.tls and settings.tls_cert is None else None


def problems_with_certificate(settings: InstanceSettings) -> list[str]:
    """What is wrong with the options that name one."""
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None and key is None:
        return []
    if certificate is None or key is None:
        return ["--tls-cert and --tls-key (SCOREBOARD_TLS_CERT, SCOREBOARD_TLS_KEY) go together: give both or neither"]
    if not settings.tls:
        return ["--tls-cert and --tls-key serve nothing without --tls"]
    try:
        server_context(certificate, key)
    except UnusableCertificate as error:
        return [f"--tls-cert, --tls-key: {error}"]
    # No refusal: where a renewal is late a restart would end the service for those, too, who accept it or come in by a proxy.
    if dates := invalid_dates(certificate):
        logger.warning("%s: clients refuse it. It is followed without a restart when it is renewed", dates)
    if key.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("other accounts of this machine can read the private key in %s: chmod 600 it", key)
    return []


def invalid_dates(certificate: Path, now: dt.datetime | None = None) -> str:
    """That a certificate is not valid any more or not yet; "" for one that is, or that cannot be read."""
    from cryptography import x509

    try:
        shown = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return ""
    now = now or dt.datetime.now(dt.UTC)
    if now > shown.not_valid_after_utc:
        return f"the certificate in {certificate} expired on {shown.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if now < shown.not_valid_before_utc:
        return f"the certificate in {certificate} is not valid before {shown.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return ""


def with_certificate(settings: InstanceSettings) -> InstanceSettings:
    """The settings naming a certificate and its key, made now if they are to be the instance's own; raises SettingsError."""
    own_ca = own_ca_file(settings)
    if own_ca is None:
        return settings
    from local_runtime.instance.servers.certificates import ensure_certificates

    try:
        made = ensure_certificates(own_ca.parent, names=_names_of(settings.host))
    except ValueError as error:
        raise SettingsError(f"--tls cannot make a certificate for {settings.host}: {error}; give one with --tls-cert") from None
    return dataclasses.replace(settings, tls_cert=made.certificate_file, tls_key=made.key_file)


def _names_of(host: str) -> tuple[x509.GeneralName, ...]:
    """Under which clients elsewhere call the address listened on; loopback's names are in every certificate."""
    from cryptography import x509

    try:
        address = ip_address(host)
    except ValueError:
        return (x509.DNSName(host),)
    return (x509.DNSName(socket.gethostname()),) if address.is_unspecified else (x509.IPAddress(address),)
