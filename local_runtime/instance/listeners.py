"""The sockets an instance listens on, bound once, so that a new HTTP process finds the old one's connections waiting."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from local_runtime.instance.errors import InstanceError
from local_runtime.settings import InstanceSettings

_BACKLOG = 2048
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, never bound here


@dataclass(frozen=True, slots=True)
class Listeners:
    """The public listener and the one of the @connections management API, which is for loopback only."""

    public: socket.socket
    management: socket.socket

    @property
    def port(self) -> int:
        """The public port, which the system may have chosen."""
        return int(self.public.getsockname()[1])

    @property
    def local_host(self) -> str:
        """The address under which this machine reaches the public listener."""
        host = str(self.public.getsockname()[0])
        return ANYWHERE.get(host, host)

    def base_url(self, scheme: str) -> str:
        """Where a client on this machine connects."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"{scheme}://{host}:{self.port}"

    def management_url(self, stage: str) -> str:
        """The endpoint to give to a client of the management API."""
        return f"http://127.0.0.1:{self.management.getsockname()[1]}/{stage}"


@contextmanager
def bound_listeners(settings: InstanceSettings) -> Iterator[Listeners]:
    """Bind both; InstanceError names the option to change."""
    with _bind(settings) as public, socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as management:
        yield Listeners(public, management)


def refuse_exposure(settings: InstanceSettings) -> None:
    """InstanceError when plain text would leave this machine without anybody having said so."""
    if settings.tls or settings.insecure or _is_loopback(settings.host):
        return
    raise InstanceError(
        f"{settings.host} is reachable from other machines, where passwords and tokens would travel as plain text: "
        "serve HTTPS with --tls, or allow it with --insecure (behind a proxy that terminates TLS)"
    )


def _bind(settings: InstanceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InstanceError(_advice(settings, error)) from None


def _advice(settings: InstanceSettings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {settings.port} on {settings.host} is in use by another program: choose another with --port "
            "(SCOREBOARD_PORT); --port 0 takes a free one"
        )
    if error.errno == errno.EACCES:
        return f"port {settings.port} needs more rights: choose one above 1023 with --port (SCOREBOARD_PORT)"
    # Below 0 are the resolver's numbers, which create_server leaves without their kind.
    if error.errno == errno.EADDRNOTAVAIL or (error.errno or 0) < 0:
        return f"{settings.host} is no address or name of this machine: choose another with --host (SCOREBOARD_HOST)"
    return f"cannot listen on {settings.host}:{settings.port}: {os.strerror(error.errno or 0)} (--host, --port)"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (socket.gaierror, UnicodeError):
        return True  # binding will say what is wrong with it
    return all(ip_address(address.partition("%")[0]).is_loopback for address in addresses)
