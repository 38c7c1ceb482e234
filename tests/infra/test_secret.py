"""The secret of a deployment: complete, made once, never printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.checks.template.command import STORES
from infra.deploy.secret import DATABASE_CA, PARAMETERS, Clients, main
from infra.sam import read_sam
from local_runtime.hosting.template.tree import Report, load_template
from shared.core.config import Settings
from shared.core.database_url import DatabaseUrl

PASSWORD = "p" * 64


class Stores:
    """CloudFormation with the outputs of infra/stores.yaml."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self.outputs = outputs

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
        assert StackName == "scoreboard-stores"
        return {"Stacks": [{"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]}]}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name, value in {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        secrets = boto3.client("secretsmanager")
        login = json.dumps({"username": "scoreboard", "password": PASSWORD})
        arns = {name: secrets.create_secret(Name=name, SecretString=login)["ARN"] for name in ("redis", "broker", "database")}
        outputs = dict.fromkeys(load_template(STORES, Report()).members["Outputs"].members, "value")
        outputs |= {"RedisLoginArn": arns["redis"], "MqCredentialsArn": arns["broker"], "DatabaseLoginArn": arns["database"]}
        outputs |= {"RedisAddress": "redis.example:6379", "DatabaseAddress": "db.example:5432"}
        outputs |= {"BrokerAddress": "amqps://broker.example:5671"}
        yield Clients(Stores(outputs), secrets)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    (tmp_path / DATABASE_CA).touch()
    return tmp_path


def stored(clients: Clients) -> dict[str, str]:
    return dict(json.loads(clients.secrets.get_secret_value(SecretId="scoreboard")["SecretString"]))


def test_the_secret_has_everything_that_the_functions_need(
    clients: Clients, certificates: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([], lambda region: clients, certificates) == 0
    settings = Settings.from_environment(stored(clients))
    assert settings.redis_url == f"rediss://:{PASSWORD}@redis.example:6379/0"
    assert settings.amqp_url == f"amqps://scoreboard:{PASSWORD}@broker.example:5671/%2F"
    database = DatabaseUrl.parse(settings.database_url)
    assert (database.host, database.port, database.ssl_mode) == ("db.example", 5432, "verify-full")
    printed = capfd.readouterr()
    assert PASSWORD not in printed.out + printed.err
    assert settings.payload_keys not in printed.out
    arn = clients.secrets.describe_secret(SecretId="scoreboard")["ARN"]
    assert f"  ScoreboardSecretId={arn}\n" in printed.out


def test_keys_that_are_there_are_kept(clients: Clients, certificates: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main([], lambda region: clients, certificates)
    before = stored(clients)
    clients.stacks.outputs["RedisAddress"] = "other.example:6379"
    assert main([], lambda region: clients, certificates) == 0
    assert stored(clients) == {**before, "REDIS_URL": f"rediss://:{PASSWORD}@other.example:6379/0"}
    assert "new values for REDIS_URL\n" in capfd.readouterr().out
    main([], lambda region: clients, certificates)
    assert "is up to date" in capfd.readouterr().out


def test_without_the_databases_certificate_nothing_is_made(
    clients: Clients, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([], lambda region: clients, tmp_path) == 1
    assert f"curl --create-dirs -o {tmp_path}/{DATABASE_CA}" in capfd.readouterr().err
    assert [each["Name"] for each in clients.secrets.list_secrets()["SecretList"]] == ["redis", "broker", "database"]


def test_the_stores_have_what_the_template_asks_for() -> None:
    outputs = set(load_template(STORES, Report()).members["Outputs"].members)
    assert set(PARAMETERS) <= outputs
    asked = {name for name, parameter in read_sam().document["Parameters"].items() if "Default" not in parameter}
    assert asked <= {*PARAMETERS, "ScoreboardSecretId"}
