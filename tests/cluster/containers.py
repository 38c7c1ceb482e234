"""The containers of `infra/containers`: built, started, broken and counted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.cluster.engine import Engine, check_machine
from tests.cluster.game import Game, count
from tests.cluster.images import PRODUCT, build_images, size_bytes
from tests.cluster.machine import say
from tests.cluster.stack import Stack
from tests.support.waiting import eventually

MEGABYTE = 1_000_000
MOST_BYTES = 250 * MEGABYTE
PLAY_SECONDS = 20.0
INSTANCES = ("scoreboard-1", "scoreboard-2")


def prove_containers(place: Path) -> None:
    """Build the image, start the cluster, kill parts of it, and count the points; AssertionError when a promise was broken."""
    check_machine()
    engine = Engine(place)
    say("building the images; the first time takes minutes")
    with engine.building():
        build_images(engine)
        size = size_bytes(engine, PRODUCT)
    say(f"the image: {size / MEGABYTE:.0f} MB")
    assert size < MOST_BYTES, "the image is too large"
    try:
        with engine.isolated():
            stack = Stack(engine)
            with stack.up():
                break_and_count(stack)
    except BaseException:
        keep_log(place)
        raise


def break_and_count(stack: Stack) -> None:
    """Everything that an operator is promised of a running cluster."""
    for instance in INSTANCES:
        say(f"{instance} was ready after {stack.start_seconds(instance):.1f} s")
    game = Game([stack.api()])
    game.play(2.0)
    for fault, find in faults(stack).items():
        victim = find()
        stack.kill(victim)
        pause = game.play(PLAY_SECONDS)
        say(f"{fault} ({victim}) killed: longest pause {pause:.1f} s, {sum(game.points)} points so far")
        stack.start(victim)
        stack.wait_healthy(victim)
    count_and_tell(stack, game)
    check_reaping(stack, INSTANCES[0])
    exit_code, seconds = stack.stop(INSTANCES[0])
    say(f"{INSTANCES[0]} after SIGTERM: exit code {exit_code}, {seconds:.1f} s")
    assert exit_code == 0, "it did not end cleanly"
    game.play(2.0)
    stack.start(INSTANCES[0])
    say(f"{INSTANCES[0]} was ready again after {stack.start_seconds(INSTANCES[0]):.1f} s")
    stack.wait_healthy(INSTANCES[0])
    count_and_tell(stack, game)
    check_monitoring(stack)


def faults(stack: Stack) -> dict[str, Callable[[], str]]:
    """What is killed, by what it is; each is looked for when its turn has come."""
    return {
        "the primary Redis": stack.primary_redis,
        "the broker that leads the queue of updates": lambda: stack.leading_broker("score_history_queue"),
        "an instance": lambda: INSTANCES[1],
        "the primary Redis, again": stack.primary_redis,
    }


def count_and_tell(stack: Stack, game: Game) -> None:
    """Everything that was acknowledged is there, once."""
    told = count(game, lambda *words: stack.execute(INSTANCES[1], "sh", "-c", f"scoreboard {' '.join(words)} || true"))
    say(f"board, ledger and client agree on {sum(game.points)} points; {told.splitlines()[0]}")


def check_reaping(stack: Stack, instance: str) -> None:
    """Processes whose parent was killed leave no zombies behind."""
    kill = "import json, os; os.kill(json.load(open('/data/runtime.json'))['processes']['http'], 9)"
    stack.execute(instance, "python3", "-c", kill)
    stack.wait_healthy(instance)
    eventually(lambda: "Z" not in stack.states_of_processes(instance).values(), 30.0, "no zombie is left")


def check_monitoring(stack: Stack) -> None:
    """Prometheus reads both instances, and the rules have something to say of them."""
    both = {f"{instance}:8080": 1.0 for instance in INSTANCES}
    eventually(lambda: stack.metrics('up{job="scoreboard"}') == both, 60.0, "Prometheus reads both instances")
    eventually(lambda: stack.metrics("count(scoreboard:slo_events:rate1m)"), 60.0, "the promises are counted")


def keep_log(place: Path) -> None:
    """The containers' logs, moved to where they outlive the run."""
    log, kept = place / "compose.log", Path("dist/cluster.log")
    if log.exists():
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(log, kept)
        say(f"logs of the containers: {kept}")
