"""Who an API claims to be in the events it makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiIdentity:
    """The account, API and stage of a request context."""

    stage: str = "$default"
    api_id: str = "local"
    account_id: str = "000000000000"


def domain_of(host: str) -> str:
    """The domain name of a Host header: without the port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def text_of(value: bytes) -> str | None:
    """The text of UTF-8 bytes, None when they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
