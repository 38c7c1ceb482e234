"""A deployment changes one function, and serves nobody what has not answered once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deploy.command import Clients, main
from infra.deploy.rollout import EXIT_UNCLEAR
from infra.deploy.smoke import failure, smoke_event
from infra.package.artefact import Artefact
from infra.sam import read_sam
from tests.infra.strict_lambda import Answer, Stacks, StrictLambda

SAM = read_sam()
STACK = "scoreboard"
LONG_AGO = Artefact("handler", {"handler.py": b"def lambda_handler(event, context): ..."}).zip
REFUSED: Answer = ({"statusCode": 401, "body": "{}"}, None)


@dataclass
class Account:
    """A stack of two functions, each with its alias on version 1. `answers` are the functions', by qualifier."""

    moto: Any
    stacks: Stacks
    answers: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = StrictLambda(self.moto, lambda qualifier, event: self.answers.get(qualifier, REFUSED))

    def deploy(self, *arguments: str) -> int:
        return main([*arguments, "--stack", STACK], lambda region: Clients(self.client, self.stacks))

    def state(self, name: str) -> dict[str, Any]:
        """What is deployed of a function, and what serves."""
        newest = self.moto.get_function_configuration(FunctionName=name)
        del newest["ResponseMetadata"]
        alias = self.moto.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
        live = self.moto.get_function_configuration(FunctionName=name, Qualifier=alias)
        versions = [each["Version"] for each in self.moto.list_versions_by_function(FunctionName=name)["Versions"]]
        return {"newest": newest["CodeSha256"], "alias": alias, "live": live["CodeSha256"], "versions": versions, "all": newest}

    @property
    def alias(self) -> str:
        return str(self.state("prod-update")["alias"])


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[Any, str]]:
    """Lambda of an account that exists in this process only, and a role."""
    environment = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in environment.items():
            patch.setenv(name, value)
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        yield boto3.client("lambda"), role


@pytest.fixture
def account(aws: tuple[Any, str]) -> Iterator[Account]:
    functions, role = aws
    names = {"UpdateScore": "prod-update", "GetScores": "prod-get"}
    for name in names.values():
        functions.create_function(
            FunctionName=name, Runtime=SAM.runtime, Handler="handler.lambda_handler", Role=role, Code={"ZipFile": LONG_AGO}
        )
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield Account(functions, Stacks(STACK, names))
    for name in names.values():
        functions.delete_function(FunctionName=name)


def test_the_alias_moves_after_the_new_version_has_answered(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    other, before = account.state("prod-get"), account.state("prod-update")
    assert account.deploy("update_score") == 0
    after = account.state("prod-update")
    assert (before["alias"], after["alias"]) == ("1", "2")
    assert after["live"] == after["newest"] != before["live"]
    assert account.client.calls == ["update_function_code", "publish_version", "invoke 2", "update_alias 2", "invoke live"]
    assert account.state("prod-get") == other
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("update_score: prod-update")
    assert lines[1].strip() == f"code: {before['live']} → {after['live']}, {after['all']['CodeSize']:,} bytes"
    assert lines[2].strip() == "live: version 1 → a new one, after a smoke test"
    assert lines[-1].strip() == "live: version 1 → 2"


def test_what_is_deployed_is_not_deployed_again(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    assert account.deploy("update_score") == 0
    calls = len(account.client.calls)
    assert account.deploy("update_score") == 0
    assert len(account.client.calls) == calls
    assert "nothing to do: live serves this code already, as version 2" in capfd.readouterr().out


def test_a_changed_configuration_is_published_though_the_code_is_the_same(account: Account) -> None:
    assert account.deploy("update_score") == 0
    account.moto.update_function_configuration(FunctionName="prod-update", Environment={"Variables": {"LOG_LEVEL": "DEBUG"}})
    assert account.deploy("update_score") == 0
    live = account.moto.get_function_configuration(FunctionName="prod-update", Qualifier=account.alias)
    assert (account.alias, live["Environment"]["Variables"]) == ("3", {"LOG_LEVEL": "DEBUG"})


def test_a_dry_run_says_and_changes_nothing(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    before = account.state("prod-update")
    assert account.deploy("update_score", "--dry-run") == 0
    assert account.state("prod-update") == before
    assert account.client.calls == []
    assert "live: version 1 → a new one" in capfd.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        ({"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'shared'"}, "Unhandled"),
        ({"errorType": "ConfigurationError", "errorMessage": "the secret cannot be read"}, "Unhandled"),
        ({"statusCode": 500, "body": "{}"}, None),
        ({"statusCode": 503, "body": "{}"}, None),
    ],
)
def test_a_version_that_fails_is_never_served(account: Account, answer: Answer, capfd: pytest.CaptureFixture[str]) -> None:
    before, account.answers["2"] = account.state("prod-update"), answer
    assert account.deploy("update_score") == 1
    after = account.state("prod-update")
    assert (after["alias"], after["live"]) == (before["alias"], before["live"])
    assert "update_alias 2" not in account.client.calls
    assert "version 2 of prod-update fails its smoke test, live stays as it was" in capfd.readouterr().err


def test_an_alias_that_fails_is_moved_back(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    account.answers["live"] = ({"errorMessage": "2026 Task timed out after 10.01 seconds"}, "Unhandled")
    assert account.deploy("update_score") == 1
    assert account.alias == "1"
    assert account.client.calls[-3:] == ["update_alias 2", "invoke live", "update_alias 1"]
    assert "live: back to version 1" in capfd.readouterr().out


def test_an_alias_that_is_interrupted_is_moved_back(account: Account) -> None:
    account.client.before["invoke live"] = interrupt
    assert account.deploy("update_score") == 130
    assert account.alias == "1"


def test_an_alias_that_cannot_be_moved_back_is_told_how(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    account.answers["live"] = ({"statusCode": 500}, None)
    account.client.before["invoke live"] = lambda: account.client.touch("prod-update", "live")
    assert account.deploy("update_score") == EXIT_UNCLEAR
    by_hand = "aws lambda update-alias --function-name prod-update --name live --function-version 1"
    assert by_hand in capfd.readouterr().err


@pytest.mark.parametrize(
    ("before", "what"), [("update_function_code", "$LATEST"), ("publish_version", "$LATEST"), ("update_alias 2", "live")]
)
def test_what_somebody_else_changed_meanwhile_is_left_alone(
    account: Account, capfd: pytest.CaptureFixture[str], before: str, what: str
) -> None:
    account.client.before[before] = lambda: account.client.touch("prod-update", what)
    assert account.deploy("update_score") == 1
    assert account.alias == "1"
    assert account.client.calls[-1] == before
    assert "somebody else has changed it since it was looked at" in capfd.readouterr().err


def test_the_first_failure_ends_a_deployment_of_several(account: Account) -> None:
    account.answers["2"] = ({"statusCode": 500}, None)
    before = account.state("prod-get")
    assert account.deploy("update_score", "get_scores") == 1
    assert account.state("prod-get") == before


def test_several_are_deployed_in_turn(account: Account) -> None:
    assert account.deploy("update_score", "get_scores") == 0
    assert (account.alias, account.state("prod-get")["alias"]) == ("2", "2")


def alias_of_two(account: Account) -> None:
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    account.moto.update_alias(FunctionName="prod-update", Name="live", FunctionVersion="1", RoutingConfig=weights)


def another_runtime(account: Account) -> None:
    account.moto.update_function_configuration(FunctionName="prod-update", Runtime="python3.10")


@pytest.mark.parametrize(
    ("prepare", "arguments", "exit_code", "said"),
    [
        (None, ["update_scores"], 2, "there is no update_scores; there are: "),
        (None, ["get_jwks"], 1, "looking for GetJwks in the stack scoreboard"),
        (None, ["update_score", "--alias", "beta"], 1, "reading the alias beta of prod-update: it does not exist"),
        (None, ["update_score", "--smoke", "nowhere.json"], 2, "nowhere.json cannot be read as JSON"),
        (alias_of_two, ["update_score"], 1, "the alias live is shared by two versions"),
        (another_runtime, ["update_score"], 1, "runs on python3.10, the template says"),
    ],
)
def test_what_cannot_be_deployed_is_said_before_anything_is_changed(
    account: Account,
    capfd: pytest.CaptureFixture[str],
    prepare: Callable[[Account], None] | None,
    arguments: list[str],
    exit_code: int,
    said: str,
) -> None:
    if prepare:
        prepare(account)
    assert account.deploy(*arguments) == exit_code
    assert said in capfd.readouterr().err
    assert account.client.calls == []


def test_an_update_under_way_is_waited_for_by_whoever_comes_next(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    class Busy(StrictLambda):
        def get_function_configuration(self, FunctionName: str, **arguments: str) -> dict[str, Any]:  # noqa: N803
            return {**super().get_function_configuration(FunctionName, **arguments), "LastUpdateStatus": "InProgress"}

    account.client = Busy(account.moto, lambda qualifier, event: REFUSED)
    assert account.deploy("update_score") == 1
    assert "another update is under way" in capfd.readouterr().err


def test_the_event_may_be_given(account: Account, tmp_path: Path) -> None:
    events = []
    account.client = StrictLambda(account.moto, lambda qualifier, event: events.append(event) or REFUSED)  # type: ignore[func-returns-value]
    (tmp_path / "event.json").write_text('{"mine": 1}')
    assert account.deploy("update_score", "--smoke", str(tmp_path / "event.json")) == 0
    assert events == [{"mine": 1}, {"mine": 1}]


def test_no_account_is_one_clear_message(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert main(["update_score"]) == 1
    assert "You must specify a region" in capfd.readouterr().err


def test_every_function_has_an_event_to_try_it_out_with() -> None:
    manifest = SAM.manifest
    assert all(json.dumps(smoke_event(manifest, function)) for function in SAM.functions)


def test_refusals_are_answers_and_failures_are_not() -> None:
    assert failure({"errorType": "InvalidParameter", "errorMessage": "x"}, "Unhandled") is None
    assert failure({"errorType": "Unavailable", "errorMessage": "x"}, "Unhandled") == "Unavailable: x"
    assert failure(None, None) is None
    assert failure({"statusCode": "200"}, None) is not None


def interrupt() -> None:
    raise KeyboardInterrupt
