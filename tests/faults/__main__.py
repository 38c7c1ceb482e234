"""`make faults`: a long, seeded run, and the table of what clients saw."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from pathlib import Path
from random import Random

from tests.faults.campaign import Seen, compare, everybody, in_random_order, playing_field, run

REST_SECONDS = (1.0, 4.0)
DISK_MEGABYTES = 4096  # of memory, as far as it is used: a campaign leaves about a megabyte for each thousand updates


def main() -> int:
    """Exit code 1 when a point was lost or counted twice, or a client was told something wrong."""
    parser = argparse.ArgumentParser(description="Break the product in every way, a hundred times, and count the points.")
    parser.add_argument("--seed", type=int, default=1, help="the same seed does the same to the product in the same order (1)")
    parser.add_argument("--faults", type=int, default=100, help="how many (100)")
    parser.add_argument("--compare-every", type=int, default=10, help="count the points after so many faults (10)")
    parser.add_argument("--players", type=int, default=12, help="players at a time (12)")
    parser.add_argument("--json", type=Path, default=Path("dist/faults.json"), help="where the results go")
    arguments = parser.parse_args()
    random = Random(arguments.seed)  # noqa: S311 - nobody's secret
    faults = in_random_order(arguments.faults, random)
    seen: dict[str, Seen] = {}
    wrong: list[str] = []
    with playing_field(DISK_MEGABYTES) as product:
        load = everybody(product, arguments.players)
        for first in range(0, len(faults), arguments.compare_every):
            group = faults[first : first + arguments.compare_every]
            for name, found in run(product, load, group, random, REST_SECONDS).items():
                known = seen.setdefault(name, Seen())
                known.times, known.outcomes, known.pauses = (
                    known.times + found.times,
                    known.outcomes + found.outcomes,
                    known.pauses + found.pauses,
                )
            different = compare(product, load)
            wrong += [f"{user_id}: acknowledged, board, ledger {numbers}" for user_id, numbers in different.items()]
            keep(arguments.json, arguments.seed, seen, wrong)
            points = sum(load.acknowledged.values())
            say(f"{first + len(group)} faults, {points} points acknowledged, different: {different or 'none'}")
        wrong += load.violations
    say(
        "", table(seen), "", *wrong, "nothing is lost, nothing is counted twice" if not wrong else f"{len(wrong)} broken promises"
    )
    keep(arguments.json, arguments.seed, seen, wrong)
    return 1 if wrong else 0


def keep(path: Path, seed: int, seen: dict[str, Seen], wrong: list[str]) -> None:
    """What was seen until now, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {name: {"times": one.times, "outcomes": one.outcomes, "pauses": one.pauses} for name, one in seen.items()}
    path.write_text(json.dumps({"seed": seed, "faults": document, "wrong": wrong}, indent=2) + "\n")


def table(seen: dict[str, Seen]) -> str:
    """A Markdown table: fault, how often, what clients saw beside 200, the longest time without a 200 (median and worst)."""
    lines = ["| fault | times | answers other than 200 | longest pause, median | worst |", "|---|---|---|---|---|"]
    for name, one in sorted(seen.items()):
        others = Counter({outcome: count for outcome, count in one.outcomes.items() if outcome != "200"})
        told = ", ".join(f"{outcome} ({count})" for outcome, count in others.most_common(4)) or "none"
        lines.append(f"| {name} | {one.times} | {told} | {statistics.median(one.pauses):.1f} s | {max(one.pauses):.1f} s |")
    return "\n".join(lines)


def say(*lines: str) -> None:
    """To the terminal, at once."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
