"""What an instance gives to its functions, and how it treats servers that somebody else runs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from local_runtime.hosting.manifest import Function, Manifest, Schedule
from local_runtime.instance.environment import (
    function_environment,
    given_server_urls,
    owners_environment,
    process_environment,
    with_provided_names,
)
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring
from local_runtime.instance.launch import launch_servers
from local_runtime.instance.outside import check_outside_servers, check_shards, redacted
from local_runtime.instance.servers.memory import own_shares
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.settings import InstanceSettings

URLS = {"REDIS_URL": "redis://a", "AMQP_URL": "amqps://b", "DATABASE_URL": "postgresql://c"}


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.load_or_make(tmp_path / "secrets.json")


def made(keyring: Keyring, environment: dict[str, str], template: dict[str, str] | None = None) -> dict[str, str]:
    given: dict[str, Any] = {
        "server_urls": URLS,
        "ca_files": {"AMQP_CA_FILE": "/ca.pem"},
        "management_url": "http://127.0.0.1:1/live",
        "instance_ids": ("this", "before"),
    }
    return function_environment(environment, template or {}, InstanceSettings(), keyring, **given)


def test_the_instance_beats_the_operator_who_beats_the_template(keyring: Keyring) -> None:
    template = {"REDIS_URL": "from template", "RATE_LIMIT_REQUESTS": "100", "LOG_LEVEL": "INFO"}
    values = made(keyring, {"REDIS_URL": "from operator", "RATE_LIMIT_REQUESTS": "7"}, template)
    assert values["REDIS_URL"] == "redis://a"
    assert values["RATE_LIMIT_REQUESTS"] == "7"
    assert values["LOG_LEVEL"] == "INFO"


def test_keys_of_the_operators_own_are_used(keyring: Keyring) -> None:
    assert made(keyring, {})["PAYLOAD_KEYS"] == keyring.payload_keys
    assert made(keyring, {"PAYLOAD_KEYS": "mine:xyz"})["PAYLOAD_KEYS"] == "mine:xyz"
    assert made(keyring, {"JWT_SIGNING_KEY": "PEM"})["JWT_SIGNING_KEY"] == "PEM"


def test_boards_that_share_a_redis_do_not_share_their_broadcast(keyring: Keyring) -> None:
    assert made(keyring, {})["BROADCAST_CHANNEL"] == "leaderboard:frames"
    assert made(keyring, {"KEY_PREFIX": "{spring}:"}, {"KEY_PREFIX": ""})["BROADCAST_CHANNEL"] == "{spring}:leaderboard:frames"


def test_the_operators_cloud_account_is_never_used(keyring: Keyring, tmp_path: Path) -> None:
    operator = {"AWS_ACCESS_KEY_ID": "real", "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "real", "AWS_PROFILE": "real"}
    values = process_environment(operator, made(keyring, operator))
    assert "real" not in values.values()
    assert values["AWS_ACCESS_KEY_ID"] == keyring.access_key_id


def test_only_what_is_invoked_at_start_may_alter_tables(keyring: Keyring, tmp_path: Path) -> None:
    owner = {"MIGRATIONS_DATABASE_URL": "postgresql://owner"}
    function_env = made(keyring, owner) | owner
    serving = process_environment(owner, function_env)
    assert "postgresql://owner" not in serving.values()
    assert owners_environment(serving, function_env) == serving | owner


def test_the_database_is_not_named_for_its_owner_alone() -> None:
    with pytest.raises(InstanceError, match="DATABASE_URL"):
        given_server_urls({"MIGRATIONS_DATABASE_URL": "postgresql://owner"})


def test_a_variable_that_is_empty_names_no_server() -> None:
    assert given_server_urls({"REDIS_URL": "", "AMQP_URL": "amqp://x"}) == {"AMQP_URL": "amqp://x"}


def test_the_template_can_be_read_before_anything_is_started() -> None:
    names = with_provided_names({"REDIS_URL": "redis://mine", "OTHER": "x"})
    assert names["REDIS_URL"] == "redis://mine"
    assert names["OTHER"] == "x"
    assert names["DATABASE_URL"] == ""


def test_servers_that_do_not_answer_are_reported_together_without_their_passwords() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    urls = {
        "REDIS_URL": f"redis://:s3cret@127.0.0.1:{port}/0",
        "AMQP_URL": f"amqps://guest:s3cret@127.0.0.1:{port}/%2F",
        "DATABASE_URL": f"postgresql://board:s3cret@127.0.0.1:{port}/board",
    }
    with pytest.raises(InstanceError) as refused:
        check_outside_servers(urls, {})
    message = str(refused.value)
    assert all(f"{name}=" in message for name in urls)
    assert "s3cret" not in message
    assert f"postgresql://board:***@127.0.0.1:{port}/board" in message


@pytest.mark.parametrize("name", ["REDIS_URL", "AMQP_URL", "DATABASE_URL"])
@pytest.mark.parametrize("url", ["localhost", "redis://:s3cret@[half/0", "amqp://u:s3cret@127.0.0.1:port/"])
def test_a_url_that_is_none_is_reported_too(name: str, url: str) -> None:
    with pytest.raises(InstanceError, match=f"{name}=") as refused:
        check_outside_servers({name: url}, {})
    assert "s3cret" not in str(refused.value)


def test_a_password_is_redacted_and_the_rest_is_kept() -> None:
    assert redacted("redis://:pw@host:1/0") == "redis://:***@host:1/0"
    assert redacted("amqp://me@host/x") == "amqp://me@host/x"
    assert redacted("redis://host:port/0") == "(not a URL)"


@pytest.mark.parametrize(("replicas", "says"), [("1", "for a Redis of your own"), ("three", "must be 0, 1 or 2")])
def test_replicas_that_cannot_be_had_are_refused(tmp_path: Path, keyring: Keyring, replicas: str, says: str) -> None:
    launched: list[ProcessSpec] = []
    with pytest.raises(InstanceError, match=f"REDIS_REPLICAS .*{says}"):
        launch_servers(tmp_path, {"REDIS_REPLICAS": replicas}, keyring, own_shares(), launched.append)
    assert launched == []


@pytest.mark.parametrize(
    ("shards", "says"),
    [
        ("blue", "no name .* e.g. blue=redis://"),
        ("blue=#{one}: green=#{one}:", "`blue` and `green` are one place"),
        ("blue=#", "does not say where the shard `blue` is"),
        ("blue=redis+cluster://one:6379", "hash tag behind a #"),
    ],
)
def test_shards_that_cannot_be_are_refused(tmp_path: Path, keyring: Keyring, shards: str, says: str) -> None:
    launched: list[ProcessSpec] = []
    with pytest.raises(InstanceError, match=f"REDIS_SHARDS.*{says}"):
        launch_servers(tmp_path, {"REDIS_SHARDS": shards}, keyring, own_shares(), launched.append)
    assert launched == []


def test_shards_are_asked_whether_they_take_us_and_one_that_is_away_holds_up_nobody(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_shards(f"blue={redis_url}#{{b}}: green=#{{g}}:", redis_url, "", "")
    assert caplog.messages == []
    check_shards("blue=redis://:s3cret@127.0.0.1:1/0", redis_url, "", "")
    [said] = caplog.messages
    assert "redis://:***@127.0.0.1:1/0" in said
    stranger = f"redis://:s3cret@{redis_url.rpartition('@')[2]}"
    with pytest.raises(InstanceError, match=r"the shard `blue`, redis://:\*\*\*@.*AuthenticationError") as refused:
        check_shards(f"blue={stranger}#{{b}}:", redis_url, "", "")
    assert "s3cret" not in str(refused.value)


def test_servers_that_answer_are_accepted(redis_url: str, amqp_url: str, amqp_ca_file: str, database_url: str) -> None:
    urls = {"REDIS_URL": redis_url, "AMQP_URL": amqp_url, "DATABASE_URL": database_url}
    check_outside_servers(urls, {"AMQP_URL": amqp_ca_file})


def test_a_function_invoked_at_start_gets_the_input_of_its_schedule() -> None:
    plain, scheduled = (Function(n, n, Path(), "handler.lambda_handler", 1, 128, {}, True) for n in ("prepare", "relay"))
    schedule = Schedule(scheduled, "Relay", "rate(1 minute)", "UTC", {"limit": 5}, 0, 60)
    manifest = Manifest((plain, scheduled), (), (), (), (schedule,), None)
    assert manifest.start_event(plain) == {}
    assert manifest.start_event(scheduled) == {"limit": 5}
