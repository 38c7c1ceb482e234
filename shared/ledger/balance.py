"""Whether every accepted update is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.ledger.events import Number


class Gap(NamedTuple):
    """Numbers of one epoch that follow one another, from `first` to `last`."""

    epoch: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many numbers."""
        return self.last - self.first + 1

    def without(self, sequences: Sequence[int]) -> list[Gap]:
        """What is left of the gap without these numbers of its epoch, which rise."""
        inside = [sequence for sequence in sequences if self.first <= sequence <= self.last]
        firsts = [self.first, *(sequence + 1 for sequence in inside)]
        lasts = [*(sequence - 1 for sequence in inside), self.last]
        return [Gap(self.epoch, first, last) for first, last in zip(firsts, lasts, strict=True) if first <= last]

    def common(self, others: Sequence[Gap]) -> list[Gap]:
        """What of it lies in the others, too."""
        overlaps = [
            Gap(self.epoch, max(self.first, other.first), min(self.last, other.last))
            for other in others
            if other.epoch == self.epoch
        ]
        return [overlap for overlap in overlaps if overlap.first <= overlap.last]


@dataclass(frozen=True, slots=True)
class Balance:
    """Of all updates up to `number`: how many wait in the outbox, and which are in no store, `in_flight`. All others are in the
    ledger, or noted there as refused; or Redis lost them before anything else had them, and their points with them: `lost`.
    """

    number: Number
    outbox: int
    in_flight: list[Gap]
    lost: int

    @property
    def updates_in_flight(self) -> int:
        """How many are in no store."""
        return sum(gap.size for gap in self.in_flight)
