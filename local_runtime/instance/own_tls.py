"""How verbs verify the instance they belong to: by the CA of its own certificate, or by the operator's certificate itself.

An operator's certificate names where players connect, and is signed by a CA that this machine need not know. Neither says
anything about an address of this machine, so exactly the certificates that the instance serves are trusted there.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.core.tls import client_context

_KEPT = 4  # what was served shortly before, while a worker takes a new one up
_PEM = re.compile(r"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----.+?-----END \1-----", re.DOTALL)


class ServedCertificates:
    """The certificates that an operator's file has held since the start, for runtime.json; None: the instance made its own."""

    def __init__(self, file: Path | None) -> None:
        self._file = file.absolute() if file is not None else None
        self._held: list[str] = []
        self.look()

    def look(self) -> bool:
        """Read the file; whether it holds another certificate than before."""
        held = _served_from(self._file) if self._file is not None else ""
        if not held or held in self._held[-1:]:
            return False
        self._held = [*self._held, held][-_KEPT:]
        return True

    @property
    def as_runtime(self) -> dict[str, Any]:
        """What runtime.json says of them."""
        return {"certificate_file": str(self._file or ""), "certificates": self._held}


class _Pinned(ssl.SSLContext):
    """Trusts certificates instead of CAs and names, and reads the file again for each connection: it may have been renewed."""

    certificate_file = Path()

    def trust(self, runtime: Mapping[str, Any]) -> None:
        """Trust what this runtime.json names, too."""
        self.certificate_file = Path(runtime["certificate_file"])
        for certificate in runtime["certificates"]:
            self.load_verify_locations(cadata=certificate)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        self._follow()
        return super().wrap_socket(*arguments, **options)

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        self._follow()
        return super().wrap_bio(*arguments, **options)

    def _follow(self) -> None:
        if held := _served_from(self.certificate_file):
            with suppress(ssl.SSLError):  # half written
                self.load_verify_locations(cadata=held)


def context_for(runtime: Mapping[str, Any]) -> ssl.SSLContext | None:
    """For connections to the instance of this runtime.json; None where it serves plain HTTP."""
    if not runtime["base_url"].startswith("https:"):
        return None
    if not runtime.get("certificate_file"):  # an earlier version's has no such member
        return client_context(runtime["ca_file"], "the certificate")
    context = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.trust(runtime)
    return context


def trust_also(context: ssl.SSLContext, runtime: Mapping[str, Any]) -> None:
    """Have the context verify this instance, too: the same one, started again since."""
    if isinstance(context, _Pinned) and runtime.get("certificate_file"):
        context.trust(runtime)
    elif runtime["ca_file"]:
        context.load_verify_locations(runtime["ca_file"])


def _served_from(file: Path) -> str:
    """The first certificate of the chain, as PEM; empty while the file cannot be read."""
    try:
        found = _PEM.search(file.read_text(errors="replace"))
    except OSError:
        return ""
    return found.group() if found else ""
