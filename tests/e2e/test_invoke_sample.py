"""`invoke --sample`: every function of the running instance answers at once, and nobody stays whom that needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_runtime.cli.main import main
from tests.support.product import ROOT, Product, clean_environment

# In one process: a process for each function would take a second each.
EVERY_FUNCTION = """
import json, sys
from pathlib import Path
from local_runtime.cli.running import HostedFunctions
from local_runtime.cli.sample_call import sample_call
functions = HostedFunctions(Path(sys.argv[1]), "samples")
print(json.dumps({function.name: sample_call(functions, function.name) for function in functions.manifest.functions}))
"""


def accounts(product: Product) -> Any:
    return product.query("SELECT count(*), count(*) FILTER (WHERE simulated AND disabled) FROM users")[0]


def test_a_new_user_invokes_update_score(product: Product) -> None:
    before = accounts(product)
    done = product.verb("invoke", "update_score", "--sample")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["statusCode"] == 200
    assert done.stderr == ""
    data = json.loads(answer["body"])["data"]
    assert (data["score"], data["increment"]) == (1, 1)
    assert accounts(product) == [before[0] + 1, before[1] + 1]
    client: Any = product.redis()
    assert client.zscore("leaderboard", f"user:{data['userId']}") is None
    assert client.zscore("leaderboard:hidden", f"user:{data['userId']}") == 1
    client.close()


def test_every_function_answers_its_sample_and_leaves_nobody(product: Product) -> None:
    before = accounts(product)
    done = subprocess.run(
        [sys.executable, "-c", EVERY_FUNCTION, str(product.data_dir)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    statuses = {
        name: answer["statusCode"] for name, answer in answers.items() if isinstance(answer, dict) and "statusCode" in answer
    }
    refused = {name for name, status in statuses.items() if status >= 300}
    assert refused <= {"show_dead_letter"}, "unless another test left one there is no dead letter"
    after = accounts(product)
    assert after[0] - before[0] == after[1] - before[1] > 0


def test_without_an_event_it_says_what_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["update_score"], ["update_score", "event.json", "--sample"]):
        assert main(["invoke", *words]) == 2
        told = capsys.readouterr().err
        assert "--sample" in told
        assert "file" in told


def test_without_an_instance_it_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invoke", "update_score", "--sample", "--data-dir", str(tmp_path)]) == 2
    assert "serve`" in capsys.readouterr().err


def test_a_function_that_is_not_there_is_told(product: Product) -> None:
    done = product.verb("invoke", "no_such_function", "--sample")
    assert (done.returncode, "there are: " in done.stderr) == (2, True)


def test_payloads_are_listed_printed_and_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events"]) == 0
    names = capsys.readouterr().out.split()
    assert {"http_v2", "mq_rabbitmq", "schedule_v2_input_event", "ws_connect", "ws_message_default"} <= set(names)
    for name in names:
        assert main(["events", name]) == 0
        assert isinstance(json.loads(capsys.readouterr().out), dict)
    assert main(["events", "mq_rabit"]) == 2
    assert "did you mean `mq_rabbitmq`?" in capsys.readouterr().err
    assert main(["events", "%%%"]) == 2
    assert "there are: " in capsys.readouterr().err
