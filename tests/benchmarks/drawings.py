"""The plots of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.figures import Figure
from tests.benchmarks.growth import READS_LIMIT, REDIS_LIMIT_MICROSECONDS, Growth
from tests.benchmarks.long import Long
from tests.benchmarks.plots import bars, lines
from tests.benchmarks.processes import LIMITS_US
from tests.benchmarks.record import LIMIT
from tests.benchmarks.sustained import UPDATES_LIMIT, Sustained

UPDATES = "updates a CPU second"
Points = Sequence[tuple[float, float]]


def peers_drawing(figures: Sequence[Figure]) -> list[str]:
    """Us and them."""
    against = {figure.against: figure for figure in figures if figure.name == UPDATES}
    peers = {name: figure.reference for name, figure in against.items() if name != "limit"}
    ours = {"ours": against["limit"].median, **peers}
    return [bars("Updates", "a CPU second of the HTTP processes", ours, against["limit"].reference)]


def growth_drawings(growth: Growth) -> list[str]:
    """Cost against the size of the board."""
    served = {"updates": growth.updates, "places": growth.reads, "tops": growth.tops}
    redis = {"update": growth.redis}
    places = {"places": growth.reads}
    return [
        lines("Cost against players", "players on the board", "a CPU second", served),
        lines("A player's place", "players on the board", "a CPU second", places, READS_LIMIT),
        lines("Redis an update", "players on the board", "us of CPU", redis, REDIS_LIMIT_MICROSECONDS),
    ]


def record_drawing(recorded: Points) -> list[str]:
    """Cost against the size of a batch."""
    return [lines("record_scores", "messages a batch", "a CPU second", {"messages": recorded}, LIMIT)]


def sustained_drawings(found: Sustained) -> list[str]:
    """What minutes of full load do."""
    drawn = (
        ("updates a second", found.updates, UPDATES_LIMIT),
        ("messages in the history queue", found.queue, None),
        ("MB of our processes", found.memory, None),
    )
    return [lines("Minutes of full load", "seconds", unit, {"": points}, limit, scale=float) for unit, points, limit in drawn]


def workers_drawing(found: Points) -> list[str]:
    """What more workers bring."""
    return [lines("HTTP workers", "workers", "updates a second", {"updates": found})]


def cost_drawing(costs: Mapping[str, Points]) -> list[str]:
    """What an update costs at several loads, by process, beside what another backend takes."""
    peer = {"Nakama": [(rate, limit / 1000) for rate, limit in LIMITS_US.items()]}
    shown = {name: [(rate, microseconds / 1000) for rate, microseconds in points] for name, points in costs.items()}
    return [lines("Cost against load", "updates a second", "ms of CPU an update", {**shown, **peer})]


def long_drawings(found: Long) -> list[str]:
    """An hour, minute by minute."""
    latencies = {"p99": found.p99, "longest pause": found.pauses}
    return [
        lines("Latency", "minutes", "s", latencies, scale=float),
        lines("Memory", "minutes", "MB", found.megabytes, scale=float),
        lines("Files", "minutes", "MB", found.files, scale=float),
    ]
