"""What a cold start imports: no handler brings a client library with it, and its first event only those it uses."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

import pytest

from tests.lambda_runtime.deployment import Deployment
from tests.lambda_runtime.environment import ExecutionEnvironment
from tests.lambda_runtime.first_events import first_events
from tests.lambda_runtime.packages import interpreter

LIBRARIES = {
    "redis",
    "hiredis",
    "pika",
    "pg8000",
    "jwt",
    "cryptography",
    "argon2",
    "boto3",
    "botocore",
    "flask",
    "prometheus_client",
}
TRIES = 3
TOKENS = {"jwt", "cryptography"}
BOARD = {"redis", "hiredis"}
# Of the libraries, those that the first event of each loads.
NEEDED = {
    "get_scores": BOARD | TOKENS,
    "get_user_score": BOARD | TOKENS,
    "get_score_history": BOARD | TOKENS | {"pg8000"},
    "update_score": BOARD | TOKENS | {"pika"},
    "record_scores": {"pg8000", "pika", "redis", "hiredis", "cryptography"},
    "issue_token": BOARD | TOKENS | {"pg8000", "argon2"},
    "broadcast_scores": BOARD | {"cryptography", "pika"},
}


def imported(log: str) -> set[str]:
    """The libraries among the modules that were imported, from what PYTHONPROFILEIMPORTTIME writes."""
    modules = re.findall(r"^import time: .*\| +([\w.]+)$", log, re.MULTILINE)
    found = {module.partition(".")[0] for module in modules}
    assert "shared" in found
    return found & LIBRARIES


def profiled(deployment: Deployment, name: str, event: object) -> set[str]:
    variables: Mapping[str, str] = {**deployment.functions.variables(name), "PYTHONPROFILEIMPORTTIME": "1"}
    environment = ExecutionEnvironment(deployment.manifest.function(name), deployment.plan.packages, variables)
    try:
        environment.invoke(event)
        return imported(environment.whole_log)
    finally:
        environment.end()


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_first_event_loads_what_it_needs_and_no_more(deployment: Deployment, name: str) -> None:
    player = deployment.api.new_player()
    assert player.score(1).status == 200, "its profile is known"
    assert player.get("/api/scores").status == 200
    event = first_events(deployment, player)[name]
    found = [profiled(deployment, name, event())]
    # Names that nobody has asked for yet, or whose time in the cache was over just then, are cached from now on.
    while found[-1] != NEEDED[name] and len(found) < TRIES:
        found.append(profiled(deployment, name, event()))
    assert found[-1] == NEEDED[name]


def test_no_handler_brings_a_client_library_with_it(deployment: Deployment) -> None:
    for function in deployment.manifest.functions:
        variables = {"PYTHONPATH": deployment.plan.packages.import_path(function.name)}
        command = [*interpreter(), "-X", "importtime", "-c", "import handler"]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        assert imported(done.stderr) == set(), function.name
