"""The plots of what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.figures import Figure
from tests.benchmarks.growth import READS_LIMIT, REDIS_LIMIT_MICROSECONDS, Growth
from tests.benchmarks.plots import bars, lines
from tests.benchmarks.record import LIMIT

UPDATES = "updates a CPU second"


def drawings(figures: Sequence[Figure], growth: Growth, recorded: Sequence[tuple[float, float]]) -> dict[str, str]:
    """By name of the file."""
    against = {figure.against: figure for figure in figures if figure.name == UPDATES}
    goal = against["limit"].reference
    peers = {name: figure.reference for name, figure in against.items() if name != "limit"}
    return {
        "updates": bars("Updates", "a CPU second of the HTTP processes", {"ours": against["limit"].median, **peers}, goal),
        "growth": lines(
            "Cost against players", "players on the board", "a CPU second", {"updates": growth.updates, "places": growth.reads}
        ),
        "reads": lines("A player's place", "players on the board", "a CPU second", {"places": growth.reads}, READS_LIMIT),
        "redis": lines(
            "Redis an update", "players on the board", "us of CPU", {"update": growth.redis}, REDIS_LIMIT_MICROSECONDS
        ),
        "record_scores": lines("record_scores", "messages a batch", "a CPU second", {"messages": recorded}, LIMIT),
    }
