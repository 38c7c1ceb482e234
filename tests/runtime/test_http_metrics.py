"""Metrics of processes that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local_runtime.metrics import clear_directory, forget_dead_processes

WRITE = """
from local_runtime.metrics import RuntimeMetrics
metrics = RuntimeMetrics()
metrics.connections.set(3)
metrics.observe_invocation("f", "queue", "ok", 0.01)
"""
COUNT = """
from local_runtime.metrics import RuntimeMetrics
RuntimeMetrics()
from shared import metrics
from shared.logs import configure_logs
configure_logs("ERROR")
metrics.count("reconciliation_discrepancies", 3, repaired=True)
metrics.count("reconciliation_runs")
"""
READ = "from local_runtime.metrics import RuntimeMetrics; print(RuntimeMetrics().render().decode())"
FORGET = "from local_runtime.metrics import forget_dead_processes; forget_dead_processes()"


def run(code: str, directory: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True).stdout


def test_the_dead_count_among_the_sums_and_not_among_the_living(tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    clear_directory(directory)
    for _ in range(2):
        run(WRITE, directory)
    run(FORGET, directory)
    text = run(READ, directory)
    assert 'scoreboard_function_invocations_total{function="f",outcome="ok",trigger="queue"} 2.0' in text
    assert "scoreboard_websocket_connections 6.0" not in text
    clear_directory(directory)
    assert "_invocations_total{" not in run(READ, directory)


def test_without_a_shared_directory_there_is_nothing_to_forget() -> None:
    forget_dead_processes()


def test_what_functions_count_is_counted_over_all_processes(tmp_path: Path) -> None:
    """They say it in a log record, and know nothing of Prometheus."""
    directory = tmp_path / "metrics"
    clear_directory(directory)
    for _ in range(2):
        run(COUNT, directory)
    text = run(READ, directory)
    assert 'scoreboard_reconciliation_discrepancies_total{repaired="true"} 6.0' in text
    assert "scoreboard_reconciliation_runs_total 2.0" in text
