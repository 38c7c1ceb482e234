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
from local_runtime.layer_metrics import read_from
from local_runtime.metrics import RuntimeMetrics
host = RuntimeMetrics()
from shared.core import metrics
from shared.core.metrics.export import export_metrics
export_metrics(read_from, "")
metrics.discrepancies.of("true").inc(3)
for seconds in (0.0001, 0.2, 100.0):
    metrics.redis_command_seconds.of("update_score").observe(seconds)
host.flush()
host.flush()
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
    """They know nothing of Prometheus, and hand over what reads their numbers."""
    directory = tmp_path / "metrics"
    clear_directory(directory)
    for _ in range(2):
        run(COUNT, directory)
    text = run(READ, directory)
    name = "scoreboard_redis_command_duration_seconds"
    assert 'scoreboard_reconciliation_discrepancies_total{repaired="true"} 6.0' in text
    assert 'scoreboard_reconciliation_discrepancies_total{repaired="false"} 0.0' in text
    assert f'{name}_bucket{{command="update_score",le="0.0001"}} 2.0' in text
    assert f'{name}_bucket{{command="update_score",le="5.0"}} 4.0' in text
    assert f'{name}_count{{command="update_score"}} 6.0' in text
    assert f'{name}_sum{{command="update_score"}} 200.4002' in text
