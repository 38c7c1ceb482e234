"""What an operator may say of a board: how it counts, what it accepts, who may write to it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from shared.core.clock import utc_text
from shared.core.limits import LARGEST

Order = Literal["descending", "ascending"]
Operator = Literal["add", "best", "latest"]
Ties = Literal["first_to_reach", "shared"]
Writer = Literal["player", "server"]
ALL_TIME = "all_time"
# What would change the meaning of entries that are there.
_MEANING = ("order", "operator", "ties", "secondColumn")
_SCHEDULE = ("cron", "timeZone")
PERIOD_MEMBERS = ("name", *_SCHEDULE, "startsAt", "endsAt")


@dataclass(frozen=True, slots=True)
class Period:
    """What a board counts over. With a `cron` expression each run is a season; without one it lasts until somebody resets it.

    `starts_at` and `ends_at` (UTC) bound the whole: outside nothing counts in it.
    """

    name: str
    cron: str = ""
    time_zone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Period:
        """Read what `as_json` gave, or what was checked."""
        starts_at, ends_at = (instant(members[name]) if name in members else None for name in ("startsAt", "endsAt"))
        cron = " ".join(members.get("cron", "").split())
        return cls(members["name"], cron, members.get("timeZone", "UTC"), starts_at, ends_at)

    def as_json(self) -> dict[str, str]:
        """In the words of the API: what it does not have is left out."""
        members = {"name": self.name} | ({"cron": self.cron, "timeZone": self.time_zone} if self.cron else {})
        bounds = {"startsAt": self.starts_at, "endsAt": self.ends_at}
        return members | {name: utc_text(at) for name, at in bounds.items() if at is not None}


@dataclass(frozen=True, slots=True)
class BoardDefinition:
    """A board other than the specification's. Values and scores are integers of at most LARGEST in size."""

    board_id: str
    title: str
    order: Order = "descending"
    operator: Operator = "add"
    min_value: int = 0
    max_value: int = LARGEST
    has_second: bool = False
    ties: Ties = "first_to_reach"
    periods: tuple[Period, ...] = (Period(ALL_TIME),)
    write: Writer = "player"
    is_public: bool = False
    metadata_bytes: int = 0
    updates_per_minute: int = 100

    @classmethod
    def parse(cls, board_id: str, given: object) -> BoardDefinition:
        """Read what somebody wrote; members that are absent have their defaults, the title that of the id.

        Raises InvalidBoard, which names the member and what is allowed.
        """
        from shared.boards.check_definition import checked_members  # only who defines boards needs it

        return cls.from_json(board_id, checked_members(board_id, given, DEFAULTS))

    @classmethod
    def from_json(cls, board_id: str, members: Mapping[str, Any]) -> BoardDefinition:
        """Read what `as_json` gave. Members that another version knows are left alone."""
        return cls(
            board_id,
            unicodedata.normalize("NFC", members["title"]).strip(),
            order=members["order"],
            operator=members["operator"],
            min_value=members["minValue"],
            max_value=members["maxValue"],
            has_second=members["secondColumn"],
            ties=members["ties"],
            periods=tuple(map(Period.from_json, members["periods"])),
            write=members["write"],
            is_public=members["public"],
            metadata_bytes=members["metadataBytes"],
            updates_per_minute=members["updatesPerMinute"],
        )

    def as_json(self) -> dict[str, Any]:
        """In the words of the API, every member present but the id."""
        return {
            "title": self.title,
            "order": self.order,
            "operator": self.operator,
            "minValue": self.min_value,
            "maxValue": self.max_value,
            "secondColumn": self.has_second,
            "ties": self.ties,
            "periods": [period.as_json() for period in self.periods],
            "write": self.write,
            "public": self.is_public,
            "metadataBytes": self.metadata_bytes,
            "updatesPerMinute": self.updates_per_minute,
        }


DEFAULTS = BoardDefinition("", "").as_json()


class Change(NamedTuple):
    """A member (`order`, `periods[weekly].cron`), and the period whose entries it concerns; None for those of all."""

    member: str
    period: str | None = None


def changes_meaning(old: BoardDefinition, new: BoardDefinition) -> list[Change]:
    """What of a change would give another meaning to entries that are there."""
    before, after = old.as_json(), new.as_json()
    changes = [Change(name) for name in _MEANING if before[name] != after[name]]
    followers = {period["name"]: period for period in after["periods"]}
    for period in before["periods"]:
        name = period["name"]
        if name not in followers:
            changes.append(Change(f"periods[{name}]", name))
        else:
            differ = [member for member in _SCHEDULE if period.get(member) != followers[name].get(member)]
            changes += [Change(f"periods[{name}].{member}", name) for member in differ]
    return changes


def instant(text: str) -> datetime:
    """In UTC, to the millisecond."""
    at = datetime.fromisoformat(text.upper()).astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
