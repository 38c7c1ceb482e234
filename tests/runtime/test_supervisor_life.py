"""The supervisor keeps processes alive: restarts, failures to start, back-off."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from local_runtime.instance.supervisor.backoff import HEALTHY_SECONDS, LONGEST_SECONDS, Backoff
from local_runtime.instance.supervisor.child import MEND_SECONDS, PUT_OFF_SECONDS, Child
from local_runtime.instance.supervisor.liveness import PATIENCE_SECONDS
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.instance.supervisor.spawn import spawn
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
        eventually(lambda: supervised.processes["one"] != before["one"], 60, "one replaced")
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
        eventually(lambda: not alive(grandchild), 60, "the grandchild is gone")


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


def test_a_process_whose_log_cannot_be_written_is_started_without(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    spec = replace(spec_of(Program("silent"), tmp_path), log_file=tmp_path / "logs" / "silent.log")
    child = Child(spec, spawner(tmp_path), Lines())
    child.start(0.0)
    eventually(spec.probe, 60, "it answers")
    child.kill()


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
        eventually(lambda: dead(child), 60, "it died")
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
    eventually(lambda: child.tend(1.0) or child.is_ready, 60, "ready")
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


def test_a_process_that_answers_no_more_is_started_again(tmp_path: Path) -> None:
    """It is there and does nothing: that is looked at now and then, and only while we are awake ourselves."""
    answers = [True, False]
    spec = replace(spec_of(Program("silent"), tmp_path), answers=lambda: answers[0])
    child = Child(spec, spawner(tmp_path), Lines())
    child.start(0.0)
    eventually(lambda: child.tend(1.0) or child.is_ready, 60, "ready")
    first, now = child.pid, 1.0
    child.tend(now := 1000.0)  # we were asleep
    assert child.pid == first
    answers[0] = False
    child.tend(now := 5000.0)
    while child.pid == first and now < 5000.0 + 3 * PATIENCE_SECONDS:
        due_at = child.next_look_at(now)
        assert due_at is not None
        now = due_at
        child.tend(now)
    assert PATIENCE_SECONDS * 0.9 < now - 5000.0 < PATIENCE_SECONDS * 1.5
    assert child.how_it_ended == "has not answered for 60 s"
    child.kill()


def test_a_start_is_put_off_while_it_may_not_be(tmp_path: Path) -> None:
    may_start = iter((False, True))
    child = Child(replace(spec_of(Program("one"), tmp_path), may_start=lambda: next(may_start)), spawner(tmp_path), Lines())
    child.start(0.0)
    pid = child.pid
    assert pid is None
    assert not child.tend(PUT_OFF_SECONDS / 2)
    assert child.next_look_at(0.5) == PUT_OFF_SECONDS
    assert child.tend(PUT_OFF_SECONDS)
    assert child.pid is not None
    child.kill()


def test_a_process_whose_files_were_put_right_is_started_again(tmp_path: Path) -> None:
    must_start_again = iter((True, False))
    program = Program("one", "print('broken', flush=True); ready(); pause()")
    spec = replace(spec_of(program, tmp_path), mend=lambda written: "broken" in written and next(must_start_again))
    child = Child(spec, spawner(tmp_path), Lines())
    child.start(0.0)
    eventually(lambda: child.tend(1.0) or child.is_ready, 60, "ready")
    first = child.pid
    assert child.next_look_at(1.0) == 1.0 + MEND_SECONDS
    child.tend(1.0 + MEND_SECONDS)
    assert child.how_it_ended == "was put right"
    assert child.tend(7.0)
    eventually(lambda: child.tend(8.0) or child.is_ready, 60, "ready again")
    child.tend(8.0 + MEND_SECONDS)
    assert child.next_look_at(20.0) is None
    assert child.pid != first
    child.kill()


def test_what_cannot_be_noted_is_noted_later_and_the_processes_are_looked_after_meanwhile(tmp_path: Path) -> None:
    note = tmp_path / "processes.json"
    with Supervised(tmp_path, [Program("one"), Program("two")]) as supervised:
        before = supervised.processes
        note.unlink()
        note.mkdir()  # nothing can be written there
        for name in ("one", "two"):
            os.kill(before[name], signal.SIGKILL)
        pids = tmp_path / "one.ready", tmp_path / "two.ready"
        eventually(lambda: all(path.read_text() not in map(str, before.values()) for path in pids), 60, "both replaced")
        note.rmdir()
        eventually(lambda: supervised.processes and not set(supervised.processes.values()) & set(before.values()), 60, "noted")
