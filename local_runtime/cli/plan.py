"""`plan`: estimate the resources that a load needs, from what was measured."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import count
from local_runtime.cli.output import say

MEASURED = Path(__file__).with_name("figures.json")
HALF_BUSY = 0.5  # beyond it waiting times grow faster than the load
FRAMES_A_SECOND = 10.0
A_DAY_SECONDS, AN_HOUR_SECONDS = 86_400, 3_600
PARTS = {"http": "HTTP workers", "consumer": "consumers", "redis": "Redis", "rabbitmq": "RabbitMQ", "postgresql": "PostgreSQL"}
JOINED = ("redis", "postgresql")  # what newcomers cost beside the HTTP workers: nothing of theirs is queued
_COST = re.compile(rf"CPU at (\d+) updates/s, ({'|'.join(PARTS)})")
_BROADCAST = re.compile(r"CPU of a broadcast to (\d+)")
EPILOG = """\
What each part costs is what `make bench` measured on two cores; --figures takes the file that it writes on a machine of yours
(dist/benchmarks.json). An update costs less where more come at once, which is counted. Every core is planned half busy; the load
is what is expected at its height. One board lives on one core of Redis, which is what fills up first: see docs/scaling.md.

examples:
  scoreboard plan --players 100000 --updates 1000 --viewers 5000
  scoreboard plan --players 1000000 --updates 8000 --viewers 50000 --reads 2000 --json
  scoreboard plan --players 1000000 --updates 4000 --joining 1000000
  scoreboard plan --players 100000 --updates 1000 --figures dist/benchmarks.json

exit codes:
  0  one board carries it
  1  it is more than one board carries
  2  bad usage, or the file of figures lacks some
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What is expected at its height: accounts that score, updates, viewers of the live board, reads of the API, newcomers.

    Who joins registers and logs in, which hashes a password twice; or, with `has_outside_tokens`, once: an account is made, and
    the token is of an identity provider.
    """

    players: int
    updates_per_second: float
    viewers: int
    reads_per_second: float
    joining_per_hour: float = 0
    has_outside_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`cores` by part, half busy each; memory and disk in MB; how much of the one core of Redis the board takes, and how many
    updates a second fill it. `joining_cores` are those of the HTTP workers that newcomers take.
    """

    cores: Mapping[str, float]
    redis_megabytes: float
    gateway_megabytes: float
    accounts_megabytes: float
    disk_megabytes_a_day: float
    board_share: float
    board_limit: float
    joining_cores: float


class Figures:
    """Medians of a benchmark by name; raises CliError for one that is missing."""

    def __init__(self, medians: Mapping[str, float], source: Path) -> None:
        self._medians, self._source = medians, source
        self._costs: dict[str, list[tuple[float, float]]] = {part: [] for part in PARTS}
        for name, median in medians.items():
            if found := _COST.fullmatch(name):
                self._costs[found[2]].append((float(found[1]), median))

    @classmethod
    def read(cls, file: Path) -> Figures:
        """What `make bench` wrote; of a figure that is held against several things the first one. Raises CliError."""
        try:
            entries = json.loads(file.read_text(encoding="utf-8"))
            medians = {str(entry["name"]): float(entry["median"]) for entry in reversed(entries)}
        except OSError as error:
            raise CliError(f"{file} cannot be read: {error.strerror}", EXIT_USAGE) from None
        except (ValueError, KeyError, TypeError):
            raise CliError(f"{file} is not what `make bench` writes", EXIT_USAGE) from None
        return cls(medians, file)

    def __getitem__(self, name: str) -> float:
        if name not in self._medians:
            raise CliError(f"{self._source} lacks the figure `{name}`: run all of `make bench`", EXIT_USAGE)
        return self._medians[name]

    def cost(self, part: str, updates_per_second: float) -> float:
        """Seconds of CPU an update, between what was measured at a lower and at a higher rate."""
        measured = sorted(self._costs[part])
        if not measured:
            raise CliError(f"{self._source} lacks what an update costs {PARTS[part]}: run all of `make bench`", EXIT_USAGE)
        below = [each for each in measured if each[0] <= updates_per_second] or measured[:1]
        above = [each for each in measured if each[0] >= updates_per_second] or measured[-1:]
        (low, dear), (high, cheap) = below[-1], above[0]
        way = (updates_per_second - low) / (high - low) if high > low else 0.0
        return (dear + way * (cheap - dear)) / 1e6

    def frame_cost(self) -> float:
        """Seconds of CPU for a frame to one viewer."""
        for name, median in self._medians.items():
            if found := _BROADCAST.fullmatch(name):
                return median / int(found[1])
        raise CliError(f"{self._source} lacks what a broadcast costs: run all of `make bench`", EXIT_USAGE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load, and by which figures."""
    parser.add_argument("--players", type=count, required=True, help="accounts that score")
    parser.add_argument("--updates", type=count, required=True, help="updates a second, at the height of it")
    parser.add_argument("--viewers", type=count, default=0, help="viewers of the live board (0)")
    parser.add_argument("--reads", type=count, default=0, help="reads of the API a second (0)")
    parser.add_argument(
        "--joining", type=count, default=0, metavar="PLAYERS", help="players who register and log in, per hour (0)"
    )
    parser.add_argument(
        "--outside-tokens", action="store_true", help="those who join log in at an identity provider: one hash less for each"
    )
    parser.add_argument(
        "--figures", type=Path, default=MEASURED, metavar="FILE", help="what `make bench` wrote (what comes with it)"
    )
    parser.add_argument("--json", action="store_true", help="the plan as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Prints it."""
    load = Load(
        arguments.players,
        arguments.updates,
        arguments.viewers,
        arguments.reads,
        arguments.joining,
        arguments.outside_tokens,
    )
    plan = planned(load, Figures.read(arguments.figures))
    if arguments.json:
        say(json.dumps(_as_json(plan), indent=2))
    else:
        say(_text(load, plan))
    return EXIT_OK if plan.board_share <= 1 else EXIT_FAILED


def planned(load: Load, figures: Figures) -> Plan:
    """What a load takes; raises CliError where a figure is missing."""
    updates = load.updates_per_second
    busy = {part: updates * figures.cost(part, updates) for part in PARTS}
    # As many tops as places; each viewer is sent a frame for each change, ten a second at most.
    read = (1 / figures["GET /api/scores a CPU second"] + 1 / figures["GET /api/score/{user_id} a CPU second"]) / 2
    busy["http"] += load.reads_per_second * read
    busy["http"] += load.viewers * min(updates, FRAMES_A_SECOND) * figures.frame_cost()
    joining = _joining(load, figures)
    busy = {part: seconds + joining.get(part, 0.0) for part, seconds in busy.items()}
    kept = figures["PostgreSQL, a row of score_history"] + figures["PostgreSQL, a row of audit_log"]
    limit = 1 / figures.cost("redis", math.inf)
    return Plan(
        cores={part: spent / HALF_BUSY for part, spent in busy.items()},
        redis_megabytes=load.players * figures["Redis, a player who scores"] / 1e6,
        gateway_megabytes=load.viewers * figures["memory a viewer"] / 1e3,
        accounts_megabytes=load.players * figures["PostgreSQL, an account"] / 1e6,
        disk_megabytes_a_day=updates * kept * A_DAY_SECONDS / 1e6,
        board_share=updates / limit,
        board_limit=limit,
        joining_cores=joining.get("http", 0.0) / HALF_BUSY,
    )


def _joining(load: Load, figures: Figures) -> dict[str, float]:
    """Cores that are busy with those who join."""
    a_second = load.joining_per_hour / AN_HOUR_SECONDS
    if not a_second:
        return {}
    entering = "first updates with a new token a CPU second" if load.has_outside_tokens else "log-ins a CPU second"
    http = 1 / figures["registrations a CPU second"] + 1 / figures[entering]
    others = {part: figures[f"CPU of one who joins, {part}"] / 1e6 for part in JOINED}
    return {part: a_second * seconds for part, seconds in {"http": http, **others}.items()}


def _text(load: Load, plan: Plan) -> str:
    cores = "\n".join(f"    {name:<14}{plan.cores[part]:>7.1f}" for part, name in PARTS.items())
    return f"""\
{load.players:,} players, {load.updates_per_second:,.0f} updates/s, {load.viewers:,} viewers, {load.reads_per_second:,.0f} reads/s
{_newcomers(load)}
  cores, half busy each:
{cores}
    {"all of it":<14}{sum(plan.cores.values()):>7.1f}
{_hashing(load, plan)}\

  memory of Redis for the players:         {_size(plan.redis_megabytes)}
  memory of the gateways for the viewers:  {_size(plan.gateway_megabytes)}
  disk of PostgreSQL for the accounts:     {_size(plan.accounts_megabytes)}
  history and audit log at that rate:      {_size(plan.disk_megabytes_a_day)} a day

  {_first_to_be_full(plan)}"""


def _newcomers(load: Load) -> str:
    if not load.joining_per_hour:
        return ""
    return f"{load.joining_per_hour:,.0f} who join in an hour ({load.joining_per_hour / AN_HOUR_SECONDS:,.0f}/s)\n"


def _hashing(load: Load, plan: Plan) -> str:
    """What newcomers take, and the limit that stands in their way."""
    if not load.joining_per_hour:
        return ""
    hashes = "one hash" if load.has_outside_tokens else "two hashes"
    return (
        f"\n  {plan.joining_cores:.1f} of the HTTP workers' cores are for those who join, {hashes} of a password each;"
        f"\n  REGISTRATIONS_PER_HOUR={math.ceil(1.2 * load.joining_per_hour)} lets them in\n"
    )


def _first_to_be_full(plan: Plan) -> str:
    if plan.board_share > 1:
        return (
            f"One board cannot carry this: its core of Redis is full at {plan.board_limit:,.0f} updates/s. Play on several"
            " boards, each on a scoreboard with a Redis of its own."
        )
    return (
        f"First to be full is the core of Redis on which the board lives: {plan.board_share:.0%} of it is taken, all of it at"
        f" {plan.board_limit:,.0f} updates/s."
    )


def _size(megabytes: float) -> str:
    for unit, size in (("TB", 1e6), ("GB", 1e3)):
        if megabytes >= size:
            return f"{megabytes / size:,.1f} {unit}"
    return f"{math.ceil(megabytes)} MB"


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "cores": {part: round(cores, 2) for part, cores in plan.cores.items()},
        "redisMegabytes": round(plan.redis_megabytes),
        "gatewayMegabytes": round(plan.gateway_megabytes),
        "accountsMegabytes": round(plan.accounts_megabytes),
        "diskMegabytesADay": round(plan.disk_megabytes_a_day),
        "boardShare": round(plan.board_share, 4),
        "boardLimitUpdatesPerSecond": round(plan.board_limit),
        "joiningCores": round(plan.joining_cores, 2),
    }
