"""How much memory the private servers may take, by how much there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local_runtime.instance.servers.room import MEGABYTE

LEAST_MEGABYTES = 512
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Shares:
    """What each server may take, in MB. What is left is for our own processes, and for Redis while it writes its file anew."""

    redis: int
    rabbitmq: int
    postgresql_buffers: int
    postgresql_cache: int
    postgresql_maintenance: int


def shares_of(megabytes: int) -> Shares:
    """All but half of the memory is Redis's share, less what the others need on a small machine; RabbitMQ seldom uses its own."""
    return Shares(
        redis=max(128, megabytes // 2 - 256),
        rabbitmq=_within(256, megabytes // 4, 1024),
        postgresql_buffers=_within(32, megabytes // 16, 1024),
        postgresql_cache=megabytes // 2,
        postgresql_maintenance=_within(16, megabytes // 32, 256),
    )


def own_shares(megabytes: int = 0) -> Shares:
    """Of so much memory; 0 is all there is."""
    return shares_of(megabytes or there_are())


def there_are(groups: Path = _CONTROL_GROUPS, own: Path = _OWN_GROUPS) -> int:
    """MB of memory: the machine's, or what our control group, or one around it, is allowed where that is less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits(groups, own)]) // MEGABYTE


def _limits(groups: Path, own: Path) -> Iterator[int]:
    """Bytes; of version 2, and of version 1, whose groups without a limit have one of 2**63."""
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" not in controllers.split(",") and controllers:
                continue
            top, name = (groups / "memory", "memory.limit_in_bytes") if controllers else (groups, "memory.max")
            group = top / path.lstrip("/")
            for place in (group, *group.parents):
                with suppress(OSError, ValueError):
                    yield int((place / name).read_text())
                if place == top:
                    break


def _within(least: int, wanted: int, most: int) -> int:
    return max(least, min(most, wanted))
