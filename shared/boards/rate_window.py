"""What Redis may have lost of the sliding windows of updates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Losses:
    """What Redis may have lost of players' latest updates.

    First results and spent tickets from before `results_since` (ms; 0 for always) may be missing while `results` is true,
    instants in rate windows while `windows` is.
    """

    results_since: int
    results: bool
    windows: bool
