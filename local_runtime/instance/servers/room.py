"""Keeps the private servers from meeting a full disk with what they have answered for and not written.

Redis answers the changes of a turn even if it could not write them to its append-only file just then, and only refuses later
ones. They are in its memory until there is room, and gone if it dies before. So it is told to refuse changes while there still
is room, and where the disk was filled at a stroke, a reserve is given up for it to write the rest. RabbitMQ writes its quorum
queues' logs over in the background and can lose a part of one when it has no room for that: it must not run then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
LOW_BYTES = 64 * MEGABYTE
LOW_SHARE = 8  # of a small disk, an eighth is little
ASK_SECONDS = 1.0


def low_bytes(place: Path) -> int:
    """Free bytes of the file system of a directory below which no change is accepted any more."""
    status = os.statvfs(place)
    return min(LOW_BYTES, status.f_blocks * status.f_frsize // LOW_SHARE)


def free_bytes(place: Path) -> int:
    """What is left there for us."""
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def is_exhausted(place: Path) -> bool:
    """Whether a server that writes there must fear to be left with half of what it writes."""
    return free_bytes(place) < low_bytes(place) // 8


class Room:
    """Looks after the file system of the private servers; `tend` is to be called several times a second.

    `refuse_changes` tells Redis to refuse changes or to take them again; it answers whether Redis heard, and never waits long.
    `on_exhausted` is called when there is next to nothing left, once each time.
    """

    def __init__(self, place: Path, refuse_changes: Callable[[bool], bool], on_exhausted: Callable[[], object]) -> None:
        self._place = place
        self._reserve = place / "reserve"
        self._low = low_bytes(place)
        self._reserve_bytes = self._low // 2
        self._refuse_changes = refuse_changes
        self._on_exhausted = on_exhausted
        self._is_refusing = self._was_exhausted = False
        self._told_at = float("-inf")
        self.free_bytes = 0  # when it was looked last

    def tend(self) -> None:
        """Cheap when there is nothing to do; a file system that cannot be looked at is left alone."""
        with contextlib.suppress(OSError):
            self.free_bytes = free = free_bytes(self._place)
            is_reserved = self._reserve.exists()
            room = free + self._reserve_bytes * is_reserved
            if not self._is_refusing and room < self._low + self._reserve_bytes:
                self._is_refusing = True
                logger.error("%s has %d MB left: changes are refused until there is more room", self._place, free // MEGABYTE)
            elif self._is_refusing and room > 2 * self._low + self._reserve_bytes and self._refuse_changes(False):
                self._is_refusing = self._was_exhausted = False
                logger.warning("%s has %d MB left: changes are taken again", self._place, free // MEGABYTE)
            if self._is_refusing:
                self._tell()
                self._see_whether_exhausted()
            elif not is_reserved:
                self._take_reserve()

    def _tell(self) -> None:
        """Again and again, for a Redis that was started in the meantime knows nothing of it."""
        if time.monotonic() - self._told_at > ASK_SECONDS and self._refuse_changes(True):
            self._told_at = time.monotonic()

    def _see_whether_exhausted(self) -> None:
        before, self._was_exhausted = self._was_exhausted, is_exhausted(self._place)
        if self._was_exhausted:
            self._reserve.unlink(missing_ok=True)
            if not before:
                self._on_exhausted()

    def _take_reserve(self) -> None:
        """Real blocks, also where zeros would be stored as nothing."""
        new = self._reserve.with_name("reserve.new")
        with new.open("wb") as file:
            for _ in range(self._reserve_bytes // MEGABYTE):
                file.write(os.urandom(MEGABYTE))
        new.chmod(0o600)
        new.replace(self._reserve)
