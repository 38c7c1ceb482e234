"""What came of a broadcast and of looking after those who watch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """The version that went out; not complete when there was no time left for all viewers, so that another one must go on."""

    version: int
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class ViewerSweep:
    """How many viewers were dropped because their session had ended, and whether others wait for a frame."""

    ended: int = 0
    is_behind: bool = False
