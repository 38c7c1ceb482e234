"""Hosts on a switch, all in network namespaces; the cable of each can be cut, slowed down, and made to lose frames."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.cluster.namespaces import in_network, network_namespace
from tests.support.product import ROOT

NETWORK = "10.91.0"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


@dataclass(frozen=True, slots=True)
class Port:
    """Where a host is on the network."""

    namespace: str
    address: str
    cable: subprocess.Popen[bytes]

    def mend(self) -> None:
        """Everything comes through at once."""
        self._set(0, 0, 0)

    def cut(self) -> None:
        """Nothing comes through, and no end is told: a pulled plug somewhere on the way."""
        self._set(0, 1, 1)

    def mute(self) -> None:
        """What the host sends is lost; it hears everything."""
        self._set(0, 1, 0)

    def deafen(self) -> None:
        """What is sent to the host is lost; everybody hears it."""
        self._set(0, 0, 1)

    def lose(self, share: float) -> None:
        """So many of the frames, each way."""
        self._set(0, share, share)

    def slow_down(self, milliseconds: float) -> None:
        """Each frame takes so long, each way."""
        self._set(milliseconds, 0, 0)

    def _set(self, milliseconds: float, sent: float, received: float) -> None:
        assert self.cable.stdin is not None
        self.cable.stdin.write(f"{milliseconds} {sent} {received}\n".encode())
        self.cable.stdin.flush()


@contextmanager
def network(names: Sequence[str]) -> Iterator[list[Port]]:
    """The hosts of these names, from address NETWORK.1 on, and whoever is in this thread with them."""
    with ExitStack() as stack:
        switch = stack.enter_context(network_namespace("switch"))
        _ip(switch, "link", "add", "bridge", "type", "bridge")
        _ip(switch, "link", "set", "bridge", "up")
        ports = []
        for number, name in enumerate([*names, "players"], 1):
            namespace = stack.enter_context(network_namespace(name))
            cable = stack.enter_context(_cable(namespace, switch, f"port{number}"))
            ports.append(Port(namespace, f"{NETWORK}.{number}", cable))
            _ip(namespace, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            _ip(namespace, "link", "set", "eth0", "up")
            _ip(switch, "link", "set", f"port{number}", "master", "bridge", "up")
        stack.enter_context(in_network(ports.pop().namespace))
        yield ports


@contextmanager
def _cable(namespace: str, switch: str, port: str) -> Iterator[subprocess.Popen[bytes]]:
    """Between `eth0` of a host and a port of the switch."""
    ends = _tap(namespace, "eth0"), _tap(switch, port)
    try:
        cable = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.hosts.cable", *map(str, ends)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            pass_fds=ends,
            start_new_session=True,  # Ctrl-C ends it last
        )
    finally:
        for end in ends:
            os.close(end)
    with cable:
        yield cable


def _tap(namespace: str, name: str) -> int:
    with in_network(namespace):
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        return descriptor


def _ip(namespace: str, *words: str) -> None:
    subprocess.run(["ip", "-n", namespace, *words], check=True)
