"""Numbers of this process: counters, gauges and histograms, cheap enough for what happens with every update.

Nothing is locked: the interpreter gives another thread its turn only at calls and loops, and no number is changed across one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

PREFIX = "scoreboard_"


class Counter:
    """Only rises."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        """Count `amount` more."""
        self.value += amount

    def read(self) -> float:
        """How much was counted."""
        return self.value


class Gauge:
    """What something is now, or was when it was measured."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def set(self, value: float) -> None:
        """What it is now."""
        self.value = value

    def read(self) -> float:
        """What it is."""
        return self.value


class Histogram:
    """How many observations are in each bucket, and their sum; `bounds` are the buckets' upper ends, the last bucket has none."""

    __slots__ = ("bounds", "counts", "sums")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sums = [0.0] * (len(bounds) + 1)

    def observe(self, value: float, times: int = 1) -> None:
        """Count an observation, or several of the same."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += times
        self.sums[bucket] += value * times

    def read(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Observations of each bucket, and their sums."""
        return tuple(self.counts), tuple(self.sums)


Instrument = TypeVar("Instrument", Counter, Gauge, Histogram)


Together = Literal["", "sum", "max"]


class Reading(NamedTuple):
    """A family as it stands: for each tuple of label values a number, or of a histogram counts and sums of its buckets.

    `together` says what the gauges of several processes make: their sum, their maximum, or nothing (``), because they tell of
    what exists once and whoever wants to know has it measured. Counters and histograms are always added up.
    """

    kind: str
    name: str
    help: str
    unit: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()
    values: dict[tuple[str, ...], Any] = {}  # noqa: RUF012 - of a tuple; each reading is given its own
    together: Together = ""


class Family(Generic[Instrument]):
    """All of one name: an instrument for each tuple of label values, made at its first use."""

    def __init__(self, description: Reading, make: Callable[[], Instrument], known: Sequence[tuple[str, ...]]) -> None:
        self._description = description
        self._make: Callable[[], Instrument] = make
        self._instruments: dict[tuple[str, ...], Instrument] = {}
        for values in known:
            self.of(*values)

    def of(self, *values: str) -> Instrument:
        """The instrument with these label values; keep it where it is used often."""
        found = self._instruments.get(values)
        return found if found is not None else self._instruments.setdefault(values, self._make())

    def clear(self) -> None:
        """Forget all values: what is not measured again is not known."""
        self._instruments.clear()

    def read(self) -> Reading:
        """What stands here."""
        values = {values: each.read() for values, each in tuple(self._instruments.items())}
        return Reading(*self._description[:-2], values, self._description.together)  # _replace takes three times as long


class Registry:
    """Families, in the order in which they were declared.

    `known` are tuples of label values that are there from the beginning, with 0: what was never counted is then no gap.
    """

    def __init__(self) -> None:
        self._families: list[Family[Any]] = []

    def counter(
        self,
        name: str,
        help_text: str,
        labels: tuple[str, ...] = (),
        *,
        known: Sequence[tuple[str, ...]] = (),
        unit: str = "Count",
    ) -> Family[Counter]:
        """Declare counters; the name ends in `_total`."""
        return self._add(Family(Reading("counter", PREFIX + name, help_text, unit, labels), Counter, known))

    def gauge(
        self, name: str, help_text: str, labels: tuple[str, ...] = (), *, together: Together = "", unit: str = "Count"
    ) -> Family[Gauge]:
        """Declare gauges; `together` as in Reading."""
        return self._add(Family(Reading("gauge", PREFIX + name, help_text, unit, labels, together=together), Gauge, ()))

    def histogram(
        self, name: str, help_text: str, labels: tuple[str, ...] = (), *, bounds: tuple[float, ...], unit: str = "Seconds"
    ) -> Family[Histogram]:
        """Declare histograms."""
        description = Reading("histogram", PREFIX + name, help_text, unit, labels, bounds)
        return self._add(Family(description, lambda: Histogram(bounds), ()))

    def read(self) -> list[Reading]:
        """All families as they stand."""
        return [family.read() for family in self._families]

    def _add(self, family: Family[Instrument]) -> Family[Instrument]:
        self._families.append(family)
        return family
