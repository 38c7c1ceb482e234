"""Settings from AWS Secrets Manager."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator

import pytest

from shared.core.errors import ConfigurationError
from shared.stores.aws.secrets_manager import read_secret, with_secret
from tests.support.aws import CREDENTIALS
from tests.support.loopback import Answered, Asked, serving
from tests.support.secrets_manager import REGION, create_secret, secrets_manager


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """An account that exists for these tests only."""
    with secrets_manager() as url:
        yield url


@pytest.fixture(autouse=True)
def _aws(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**CREDENTIALS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_SECRETS_MANAGER": service}.items():
        monkeypatch.setenv(name, value)


def put(text: str) -> str:
    return create_secret(os.environ["AWS_ENDPOINT_URL_SECRETS_MANAGER"], f"scoreboard-{secrets.token_hex(4)}", text)


def test_a_secret_is_an_object_of_settings() -> None:
    arn = put(json.dumps({"JWT_SIGNING_KEY": "pem", "payload_keys": "k:AAAA"}))
    assert read_secret(arn) == {"JWT_SIGNING_KEY": "pem", "PAYLOAD_KEYS": "k:AAAA"}


@pytest.mark.parametrize("text", ["hunter2", "[]", '{"JWT_SIGNING_KEY": {"hunter2": 1}}'])
def test_any_other_secret_is_refused_without_being_shown(text: str) -> None:
    arn = put(text)
    with pytest.raises(ConfigurationError) as refused:
        read_secret(arn)
    assert "hunter2" not in str(refused.value)


def test_a_secret_that_does_not_exist_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match="ResourceNotFoundException"):
        read_secret("missing")


def test_a_variable_wins_over_the_secret_unless_it_is_empty() -> None:
    arn = put(json.dumps({"REDIS_URL": "of the secret", "AMQP_URL": "of the secret"}))
    environment = {"SCOREBOARD_SECRET_ID": arn, "REDIS_URL": "", "AMQP_URL": "of the environment"}
    found = with_secret(environment)
    assert (found["REDIS_URL"], found["AMQP_URL"]) == ("of the secret", "of the environment")
    assert with_secret({"REDIS_URL": ""}) == {"REDIS_URL": ""}


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_service_that_fails_is_asked_three_times(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    asked: list[Asked] = []

    def answer(request: Asked) -> Answered:
        asked.append(request)
        if len(asked) <= failures:
            return Answered((500, 400)[len(asked) % 2], b'{"__type": "com.amazonaws#ThrottlingException", "message": "hunter2"}')
        return Answered(200, json.dumps({"SecretString": '{"A": "b"}'}).encode())

    with serving(answer) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://{address}")
        if failures < 3:
            assert read_secret("scoreboard") == {"A": "b"}
        else:
            with pytest.raises(ConfigurationError, match=r"cannot be read: ThrottlingException$"):
                read_secret("scoreboard")
    assert len(asked) == min(failures + 1, 3)


def test_a_service_that_is_not_there_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="ConnectionRefusedError"):
        read_secret("scoreboard")
