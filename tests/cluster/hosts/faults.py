"""What is done to the hosts: each fault begins with its block, and ends with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.cluster.hosts.cluster import Cluster
from tests.cluster.hosts.host import Host

LOST_SHARE = 0.08
RTT_MILLISECONDS = 5.0
CABLES = 2  # between two hosts, through the switch
Fault = Callable[[Cluster, Host], AbstractContextManager[None]]


@contextmanager
def switched_off(cluster: Cluster, host: Host) -> Iterator[None]:
    """Everything on it is gone; in the end it is switched on again."""
    cluster.switch_off(host)
    yield
    cluster.switch_on(host)


@contextmanager
def cut_off(_: Cluster, host: Host) -> Iterator[None]:
    """Everything on it runs on."""
    host.port.cut()
    yield
    host.port.mend()


@contextmanager
def mute(_: Cluster, host: Host) -> Iterator[None]:
    """It hears everybody, and nobody hears it."""
    host.port.mute()
    yield
    host.port.mend()


@contextmanager
def deaf(_: Cluster, host: Host) -> Iterator[None]:
    """Everybody hears it, and it hears nobody."""
    host.port.deafen()
    yield
    host.port.mend()


@contextmanager
def lossy(cluster: Cluster, _: Host) -> Iterator[None]:
    """Between any two hosts so many packets are lost, each way."""
    for host in cluster.hosts:
        host.port.lose(1 - (1 - LOST_SHARE) ** (1 / CABLES))
    yield
    for host in cluster.hosts:
        host.port.mend()


@contextmanager
def slow(cluster: Cluster, _: Host) -> Iterator[None]:
    """Between any two hosts an answer takes so long."""
    for host in cluster.hosts:
        host.port.slow_down(RTT_MILLISECONDS / 2 / CABLES)
    yield
    for host in cluster.hosts:
        host.port.mend()
