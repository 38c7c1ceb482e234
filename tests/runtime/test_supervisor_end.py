"""The supervisor takes everything down with it: in order, in time, and even when it is killed itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_runtime.instance.supervisor.stale import end_marked, instance_marker, marked_processes
from tests.runtime.supervisor_process import NEVER_READY, STUBBORN, Program, Supervised, alive
from tests.support.waiting import eventually

GENTLE = """
def end(*_):
    note("{0} ends")
    time.sleep({1})
    while "{2}" not in journal.read_text():
        time.sleep(0.01)
    note("{0} ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
ready()
pause()
"""
ESCAPED = "import os, signal, sys; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); signal.pause()"


def gentle(name: str, seconds: float = 0.0, after: str = "") -> Program:
    """It takes so long to end, and as long as the journal has no line `after`."""
    return Program(name, GENTLE.format(name, seconds, after))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stages_end_one_after_the_other_and_what_no_stage_names_ends_last(tmp_path: Path, number: signal.Signals) -> None:
    # Each of the two ends only after the other was told to: they are stopped together.
    both = gentle("consumer", after="scheduler ended"), gentle("scheduler", after="consumer ends")
    programs = [gentle("mapper"), gentle("server"), gentle("http", 0.3), *both]
    stages = [["http"], ["consumer", "scheduler"], ["server", "not-here"]]
    with Supervised(tmp_path, programs, stages) as supervised:
        supervised.signal(number)
        assert supervised.end()[0] == 0
        journal = supervised.journal
        assert journal[:2] == ["http ends", "http ended"]
        assert sorted(journal[2:4]) == ["consumer ends", "scheduler ends"]
        assert journal[4:] == ["scheduler ended", "consumer ended", "server ends", "server ended", "mapper ends", "mapper ended"]
        assert not any(alive(pid) for pid in supervised.processes.values())


def test_a_process_that_ignores_the_stop_signal_is_killed_at_its_own_limit(tmp_path: Path) -> None:
    with Supervised(tmp_path, [Program("deaf", STUBBORN, stop_timeout_seconds=0.5), gentle("good")], [["deaf"]]) as supervised:
        began = time.monotonic()
        supervised.signal(signal.SIGTERM)
        assert supervised.end()[0] == 0
        assert time.monotonic() - began > 0.4
        assert supervised.journal == ["good ends", "good ended"]
        assert not any(alive(pid) for pid in supervised.processes.values())


def test_the_end_comes_in_time_however_patient_the_processes_are(tmp_path: Path) -> None:
    programs = [Program("deaf", STUBBORN, stop_timeout_seconds=60), Program("mute", STUBBORN, stop_timeout_seconds=60)]
    with Supervised(tmp_path, programs, [["deaf"], ["mute"]], stop_seconds=1.0) as supervised:
        began = time.monotonic()
        supervised.signal(signal.SIGTERM)
        assert supervised.end()[0] == 0
        assert time.monotonic() - began < 45
        assert not any(alive(pid) for pid in supervised.processes.values())


def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    programs = [Program("deaf", STUBBORN, stop_timeout_seconds=60), gentle("good")]
    with Supervised(tmp_path, programs, [["good"], ["deaf"]], stop_seconds=60) as both:
        both.signal(signal.SIGINT)
        eventually(lambda: both.journal == ["good ends", "good ended"], 60, "the first stage ended")
        began = time.monotonic()
        both.signal(signal.SIGINT)
        assert both.end()[0] == 0
        assert time.monotonic() - began < 45
        assert not any(alive(pid) for pid in both.processes.values())


def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, [gentle("good"), Program("mute", NEVER_READY)]).start()
    eventually(lambda: "started" in supervised.journal, 60, "started")
    supervised.signal(signal.SIGTERM)
    assert supervised.end()[0] == 0
    assert not supervised.processes


def test_what_left_its_process_group_is_not_left_behind(tmp_path: Path) -> None:
    source = f"""
    made = subprocess.run([sys.executable, "-S", "-c", {ESCAPED!r}], stdout=open({str(tmp_path / "escaped")!r}, "w"))
    ready()
    pause()
    """
    with Supervised(tmp_path, [Program("maker", source)]) as supervised:
        escaped = int(eventually((tmp_path / "escaped").read_text, 60, "it escaped"))
        assert alive(escaped)
        supervised.signal(signal.SIGTERM)
        assert supervised.end()[0] == 0
        eventually(lambda: not alive(escaped), 60, "it is gone")


def test_nothing_survives_a_killed_supervisor(tmp_path: Path) -> None:
    with Supervised(tmp_path, [Program("deaf", STUBBORN), Program("good")]) as supervised:
        children = list(supervised.processes.values())
        supervised.signal(signal.SIGKILL)
        supervised.end()
        for pid in children:
            eventually(lambda pid=pid: not alive(pid), 60, f"{pid} gone")  # type: ignore[misc]


def test_the_next_start_finds_what_a_killed_instance_has_left_and_nothing_else(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    processes = {
        place: subprocess.Popen(
            [sys.executable, "-S", "-c", "import signal; signal.pause()"],
            env=dict([instance_marker(place)]),
            start_new_session=True,
        )
        for place in (mine, other)
    }
    try:
        marker = instance_marker(mine)
        eventually(lambda: marked_processes(marker) == [processes[mine].pid], 60, "found")
        assert end_marked(marker) == [processes[mine].pid]
        assert processes[mine].wait(60) == -signal.SIGKILL
        assert processes[other].poll() is None
        assert os.getpid() not in marked_processes(marker)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
