"""The supervisor keeps processes alive: restarts, failures to start, back-off."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from local_runtime.process import ProcessSpec
from local_runtime.supervisor.backoff import HEALTHY_SECONDS, LONGEST_SECONDS, Backoff
from local_runtime.supervisor.child import Child
from local_runtime.supervisor.spawn import spawn
from tests.runtime.supervisor_process import NEVER_READY, Lines, Program, Supervised, alive, marker_of, spec_of
from tests.support.waiting import eventually

GRANDPARENT = """
child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
note(str(child.pid))
ready()
pause()
"""


def spawner(directory: Path) -> Callable[[ProcessSpec], subprocess.Popen[bytes]]:
    return lambda spec: spawn(spec, marker_of(directory))


def dead(child: Child) -> bool:
    """Whether its process is a zombie that nobody has looked at."""
    return child.pid is not None and not alive(child.pid)


def test_a_killed_process_is_started_again_and_the_rest_carry_on(tmp_path: Path) -> None:
    with Supervised(tmp_path, [Program("one"), Program("two")]) as supervised:
        before = supervised.processes
        os.kill(before["one"], signal.SIGKILL)
        eventually(lambda: supervised.processes["one"] != before["one"], 10, "one replaced")
        assert alive(supervised.processes["one"])
        assert supervised.processes["two"] == before["two"]
        assert alive(before["two"])
        supervised.signal(signal.SIGTERM)
        code, output = supervised.end()
        assert code == 0
        assert "ended one was killed by SIGKILL 0.0" in output


def test_what_a_dead_process_has_started_does_not_outlive_it(tmp_path: Path) -> None:
    with Supervised(tmp_path, [Program("one", GRANDPARENT)]) as supervised:
        grandchild = int(supervised.journal[0])
        assert alive(grandchild)
        os.kill(supervised.processes["one"], signal.SIGKILL)
        eventually(lambda: not alive(grandchild), 10, "the grandchild is gone")


def test_a_process_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, [Program("good"), Program("bad", "print('no space left'); sys.exit(3)")]).start()
    code, output = supervised.end()
    assert code == 1
    assert "bad cannot be started: it ended with exit code 3" in output
    assert "    no space left" in output
    assert "stopping good" in output


def test_a_program_that_is_not_there_is_reported_like_one_that_died(tmp_path: Path) -> None:
    spec = ProcessSpec("ghost", (str(tmp_path / "no-such-program"),), {}, lambda: False)
    child = Child(spec, spawner(tmp_path), Lines())
    child.start(0.0)
    assert child.failed_starts == 1
    assert "cannot be executed" in child.how_it_ended


def test_a_process_that_never_answers_is_killed_and_tried_again(tmp_path: Path) -> None:
    child = Child(spec_of(Program("mute", NEVER_READY, ready_timeout_seconds=5), tmp_path), spawner(tmp_path), Lines())
    child.start(0.0)
    first = child.pid
    child.tend(4.0)
    assert child.failed_starts == 0
    child.tend(6.0)
    assert child.how_it_ended == "did not answer within 5 s"
    assert first is not None
    assert not alive(first)
    assert child.tend(6.0)
    assert child.pid != first
    child.kill()


def test_a_process_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    child = Child(spec_of(Program("frail", "sys.exit(1)"), tmp_path), spawner(tmp_path), Lines())
    child.start(100.0)
    starts = 1
    for expected_delay in (0.0, 0.1, 0.2, 0.4):
        eventually(lambda: dead(child), 10, "it died")
        replaced = child.tend(100.0)
        assert replaced == (expected_delay == 0.0)
        if not replaced:
            due_at = child.next_look_at(100.0)
            assert due_at is not None
            assert round(due_at - 100.0, 6) == expected_delay
            assert not child.tend(due_at - 0.01)
            assert child.tend(due_at)
        starts += 1
    child.kill()
    assert child.failed_starts == starts - 1


def test_nothing_is_looked_at_while_all_is_well(tmp_path: Path) -> None:
    child = Child(spec_of(Program("calm"), tmp_path), spawner(tmp_path), Lines())
    child.start(0.0)
    eventually(lambda: child.tend(1.0) or child.is_ready, 10, "ready")
    assert child.next_look_at(1.0) is None
    child.kill()


def test_the_back_off_doubles_up_to_its_limit_and_forgets_after_a_healthy_time() -> None:
    backoff = Backoff()
    delays = [backoff.next_delay(0.0) for _ in range(10)]
    assert delays[:4] == [0.0, 0.1, 0.2, 0.4]
    assert delays[-1] == LONGEST_SECONDS
    assert all(a <= b for a, b in itertools.pairwise(delays))
    assert backoff.next_delay(HEALTHY_SECONDS - 1) == LONGEST_SECONDS
    assert backoff.next_delay(HEALTHY_SECONDS) == 0.0
