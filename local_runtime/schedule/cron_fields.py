"""The fields of a cron expression: lists, ranges, steps and names, as sets of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local_runtime.schedule.invalid import InvalidSchedule


@dataclass(frozen=True, slots=True)
class FieldForm:
    """What may stand in a field: its limits, and names for the numbers from `low` on."""

    name: str
    low: int
    high: int
    names: Sequence[str] = ()

    @property
    def supported(self) -> str:
        """For error messages."""
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names} with , - * /"

    def number(self, text: str) -> int:
        """A number of this field or a name for one. Raises InvalidSchedule."""
        if text.upper() in self.names:
            return self.low + list(self.names).index(text.upper())
        if text.isascii() and text.isdigit() and self.low <= int(text) <= self.high:
            return int(text)
        raise self.wrong(text)

    def wrong(self, text: str) -> InvalidSchedule:
        """The error for a text that cannot stand in this field."""
        return InvalidSchedule(f"cron: {text!r} cannot be {self.name}", self.supported)


MINUTES = FieldForm("minutes", 0, 59)
HOURS = FieldForm("hours", 0, 23)
DAY_OF_MONTH = FieldForm("day of month", 1, 31)
MONTH = FieldForm("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"))
DAY_OF_WEEK = FieldForm("day of week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
YEAR = FieldForm("year", 1970, 2199)


def parse_field(text: str, form: FieldForm) -> tuple[int, ...]:
    """The numbers a field stands for, in order. Raises InvalidSchedule."""
    return tuple(sorted({number for item in text.split(",") for number in _item(item, form)}))


def _item(text: str, form: FieldForm) -> range:
    base, slash, step_text = text.partition("/")
    first, dash, last = base.partition("-")
    if base == "*":
        low, high = form.low, form.high
    else:
        low = form.number(first)
        # A single number with a step goes on to the end of the field.
        high = form.number(last) if dash else form.high if slash else low
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit() and 1 <= int(step_text) <= form.high):
            raise form.wrong(text)
        step = int(step_text)
    if low > high:
        raise form.wrong(text)
    return range(low, high + 1, step)
