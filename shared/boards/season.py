"""Seasons: the runs of a board's periods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from shared.boards.boundaries import last_boundary, milliseconds, next_boundary
from shared.boards.definition import BoardDefinition, Period

NEVER = 2**53 - 1
# What the last reset of each period did, as Redis has it.
NO_RESETS: Mapping[str, str] = MappingProxyType({})


class Season(NamedTuple):
    """The season of a period that is open from `starts_at` until just before `until` (ms since 1970).

    `number` is 0 while none is open: then `until` is when the next one may be, `starts_at` since when none is, and `last` the
    number of the newest that has been, 0 for none.
    """

    period: str
    number: int
    starts_at: int
    until: int
    last: int = 0

    @property
    def newest(self) -> int:
        """The number of this one, or of the last one that was open."""
        return self.number or self.last


class KnownSeason(NamedTuple):
    """A season as the ledger knows it: `version` of its final ranks, 0 until there are any, and how many `players` they have."""

    season: Season
    version: int = 0
    players: int = 0


@dataclass(frozen=True)
class BoardState:
    """A board as Redis holds it. `version` changes with the definition and with every season."""

    version: str
    definition: BoardDefinition
    seasons: tuple[Season, ...]  # one for each period of the definition, in its order

    @cached_property
    def until(self) -> int:
        """When (ms) the first of its seasons ends or begins."""
        return min(season.until for season in self.seasons)

    @cached_property
    def open_seasons(self) -> tuple[Season, ...]:
        """Those in which an entry counts now."""
        return tuple(season for season in self.seasons if season.number)


def begun(definition: BoardDefinition, now: int, known: Iterable[Season] = ()) -> BoardState:
    """A board that Redis does not hold, at `now` (ms); `known` are the newest seasons of its periods that the ledger knows of,
    their `until` NEVER where it does not know the end.

    A period without one begins with season 1, at the last boundary before now. What is known to have been reset, or to have begun
    under another definition, keeps its number and its start.
    """
    newest = _newest(known)
    return BoardState("", definition, tuple(_resumed(period, newest.get(period.name), now) for period in definition.periods))


def rolled(state: BoardState, now: int) -> BoardState:
    """The state at `now` (ms): of each period whose season has ended, the season that holds `now`.

    It starts at its own boundary, whenever it is asked for. Seasons that nobody asked for are not invented.
    """
    periods = zip(state.definition.periods, state.seasons, strict=True)
    seasons = tuple(season if now < season.until else _next(period, season, now) for period, season in periods)
    return replace(state, seasons=seasons) if seasons != state.seasons else state


def redefined(state: BoardState, definition: BoardDefinition, now: int, known: Iterable[Season] = ()) -> BoardState:
    """A rolled state under another definition. Open seasons go on under their numbers, and end when the new definition says.

    Those of a period that is no more, or outside of whose bounds now is, end now. `known` as in `begun`: new periods may have
    been there before.
    """
    newest = _newest(known)
    open_now = {season.period: season for season in state.seasons}
    seasons = []
    for period in definition.periods:
        season = open_now.get(period.name)
        seasons.append(_resumed(period, newest.get(period.name), now) if season is None else _kept(period, season, now))
    return replace(state, definition=definition, seasons=tuple(seasons))


def ended(before: BoardState, after: BoardState, now: int) -> list[Season]:
    """The seasons that were open before and are not after, `until` being when they ended."""
    numbers = {season.period: season.number for season in after.seasons}
    gone = [season for season in before.seasons if season.number and numbers.get(season.period) != season.number]
    return [season._replace(until=min(season.until, now)) for season in gone]


def overtaken(state: BoardState, known: Iterable[Season]) -> list[Season]:
    """Of seasons that the ledger knows of, those that have ended by the time of a state that followed them."""
    open_now = {season.period: season for season in state.seasons}
    periods = {period.name: period for period in state.definition.periods}
    gone = [(_dated(periods[season.period], season), open_now[season.period]) for season in known if season.period in open_now]
    return [
        season._replace(until=min(season.until, after.starts_at))
        for season, after in gone
        if season.number and season.number != after.number
    ]


def _newest(known: Iterable[Season]) -> dict[str, Season]:
    """By period; of one that is named twice what was said last."""
    return {season.period: season for season in sorted(known, key=lambda season: season.number)}


def _dated(period: Period, season: Season) -> Season:
    """A season of which the ledger knows an instant in it and no end: as the schedule has it."""
    if season.until != NEVER or not period.cron:
        return season
    begins = last_boundary(period, season.starts_at)
    return season._replace(starts_at=begins, until=next_boundary(period, begins) or NEVER)


def _resumed(period: Period, season: Season | None, now: int) -> Season:
    if season is None:
        return _opened(period, now)
    season = _dated(period, season)
    if now < season.until and season.number:
        return _kept(period, season, now)
    return _next(period, season, now)


def _kept(period: Period, season: Season, now: int) -> Season:
    """An open season under a definition that may have changed."""
    if not season.number:
        return _opened(period, now, season.last, now if season.last else 0)
    follower = _opened(period, now, season.number, now)
    return season._replace(until=follower.until) if follower.number else follower


def _next(period: Period, season: Season, now: int) -> Season:
    return _opened(period, now, season.newest, season.until if season.number else season.starts_at)


def _opened(period: Period, now: int, last: int = 0, after: int = 0) -> Season:
    """The season that holds `now`, behind the one numbered `last`, which ended at `after`; none outside the period's bounds."""
    starts = 0 if period.starts_at is None else milliseconds(period.starts_at)
    ends = NEVER if period.ends_at is None else milliseconds(period.ends_at)
    if not starts <= now < ends:
        return Season(period.name, 0, after, starts if now < starts else NEVER, last)
    if not period.cron:
        return Season(period.name, last + 1, max(starts, after) or now, ends)
    begins = max(last_boundary(period, now), starts, after)
    return Season(period.name, last + 1, begins, min(next_boundary(period, now) or NEVER, ends))
