"""Settings from AWS Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from shared.adapters.secrets_manager import read_secret, with_secret
from shared.errors import ConfigurationError


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account that exists in this process only."""
    for name, value in {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


def put(text: str) -> None:
    boto3.client("secretsmanager").create_secret(Name="scoreboard", SecretString=text)


def test_a_secret_is_an_object_of_settings() -> None:
    put(json.dumps({"JWT_SIGNING_KEY": "pem", "payload_keys": "k:AAAA"}))
    assert read_secret("scoreboard") == {"JWT_SIGNING_KEY": "pem", "PAYLOAD_KEYS": "k:AAAA"}


@pytest.mark.parametrize("text", ["hunter2", "[]", '{"JWT_SIGNING_KEY": {"hunter2": 1}}'])
def test_any_other_secret_is_refused_without_being_shown(text: str) -> None:
    put(text)
    with pytest.raises(ConfigurationError) as refused:
        read_secret("scoreboard")
    assert "hunter2" not in str(refused.value)


def test_a_secret_that_does_not_exist_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match="ResourceNotFoundException"):
        read_secret("missing")


def test_a_variable_wins_over_the_secret_unless_it_is_empty() -> None:
    put(json.dumps({"REDIS_URL": "of the secret", "AMQP_URL": "of the secret"}))
    environment = {"SCOREBOARD_SECRET_ID": "scoreboard", "REDIS_URL": "", "AMQP_URL": "of the environment"}
    found = with_secret(environment)
    assert (found["REDIS_URL"], found["AMQP_URL"]) == ("of the secret", "of the environment")
    assert with_secret({"REDIS_URL": ""}) == {"REDIS_URL": ""}
