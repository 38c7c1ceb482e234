"""The server's side of TLS: 1.3 only, and a certificate that may be renewed under a running server."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


class UnusableCertificate(ValueError):
    """Certificate and key cannot be served; the message says why and never shows the key."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 with this chain and key; raises UnusableCertificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    # No tickets behind the handshake: a client whose threads read and write at once may stumble over them.
    context.num_tickets = 0
    try:
        for path in (certificate, key):
            path.open("rb").close()  # OpenSSL does not say which of them it could not read
        # Without an answer of ours OpenSSL would ask for a password at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except OSError as error:
        raise UnusableCertificate(_explained(error, certificate, key)) from None
    return context


def _explained(error: OSError, certificate: Path, key: Path) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"{error.filename} cannot be read: {error.strerror}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key} is not that of the certificate in {certificate}"
    if error.reason in ("BAD_PASSWORD_READ", "BAD_DECRYPT", "PROBLEMS_GETTING_PASSWORD") or _is_locked(key):
        return f"the key in {key} has a password, which a server that starts by itself cannot be told"
    return f"{certificate} and {key} are no certificate chain with its key in PEM form"


def _is_locked(key: Path) -> bool:
    return b"ENCRYPTED" in key.read_bytes()


class ServerTls:
    """The context of new connections: `refresh` it now and then, and it follows the files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._stamp = self._look()
        self.context = server_context(certificate, key)

    def refresh(self) -> None:
        """Load files that have changed; what cannot be used, such as half of a pair, leaves everything as it was."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.context = server_context(*self._files)
        except UnusableCertificate as error:
            logger.error("the new certificate is not used: %s", error)  # noqa: TRY400 - written for the reader
        else:
            logger.info("the certificate was renewed")

    def _look(self) -> Stamp:
        return tuple(_stamp(path) for path in self._files)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
