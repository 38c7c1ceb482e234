"""How much memory the private servers may take, by how much there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local_runtime.instance.servers.room import MEGABYTE

OTHERS_MEGABYTES = 640  # what RabbitMQ, PostgreSQL and our own processes need
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_OF_VERSION_1, _OF_VERSION_2 = ("memory.limit_in_bytes",), ("memory.max", "memory.high")


@dataclass(frozen=True, slots=True)
class Shares:
    """What each server may take, in MB."""

    redis: int
    rabbitmq: int
    postgresql_buffers: int
    postgresql_cache: int
    postgresql_maintenance: int


def shares_of(megabytes: int) -> Shares:
    """Half of the memory is Redis's, of a small machine what the others leave; while it writes its file anew it may need more for
    a while. Each is more than nothing of however little.
    """
    return Shares(
        redis=max(128, min(megabytes // 2, megabytes - OTHERS_MEGABYTES)),
        rabbitmq=_within(256, megabytes // 4, 1024),
        postgresql_buffers=_within(
            32, megabytes // 16, 256
        ),  # 1 GB would take 30 MB more of an idle instance, and record no faster
        postgresql_cache=max(64, megabytes // 2),
        postgresql_maintenance=_within(16, megabytes // 32, 256),
    )


def own_shares(megabytes: int = 0) -> Shares:
    """Of so much memory; 0 is all there is."""
    return shares_of(megabytes or available_megabytes())


def available_megabytes(groups: Path = _CONTROL_GROUPS, own: Path = _OWN_GROUPS) -> int:
    """MB of memory: the machine's, or what the control groups of a process (`own`) are allowed where that is less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits(groups, own)]) // MEGABYTE


def _limits(groups: Path, own: Path) -> Iterator[int]:
    """Bytes, of each group and those around it; a group of version 1 without a limit has one of 2**63."""
    with suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top, names = (groups / "memory", _OF_VERSION_1) if controllers else (groups, _OF_VERSION_2)
            group = top / path.lstrip("/")
            for place in (group, *group.parents):
                for name in names:
                    with suppress(OSError, ValueError):
                        if (limit := int((place / name).read_text())) > 0:
                            yield limit
                if place == top:
                    break


def _within(least: int, wanted: int, most: int) -> int:
    return max(least, min(most, wanted))
