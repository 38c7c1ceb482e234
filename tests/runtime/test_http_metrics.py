"""Metrics of processes that come and go."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.core.metrics.instruments import Reading, Registry
from shared.core.metrics.processes import ProcessMetrics
from shared.core.metrics.prometheus import exposition

COUNT = """
import sys
from pathlib import Path
from local_runtime.metrics import connections, frame_bytes, read
from shared.core.metrics import discrepancies, queue_messages, redis_command_seconds
from shared.core.metrics.processes import ProcessMetrics
process = ProcessMetrics(Path(sys.argv[1]), read)
connections.set(3)
frame_bytes.of().set(int(sys.argv[2]))
queue_messages.of("q").set(7)
discrepancies.of("true").inc(3)
for seconds in (0.0001, 0.2, 100.0):
    redis_command_seconds.of("update_score").observe(seconds)
process.flush()
process.flush()
print(flush=True)
sys.stdin.read()
"""
READ = """
import sys
from pathlib import Path
from local_runtime.metrics import read
from shared.core.metrics.processes import ProcessMetrics
from shared.core.metrics.prometheus import exposition
print(exposition(ProcessMetrics(Path(sys.argv[1]), read).collect()).decode())
"""


@contextmanager
def counting(directory: Path, size: int = 100) -> Iterator[subprocess.Popen[str]]:
    """A process that has counted."""
    command = [sys.executable, "-c", COUNT, str(directory), str(size)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def told(directory: Path) -> dict[str, float]:
    """What a process says that is asked for all of them: name and labels with the value."""
    text = subprocess.run([sys.executable, "-c", READ, str(directory)], check=True, capture_output=True, text=True).stdout
    families = text_string_to_metric_families(text)
    return {
        each.name + "".join(f",{name}={value}" for name, value in sorted(each.labels.items())): each.value
        for family in families
        for each in family.samples
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "metrics").mkdir()
    return tmp_path / "metrics"


def test_processes_are_added_up_and_what_exists_once_is_nobodys_to_tell(directory: Path) -> None:
    with counting(directory, 100), counting(directory, 200):
        found = told(directory)
    name = "scoreboard_redis_command_duration_seconds"
    assert found["scoreboard_reconciliation_discrepancies_total,repaired=true"] == 6
    assert found["scoreboard_reconciliation_discrepancies_total,repaired=false"] == 0
    assert found[f"{name}_bucket,command=update_score,le=0.0001"] == 2
    assert found[f"{name}_bucket,command=update_score,le=5.0"] == 4
    assert found[f"{name}_count,command=update_score"] == found[f"{name}_bucket,command=update_score,le=+Inf"] == 6
    assert found[f"{name}_sum,command=update_score"] == 200.4002
    assert found["scoreboard_websocket_connections"] == 6
    assert found["scoreboard_broadcast_frame_bytes"] == 200
    assert "scoreboard_queue_messages,queue=q" not in found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_dead_count_among_the_sums_and_not_among_the_living(directory: Path, number: signal.Signals) -> None:
    counted = "scoreboard_reconciliation_discrepancies_total,repaired=true"
    with counting(directory):
        for dead in range(1, 4):
            with counting(directory) as process:
                process.send_signal(number)
                process.wait()
            for _ in range(2):
                found = told(directory)
                assert (found[counted], found["scoreboard_websocket_connections"]) == (3 + 3 * dead, 3)
        assert len(list(directory.glob("*-*"))) <= 2, "one of the living, and one of whoever was asked last"


def test_whoever_dies_while_the_dead_are_added_up_has_them_counted_once(directory: Path) -> None:
    """The sum names the files in it: those that are still there are not added again."""
    with counting(directory) as process:
        process.kill()
    [file] = directory.glob(f"{process.pid}-*")
    content = file.read_bytes()
    before = told(directory)
    assert not file.exists()
    file.write_bytes(content)
    assert told(directory) == before
    assert not file.exists()


def test_what_another_version_has_written_is_left_out_and_does_not_stay(directory: Path) -> None:
    with counting(directory) as process:
        pass
    [file] = directory.glob(f"{process.pid}-*")
    file.write_bytes(msgspec.msgpack.encode([["other", "members"]]))
    (directory / "ended").write_bytes(b"\xc1")
    counted = "scoreboard_reconciliation_discrepancies_total,repaired=true"
    with counting(directory):
        for _ in range(2):
            assert told(directory)[counted] == 3
    assert not file.exists()


def test_what_cannot_be_written_goes_with_the_next_flush(directory: Path) -> None:
    registry = Registry()
    counter, process = registry.counter("x_total", "").of(), ProcessMetrics(directory, registry.read)
    counter.inc()
    directory.rmdir()
    process.flush()
    for _ in range(2):
        directory.mkdir()
        process.flush()
        assert len(list(directory.iterdir())) == 1
        shutil.rmtree(directory)  # and so is what somebody has taken away


def test_without_a_shared_directory_a_process_tells_of_itself() -> None:
    registry = Registry()
    registry.gauge("x", "").of().set(2)
    assert [each.values for each in ProcessMetrics(None, registry.read).collect()] == [{(): 2}]


def test_whatever_a_label_or_a_help_says_can_be_read_again() -> None:
    hostile = 'a"b\\c\nd{},= \\n'
    reading = Reading("gauge", "x", "one\ntwo\\ \\n", "Count", ("label", "other"), values={(hostile, ""): float("inf")})
    [family] = text_string_to_metric_families(exposition([reading]).decode())
    assert (family.type, family.documentation) == ("gauge", reading.help)
    [sample] = family.samples
    assert (sample.labels, sample.value) == ({"label": hostile, "other": ""}, float("inf"))
