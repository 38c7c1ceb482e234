"""`make test-cluster`: build the image, start the cluster, kill parts of it, and count the points."""

from __future__ import annotations

import argparse
import http.client
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.engine import CannotRun, Engine, check_machine
from tests.cluster.images import PRODUCT, build_images, size_bytes
from tests.cluster.stack import Stack
from tests.support.api import Player
from tests.support.waiting import eventually

EXIT_CANNOT_RUN = 2
MEGABYTE = 1_000_000
MOST_BYTES = 250 * MEGABYTE
PLAY_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 60.0  # a failover takes three; machines of tests may be slow
HEAL_SECONDS = 150.0
INSTANCES = ("scoreboard-1", "scoreboard-2")


def main() -> int:
    """Exit code 1 when a promise was broken, 2 when this machine cannot run containers."""
    parser = argparse.ArgumentParser(description="Build the image, start the cluster, kill parts of it, and count the points.")
    parser.add_argument("--keep", type=Path, help="where images stay for the next run; without it all is removed")
    arguments = parser.parse_args()
    place = arguments.keep or Path(tempfile.mkdtemp(prefix="scoreboard-cluster-"))
    try:
        check_machine()
        engine = Engine(place.resolve())
        say("building the images; the first time takes minutes")
        with engine.building():
            build_images(engine)
            size = size_bytes(engine, PRODUCT)
        say(f"the image: {size / MEGABYTE:.0f} MB")
        assert size < MOST_BYTES, "the image is too large"
        with engine.isolated():
            stack = Stack(engine)
            with stack.up():
                break_and_count(stack)
    except CannotRun as error:
        say(f"this machine cannot run the cluster: {error}")
        return EXIT_CANNOT_RUN
    except AssertionError as error:
        say(f"failed: {error}", *(f"logs of the containers: {log}" for log in [keep_log(place)] if log))
        return 1
    finally:
        if arguments.keep is None:
            shutil.rmtree(place, ignore_errors=True)
    say("nothing is lost, nothing is counted twice")
    return 0


def break_and_count(stack: Stack) -> None:
    """Everything that an operator is promised of a running cluster."""
    for instance in INSTANCES:
        say(f"{instance} was ready after {stack.start_seconds(instance):.1f} s")
    game = Game(stack.api().new_player())
    game.play(2.0)
    for fault, find in faults(stack).items():
        victim = find()
        stack.kill(victim)
        pause = game.play(PLAY_SECONDS)
        say(f"{fault} ({victim}) killed: longest pause {pause:.1f} s, {game.points} points so far")
        stack.start(victim)
        stack.wait_healthy(victim)
    count(stack, game)
    check_reaping(stack, INSTANCES[0])
    exit_code, seconds = stack.stop(INSTANCES[0])
    say(f"{INSTANCES[0]} after SIGTERM: exit code {exit_code}, {seconds:.1f} s")
    assert exit_code == 0, "it did not end cleanly"
    game.play(2.0)
    stack.start(INSTANCES[0])
    say(f"{INSTANCES[0]} was ready again after {stack.start_seconds(INSTANCES[0]):.1f} s")
    stack.wait_healthy(INSTANCES[0])
    count(stack, game)
    check_monitoring(stack)


def faults(stack: Stack) -> dict[str, Callable[[], str]]:
    """What is killed, by what it is; each is looked for when its turn has come."""
    return {
        "the primary Redis": stack.primary_redis,
        "the broker that leads the queue of updates": lambda: stack.leading_broker("score_history_queue"),
        "an instance": lambda: INSTANCES[1],
        "the primary Redis, again": stack.primary_redis,
    }


class Game:
    """One player who sends each update until it is acknowledged."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.points = 0

    def play(self, seconds: float) -> float:
        """For so long; returns the longest time in seconds between two acknowledgements."""
        began = acknowledged_at = time.monotonic()
        longest = 0.0
        while time.monotonic() < began + seconds:
            self._send(acknowledged_at + LONGEST_PAUSE_SECONDS)
            now = time.monotonic()
            longest, acknowledged_at = max(longest, now - acknowledged_at), now
            time.sleep(0.7)  # 100 updates a minute are allowed
        return longest

    def _send(self, give_up_at: float) -> None:
        headers, answer = {"Idempotency-Key": secrets.token_hex(8)}, "nothing"
        while time.monotonic() < give_up_at:
            try:
                reply = self.player.score(1, **headers)
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
            else:
                if reply.status == http.client.OK:
                    self.points += 1
                    return
                answer = f"{reply.status} {reply.body[:300]!r}"
            time.sleep(0.1)
        raise AssertionError(f"updates are not acknowledged again, the last answer was {answer}")


def count(stack: Stack, game: Game) -> None:
    """The board shows what was acknowledged, every update is accounted for, and board and ledger agree."""
    eventually(lambda: game.player.standing()["score"] == game.points, HEAL_SECONDS, f"the board shows {game.points} points")
    eventually(lambda: "in flight: 0" in balance(stack), HEAL_SECONDS, "no update is in flight")
    told = balance(stack)
    assert "every accepted update is accounted for" in told, told
    reconciled = stack.execute(INSTANCES[1], "scoreboard", "reconcile", "--full", "--dry-run")
    assert re.search(r"^found: 0$", reconciled, re.MULTILINE), reconciled
    say(f"board, ledger and client agree on {game.points} points; {told.splitlines()[0]}")


def balance(stack: Stack) -> str:
    """What `scoreboard balance` prints, whatever it finds."""
    return stack.execute(INSTANCES[1], "sh", "-c", "scoreboard balance || test $? = 3")


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


def keep_log(place: Path) -> Path | None:
    """The containers' logs, moved to where they outlive the run."""
    log, kept = place / "compose.log", Path("dist/cluster.log")
    if not log.exists():
        return None
    kept.parent.mkdir(exist_ok=True)
    shutil.copy(log, kept)
    return kept


def say(*lines: str) -> None:
    """To whoever waits."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
