"""Local times of a zone as instants, with what EventBridge makes of the hours that summer time skips and repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


def instant_of(local: datetime, zone: tzinfo) -> datetime | None:
    """The instant of a naive local time: None when the clocks skip it, the first of the two when they repeat it."""
    try:
        instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        exists = instant.astimezone(zone).replace(tzinfo=None, fold=0) == local
    except OverflowError:
        return None
    return instant if exists else None


@dataclass(frozen=True, slots=True)
class OneTime:
    """`at(...)`: one local time, and never again."""

    local: datetime
    zone: tzinfo

    def next_after(self, instant: datetime) -> datetime | None:
        """See ScheduleExpression."""
        occurrence = instant_of(self.local, self.zone)
        return occurrence if occurrence is not None and occurrence > instant else None
