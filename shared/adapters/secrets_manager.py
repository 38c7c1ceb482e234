"""Reads settings from AWS Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.errors import ConfigurationError


def with_secret(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables, and below them those of the secret that SCOREBOARD_SECRET_ID names; an empty variable hides no secret."""
    secret_id = environment.get("SCOREBOARD_SECRET_ID", "")
    if not secret_id:
        return dict(environment)
    return {**read_secret(secret_id), **{name: value for name, value in environment.items() if value}}


def read_secret(secret_id: str) -> dict[str, str]:
    """The secret's JSON object of settings; raises ConfigurationError, never printing a value."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
    try:
        text = boto3.client("secretsmanager", config=patience).get_secret_value(SecretId=secret_id).get("SecretString", "")
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"the secret {secret_id} cannot be read: {error}") from error
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ConfigurationError(f"the secret {secret_id} must be a JSON object of names and texts")
    return {name.upper(): value for name, value in values.items()}
