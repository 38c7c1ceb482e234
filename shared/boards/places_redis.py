"""Where the players of boards that operators defined stand: shown in the seasons that Redis has, or hidden beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import redis

from shared.stores.keys import DefinedBoardKeys
from shared.stores.redis.scripts import run_script

PLACED_AT_ONCE = 500
Verb = Literal["show", "hide"]


def place_members(
    client: redis.Redis, keys: DefinedBoardKeys, seasons: Iterable[tuple[str, int]], verb: Verb, user_ids: Sequence[str]
) -> int:
    """Show or hide these players in seasons (period and number) of a board; returns how often somebody moved.

    In steps of some hundred players, each of them atomic.
    """
    of_seasons = [key(*season) for season in seasons for key in (keys.scores, keys.members, keys.hidden)]
    moved = 0
    for first in range(0, len(user_ids) if of_seasons else 0, PLACED_AT_ONCE):
        step = user_ids[first : first + PLACED_AT_ONCE]
        moved += int(run_script(client, "place_members", of_seasons, (verb, *step)))
    return moved
