"""Reads settings from AWS Secrets Manager."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus

from shared.core.errors import ConfigurationError
from shared.stores.aws.http import SignedHttp, aws_identity

TRIES = 3
PAUSE_SECONDS = 0.2
_HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"}


def with_secret(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables, and below them those of the secret that SCOREBOARD_SECRET_ID names; an empty variable hides no secret."""
    secret_id = environment.get("SCOREBOARD_SECRET_ID", "")
    if not secret_id:
        return dict(environment)
    return {**read_secret(secret_id), **{name: value for name, value in environment.items() if value}}


def read_secret(secret_id: str) -> dict[str, str]:
    """The secret's JSON object of settings; raises ConfigurationError, never printing a value."""
    text = _secret_string(secret_id)
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ConfigurationError(f"the secret {secret_id} must be a JSON object of names and texts")
    return {name.upper(): value for name, value in values.items()}


def _secret_string(secret_id: str) -> str:
    """The secret as it was stored; '' for a binary one."""
    body = json.dumps({"SecretId": secret_id}).encode()
    with closing(SignedHttp(_endpoint(), "secretsmanager")) as service:
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE_SECONDS * attempt)
            try:
                status, answer = service.send("POST", "/", body, _HEADERS)
            except (OSError, http.client.HTTPException) as error:
                reason = type(error).__name__
                continue
            if status == HTTPStatus.OK:
                return str(json.loads(answer).get("SecretString") or "")
            reason = _error_type(answer)
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and "Throttling" not in reason:
                break
    raise ConfigurationError(f"the secret {secret_id} cannot be read: {reason}")


def _endpoint() -> str:
    """The region's, unless AWS' usual variables name another one."""
    given = os.environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or os.environ.get("AWS_ENDPOINT_URL")
    region = aws_identity().region
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return given or f"https://secretsmanager.{region}.{suffix}"


def _error_type(answer: bytes) -> str:
    """What AWS calls the error; never what it says about it."""
    try:
        return str(json.loads(answer)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return "an answer that is not understood"
