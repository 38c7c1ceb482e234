"""Cold starts of the packages under Lambda's runtime client: from the start of the process to its first answer.

Each function meets a real event and real stores: what it imports, reads from Secrets Manager and connects to is in the figure.
A bare handler, which does nothing, is started in the same rounds: what it takes is the machine's and the runtime client's.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local_runtime.hosting.manifest import Function
from tests.benchmarks.figures import Figure, figure
from tests.lambda_runtime.deployment import Deployment, Plan, deployed, private_stores
from tests.lambda_runtime.environment import ExecutionEnvironment
from tests.lambda_runtime.first_events import Events, first_events
from tests.lambda_runtime.packages import Packages, package, write_zip
from tests.support.api import Player

ROUNDS = 15
BARE = "bare handler"
# Seconds, by function.
LIMITS = {
    "get_scores": 0.200,
    "get_user_score": 0.200,
    "get_score_history": 0.200,
    "update_score": 0.250,
    "record_scores": 0.250,
    "issue_token": 0.280,
    "broadcast_scores": 0.280,
}


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start: seconds until the first answer, seconds of CPU and megabytes at the most until then."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def measure(rounds: int = ROUNDS) -> list[Figure]:
    """Every function in turn, in each round."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="scoreboard-cold-starts-")))
        packages = Packages(package(directory), directory / "lambda")
        write_zip(packages.artefacts / "bare.zip", {"handler.py": b"def lambda_handler(event, context):\n    return event\n"})
        stores = stack.enter_context(private_stores())
        with deployed(Plan(packages, stores)) as deployment:
            player = deployment.api.new_player()
            plan = replace(deployment.plan, stores_are_in_use=True)
        with deployed(plan) as deployment, player_of(deployment, player).watch():
            events = first_events(deployment, player)
            starts: dict[str, list[Start]] = {name: [] for name in (BARE, *LIMITS)}
            for turn in range(rounds + 1):
                for name, found in starts.items():
                    start = _start(deployment, name, events)
                    if turn:  # the first round brings files into memory
                        found.append(start)
    return _figures(starts)


def player_of(deployment: Deployment, player: Player) -> Player:
    """The same player as a client of another deployment."""
    return replace(player, api=deployment.api)


def _start(deployment: Deployment, name: str, events: Events) -> Start:
    if name == BARE:
        function, event = Function("Bare", "bare", Path(), "handler.lambda_handler", 10, 512, {}), dict[str, Any]()
    else:
        function, event = deployment.manifest.function(name), events[name]()
    variables = {} if name == BARE else deployment.functions.variables(name)
    began = time.perf_counter()
    environment = ExecutionEnvironment(function, deployment.plan.packages, variables)
    try:
        environment.invoke(event)
        seconds = time.perf_counter() - began
        return Start(seconds, _cpu_seconds(environment.process.pid), _megabytes(environment.process.pid))
    finally:
        environment.end()


def _figures(starts: dict[str, list[Start]]) -> list[Figure]:
    bare = figure(BARE, "s", [start.seconds for start in starts[BARE]], "", 1.0)
    bare_cpu = figure(BARE, "s", [start.cpu_seconds for start in starts[BARE]], "", 1.0)
    figures = []
    for name, limit in LIMITS.items():
        wall, cpu = [start.seconds for start in starts[name]], [start.cpu_seconds for start in starts[name]]
        figures += [
            figure(f"cold start {name}", "s", wall, "limit", limit),
            figure(f"cold start {name}", "s", wall, BARE, bare.median),
            figure(f"cold start {name}, CPU", "s", cpu, BARE, bare_cpu.median),
            figure(f"cold start {name}, memory", "MB", [start.megabytes for start in starts[name]], "the template's", 512.0),
        ]
    return figures


def _cpu_seconds(process_id: int) -> float:
    tasks = Path(f"/proc/{process_id}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def _megabytes(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
