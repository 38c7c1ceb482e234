"""What somebody wrote of a board, held against what may be said of one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any, get_args

from cronsim import CronSim, CronSimError

from shared.boards.definition import ALL_TIME, PERIOD_MEMBERS, Operator, Order, Period, Ties, Writer, instant
from shared.core.errors import InvalidBoard
from shared.core.ids import BOARD_NAME
from shared.core.limits import LARGEST
from shared.core.text import is_readable

MAIN_ID = "main"  # the specification's board, which nobody defines
MAX_PERIODS = 4
MAX_TITLE = 100
_NAMES_ARE = "1 to 40 small letters, digits, dashes and underscores, beginning with a letter or a digit"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CRON_IS = 'five fields, as in "0 0 * * MON" (minute, hour, day of month, month, day of week)'
_MAX_CRON = 100


def checked_members(board_id: str, given: object, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """All members of a definition; raises InvalidBoard, which names the member and what is allowed."""
    _check_name(board_id, "the id of the board")
    if board_id == MAIN_ID:
        raise InvalidBoard(f"`{MAIN_ID}` is the specification's board, which cannot be defined. Choose another id.")
    if not isinstance(given, Mapping):
        raise InvalidBoard("A board must be an object: its members, {} for one with all defaults.")
    _check_members(given, defaults, "a board")
    members = {**defaults, "title": board_id, **given}
    _check_title(members["title"])
    for name, kind in (("order", Order), ("operator", Operator), ("ties", Ties), ("write", Writer)):
        _check_choice(members[name], name, get_args(kind))
    for name in ("secondColumn", "public"):
        if not isinstance(members[name], bool):
            raise _refused(name, "must be true or false")
    for name, least, most in (
        ("minValue", -LARGEST, LARGEST),
        ("maxValue", -LARGEST, LARGEST),
        ("metadataBytes", 0, 1024),
        ("updatesPerMinute", 1, 1000),
    ):
        _check_integer(members[name], name, least, most)
    if members["minValue"] > members["maxValue"]:
        raise _refused("minValue", "must not be above `maxValue`")
    if members["secondColumn"] and members["ties"] == "shared":
        raise _refused("ties", "cannot be `shared` with `secondColumn`, which parts equal scores")
    _check_periods(members["periods"])
    return members


def _refused(member: str, why: str) -> InvalidBoard:
    return InvalidBoard(f"`{member}` {why}.", member=member)


def _check_name(value: object, what: str) -> None:
    if not isinstance(value, str) or not BOARD_NAME.fullmatch(value):
        raise InvalidBoard(f"{what[0].upper()}{what[1:]} must be {_NAMES_ARE}.")


def _check_members(given: Mapping[str, Any], known: Collection[str], of_what: str) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            meant = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(f'`{one}`' for one in known)}."
            raise InvalidBoard(f"`{str(name)[:100]}` is no member of {of_what}: {meant}", member=str(name)[:100])


def _check_title(value: object) -> None:
    text = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) and len(value) <= 4 * MAX_TITLE else ""
    if not 1 <= len(text) <= MAX_TITLE or not is_readable(text):
        raise _refused("title", f"must be a text of 1 to {MAX_TITLE} characters, none of them a control character")


def _check_choice(value: object, name: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise _refused(name, f"must be {_either(choices)}")


def _check_integer(value: object, name: str, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _refused(name, f"must be an integer from {least} to {most}")


def _check_periods(value: object) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PERIODS:
        raise _refused("periods", f"must be a list of 1 to {MAX_PERIODS} periods")
    names: set[str] = set()
    for place, period in enumerate(value):
        member = f"periods[{place}]"
        if not isinstance(period, Mapping):
            raise _refused(member, 'must be a period, as in {"name": "weekly", "cron": "0 0 * * MON"}')
        _check_members(period, PERIOD_MEMBERS, f"`{member}`")
        name = period.get("name")
        if not isinstance(name, str) or not BOARD_NAME.fullmatch(name):
            raise _refused(f"{member}.name", f"must be {_NAMES_ARE}")
        if name in names:
            raise _refused(f"{member}.name", f"is `{name}`, which another period is called")
        names.add(name)
        _check_schedule(period, member)
        _check_bounds(period, member)


def _check_schedule(period: Mapping[str, Any], member: str) -> None:
    if "cron" in period:
        if period["name"] == ALL_TIME:
            raise _refused(
                f"{member}.cron", f"has no place in `{ALL_TIME}`, which is never reset: call the period by another name"
            )
        if not _is_cron(period["cron"]):
            raise _refused(f"{member}.cron", f"must be a schedule that comes round: {_CRON_IS}")
    if "timeZone" in period:
        if "cron" not in period:
            raise _refused(f"{member}.timeZone", "is that of `cron`, which this period does not have")
        zone = period["timeZone"]
        if not isinstance(zone, str) or zone not in _time_zones():
            near = get_close_matches(zone, _time_zones(), 1) if isinstance(zone, str) else []
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise InvalidBoard(f"`{member}.timeZone` must be a time zone of IANA, such as `Europe/Berlin`{meant or '.'}",
                               member=f"{member}.timeZone")  # fmt: skip


def _check_bounds(period: Mapping[str, Any], member: str) -> None:
    for name in ("startsAt", "endsAt"):
        if name in period and not _is_instant(period[name]):
            raise _refused(f"{member}.{name}", "must be an instant with its offset, such as `2026-12-01T18:00:00Z`")
    bounds = Period.from_json(period)
    if bounds.starts_at and bounds.ends_at and bounds.starts_at >= bounds.ends_at:
        raise _refused(f"{member}.endsAt", "must be after `startsAt`")


def _is_cron(value: object) -> bool:
    """A fifth field is the last: cronsim would take seconds in front of them."""
    if not isinstance(value, str) or len(value) > _MAX_CRON or len(value.split()) != 5:
        return False
    try:
        next(CronSim(value, datetime.now(UTC)))
    except (CronSimError, StopIteration, AssertionError):
        return False
    return True


@cache
def _time_zones() -> frozenset[str]:
    """Those that every host knows, whatever its operating system has."""
    return frozenset((resources.files("tzdata") / "zones").read_text(encoding="utf-8").split())


def _is_instant(value: object) -> bool:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return False
    try:
        return instant(value).year >= 1970
    except (ValueError, OverflowError):
        return False


def _either(choices: Collection[str]) -> str:
    *others, last = (f"`{choice}`" for choice in choices)
    return f"{', '.join(others)} or {last}"
