"""The plots of what was measured, each by the name of its file."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.figures import Figure
from tests.benchmarks.growth import READS_LIMIT, REDIS_LIMIT_MICROSECONDS, Growth
from tests.benchmarks.plots import bars, lines
from tests.benchmarks.record import LIMIT
from tests.benchmarks.sustained import UPDATES_LIMIT, Sustained

UPDATES = "updates a CPU second"
Points = Sequence[tuple[float, float]]


def peers_drawing(figures: Sequence[Figure]) -> dict[str, str]:
    """Us and them."""
    against = {figure.against: figure for figure in figures if figure.name == UPDATES}
    peers = {name: figure.reference for name, figure in against.items() if name != "limit"}
    ours = {"ours": against["limit"].median, **peers}
    return {"updates": bars("Updates", "a CPU second of the HTTP processes", ours, against["limit"].reference)}


def growth_drawings(growth: Growth) -> dict[str, str]:
    """Cost against the size of the board."""
    served = {"updates": growth.updates, "places": growth.reads, "tops": growth.tops}
    redis = {"update": growth.redis}
    places = {"places": growth.reads}
    return {
        "growth": lines("Cost against players", "players on the board", "a CPU second", served),
        "reads": lines("A player's place", "players on the board", "a CPU second", places, READS_LIMIT),
        "redis": lines("Redis an update", "players on the board", "us of CPU", redis, REDIS_LIMIT_MICROSECONDS),
    }


def record_drawing(recorded: Points) -> dict[str, str]:
    """Cost against the size of a batch."""
    return {"record_scores": lines("record_scores", "messages a batch", "a CPU second", {"messages": recorded}, LIMIT)}


def sustained_drawings(found: Sustained) -> dict[str, str]:
    """What minutes of full load do."""
    drawn = {
        "sustained": ("updates a second", found.updates, UPDATES_LIMIT),
        "sustained-queue": ("messages in the history queue", found.queue, None),
        "sustained-memory": ("MB of our processes", found.memory, None),
    }
    return {
        name: lines("Minutes of full load", "seconds", unit, {"": points}, limit, scale=float)
        for name, (unit, points, limit) in drawn.items()
    }


def workers_drawing(found: Points) -> dict[str, str]:
    """What more workers bring."""
    return {"workers": lines("HTTP workers", "workers", "updates a second", {"updates": found})}
