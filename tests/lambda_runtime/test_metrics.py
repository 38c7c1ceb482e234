"""The built packages end each invocation with their metrics in the log, by the names that alarms watch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lambda_runtime.deployment import Deployment
from tests.lambda_runtime.environment import ExecutionEnvironment
from tests.lambda_runtime.first_events import first_events
from tests.support.embedded_metrics import metrics_in

Told = dict[str, list[tuple[Any, dict[str, str]]]]
# Of what each of them does once, a metric of its own.
OWN = {
    "update_score": ("scoreboard_redis_command_duration_seconds", {"command": "update_score"}),
    "record_scores": ("scoreboard_postgresql_rows_inserted_total", {"table": "score_history"}),
    "measure_stores": ("scoreboard_queue_messages", {"queue": "score_history_queue"}),
    "get_scores": ("scoreboard_token_cache_lookups_total", {"result": "miss"}),
}


def told_by(deployment: Deployment, name: str, event: object) -> Told:
    """The metrics of one invocation in an environment of its own."""
    function = deployment.manifest.function(name)
    environment = ExecutionEnvironment(function, deployment.plan.packages, deployment.functions.variables(name))
    try:
        environment.invoke(event)
        return metrics_in(environment.whole_log)
    finally:
        environment.end()


@pytest.mark.parametrize("name", sorted(OWN))
def test_an_invocation_ends_with_what_it_did(deployment: Deployment, name: str) -> None:
    events = first_events(deployment, deployment.api.new_player())
    event = events[name]() if name in events else {}
    told = told_by(deployment, name, event)
    [(count, dimensions)] = told["scoreboard_function_invocations_total"]
    assert (count, dimensions["outcome"]) == (1, "ok")
    assert dimensions["function"], "the deployed function's name"
    [(seconds, _)] = told["scoreboard_function_duration_seconds"]
    assert seconds["Counts"] == [1]
    metric, labels = OWN[name]
    assert labels in [dimensions for _, dimensions in told[metric]]
