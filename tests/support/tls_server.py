"""A server that shows a certificate of the test's choice and notes what it was told afterwards."""

from __future__ import annotations

import socket
import ssl
import threading
from types import TracebackType
from typing import Self

import trustme


class TlsServer:
    """On loopback, a context manager; `heard` is what clients said once they had accepted it."""

    def __init__(
        self, certificate: trustme.LeafCert, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, ciphers: str = "DEFAULT"
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = newest
        self._context.set_ciphers(ciphers)  # of TLS 1.2
        certificate.configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.handshakes = 0
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        socket.socket.shutdown(self._listener, socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.handshakes += 1
            plain.settimeout(5.0)
            try:
                with self._context.wrap_socket(plain, server_side=True) as secure:
                    received = secure.recv(1024)
                    if received:
                        self.heard.append(received)
            except OSError:
                plain.close()
