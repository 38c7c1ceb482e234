"""The versions of TLS that an operator may name; apart from what speaks it, for whoever reads settings alone."""

from __future__ import annotations

from typing import Literal

TlsVersion = Literal["1.2", "1.3"]
TLS_VERSIONS: tuple[TlsVersion, ...] = ("1.2", "1.3")
AMQP_TLS_MINIMUM: TlsVersion = "1.3"


def tls_version(text: str) -> TlsVersion:
    """Read AMQP_TLS_MINIMUM; raises ValueError."""
    for version in TLS_VERSIONS:
        if text == version:
            return version
    raise ValueError("is neither 1.2 nor 1.3")
