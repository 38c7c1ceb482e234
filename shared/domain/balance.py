"""Whether every accepted update is accounted for."""

from __future__ import annotations

from typing import NamedTuple


class Gap(NamedTuple):
    """Numbers of one epoch that follow one another, from `first` to `last`."""

    epoch: int
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1
