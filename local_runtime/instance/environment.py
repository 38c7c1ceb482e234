"""The variables an instance gives to its functions; they beat what the template says."""

from __future__ import annotations

from collections.abc import Mapping

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring
from local_runtime.settings import CA_FILES, OWNERS_DATABASE_URL, SERVER_URLS, InstanceSettings, ProvidedSettings

BROADCAST_CHANNEL = "leaderboard:frames"
_PROVIDED = (
    *SERVER_URLS,
    OWNERS_DATABASE_URL,
    *CA_FILES.values(),
    "REDIS_SHARDS",
    "JWT_SIGNING_KEY",
    "PAYLOAD_KEYS",
    "BROADCAST_CHANNEL",
    "WEBSOCKET_MANAGEMENT_URL",
    "INSTANCE_ID",
    "INSTANCE_ROLE",
    "FORMER_INSTANCE_ID",
    "VIEWERS_URL",
    "METRICS_NAMESPACE",
    "SCOREBOARD_SECRET_ID",
)
_NOT_PASSED_ON = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def given_server_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """The servers that somebody else runs; InstanceError when the database is only named for the owner of its tables."""
    if environment.get(OWNERS_DATABASE_URL) and not environment.get("DATABASE_URL"):
        raise InstanceError(
            f"{OWNERS_DATABASE_URL} alone is no use: set DATABASE_URL, too, with the role that the functions have"
        )
    return {name: environment[name] for name in (*SERVER_URLS, OWNERS_DATABASE_URL) if environment.get(name)}


def given_secrets(environment: Mapping[str, str]) -> set[str]:
    """The names in secrets.json in whose place the environment has something."""
    in_place_of = {
        "JWT_SIGNING_KEY": "jwt_signing_key",
        "PAYLOAD_KEYS": "payload_keys",
        "AMQP_URL": "amqp_password",
        "DATABASE_URL": "database_password",
    }
    return {name for variable, name in in_place_of.items() if environment.get(variable)}


def with_provided_names(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment from which the template can be read before anything is started: what will be provided is there, empty."""
    return dict.fromkeys(_PROVIDED, "") | dict(environment)


def function_environment(
    environment: Mapping[str, str],
    template_values: Mapping[str, str],
    settings: InstanceSettings,
    keyring: Keyring,
    *,
    server_urls: Mapping[str, str],
    ca_files: Mapping[str, str],
    management_url: str,
    instance_ids: tuple[str, str],
) -> dict[str, str]:
    """Everything a function needs to run against this instance.

    `template_values` are the template's; a variable of the operator's beats them, and what the instance provides beats both.
    `instance_ids` are this instance's and that of the one before it.
    """
    values = {name: environment.get(name) or value for name, value in template_values.items()}
    region = ProvidedSettings.from_environment(environment).aws_region
    provided = {
        **server_urls,
        **ca_files,
        "REDIS_SHARDS": environment.get("REDIS_SHARDS", ""),
        "JWT_SIGNING_KEY": environment.get("JWT_SIGNING_KEY") or keyring.jwt_signing_key,
        "PAYLOAD_KEYS": environment.get("PAYLOAD_KEYS") or keyring.payload_keys,
        "BROADCAST_CHANNEL": environment.get("BROADCAST_CHANNEL") or f"{values.get('KEY_PREFIX', '')}{BROADCAST_CHANNEL}",
        "WEBSOCKET_MANAGEMENT_URL": management_url,
        "INSTANCE_ID": instance_ids[0],
        "INSTANCE_ROLE": ",".join(settings.roles),
        "FORMER_INSTANCE_ID": instance_ids[1],
        "VIEWERS_URL": environment.get("VIEWERS_URL", ""),
        "METRICS_NAMESPACE": "",  # nor does anything write metrics to a log: the processes collect them
        "SCOREBOARD_SECRET_ID": "",  # the instance is its own secrets manager
        "AWS_ACCESS_KEY_ID": keyring.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keyring.secret_access_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    return values | provided | settings.as_environment()


def process_environment(environment: Mapping[str, str], function_env: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a process of the product, but for what only those at the start need: see owners_environment."""
    kept = {name: value for name, value in environment.items() if name not in _NOT_PASSED_ON}
    own = {
        OWNERS_DATABASE_URL: "",
        "LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
    }
    return kept | dict(function_env) | own


def owners_environment(process_env: Mapping[str, str], function_env: Mapping[str, str]) -> dict[str, str]:
    """The environment of what is invoked before anything is served: it may alter tables, which those who serve may not."""
    return {**process_env, OWNERS_DATABASE_URL: function_env.get(OWNERS_DATABASE_URL, "")}
