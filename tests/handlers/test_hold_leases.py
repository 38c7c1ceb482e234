"""hold_leases and the joining of an instance: what the local runtime asks before it consumes and schedules."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.container import Container, container
from shared.core.errors import ConfigurationError, InvalidParameter
from shared.ledger.messages import VERSION
from shared.ledger.queues import HISTORY
from shared.operations import hold_leases
from shared.operations.hold_leases import join_instances
from shared.stores.postgresql.migrations import MIGRATIONS
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke
from tests.support.relay import Relay

NewInstance = Callable[..., str]
LEASE_SECONDS = 300.0  # as long as a test may take
USUAL = {"HISTORY_QUEUES": "1", "KEY_PREFIX": "", "RATE_LIMIT_REQUESTS": "100", "FORMER_INSTANCE_ID": ""}


@pytest.fixture
def instance(deployed: Container, redeploy: Redeploy, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewInstance]:
    """Become another instance on the same stores; answers its id."""
    monkeypatch.setattr(hold_leases, "LEASE_SECONDS", LEASE_SECONDS)
    made: list[str] = []

    def become(**settings: str) -> str:
        made.append(settings.setdefault("INSTANCE_ID", secrets.token_hex(6)))
        redeploy(**(USUAL | settings))
        return made[-1]

    yield become
    with deployed._pool.connection() as session:
        session.run("DELETE FROM leases WHERE holder = ANY(CAST(:made AS text[]))", made=made)


def hold(name: str, **more: Any) -> Any:
    return invoke("hold_leases", {"names": [name], **more})


def test_one_instance_holds_what_another_is_told_of_and_gets_when_it_is_released(instance: NewInstance) -> None:
    name, first = f"test-{secrets.token_hex(6)}", instance()
    assert hold(name) == {"held": {name: 1}, "others": {}, "seconds": LEASE_SECONDS}
    second = instance()
    assert hold(name) == {"held": {}, "others": {name: first}, "seconds": LEASE_SECONDS}
    instance(INSTANCE_ID=first)
    assert hold(name, release=True)["held"] == {}
    instance(INSTANCE_ID=second)
    assert hold(name)["held"] == {name: 2}


def test_an_instance_goes_on_with_what_the_one_before_it_held(instance: NewInstance) -> None:
    name, before = f"test-{secrets.token_hex(6)}", instance()
    hold(name)
    instance(FORMER_INSTANCE_ID=before)
    assert hold(name)["held"] == {name: 2}


@pytest.mark.parametrize(
    "body",
    [{}, {"names": []}, {"names": "schedules"}, {"names": [""]}, {"names": ["x" * 201]}, {"names": [1]}, {"names": ["x"] * 33}],
)
def test_what_names_no_leases_is_refused(deployed: Container, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        invoke("hold_leases", body)
    with pytest.raises(InvalidParameter):
        invoke("hold_leases", {"names": ["x"], "release": "yes"})


def test_a_database_that_is_away_changes_nothing_and_is_no_error(
    instance: NewInstance, function_environment: dict[str, str]
) -> None:
    relay = Relay(function_environment["DATABASE_URL"])
    relay.cut()
    try:
        instance(DATABASE_URL=relay.url)
        assert hold("schedules") == {"away": True}
    finally:
        relay.close()


@pytest.mark.parametrize(("setting", "value"), [("HISTORY_QUEUES", "4"), ("KEY_PREFIX", "{elsewhere}:")])
def test_an_instance_with_settings_that_harm_the_others_is_refused_and_touches_nothing(
    deployed: Container, instance: NewInstance, setting: str, value: str
) -> None:
    """The one with fewer queues would empty the others' into its own."""
    instance(**{setting: value})
    invoke("prepare_stores", {})
    instance()
    with pytest.raises(ConfigurationError, match=f"{setting} is .* here and .* there"):
        invoke("prepare_stores", {})


def test_a_refused_instance_keeps_nobody_away(deployed: Container, instance: NewInstance) -> None:
    first = instance(HISTORY_QUEUES="2")
    invoke("prepare_stores", {})
    refused = instance()
    with pytest.raises(ConfigurationError):
        invoke("prepare_stores", {})
    instance(HISTORY_QUEUES="2")
    invoke("prepare_stores", {})
    assert deployed.leases.holders([f"instance:{first}", f"instance:{refused}"]) == {f"instance:{first}": first}


def test_a_setting_may_change_when_the_instance_with_the_old_one_has_ended(deployed: Container, instance: NewInstance) -> None:
    before = instance(HISTORY_QUEUES="4")
    assert f"{HISTORY}.4" in invoke("prepare_stores", {})["queues"]
    instance(FORMER_INSTANCE_ID=before)
    assert f"{HISTORY}.4" not in invoke("prepare_stores", {})["queues"]


def test_instances_that_differ_in_their_rates_are_told(instance: NewInstance, capsys: pytest.CaptureFixture[str]) -> None:
    instance(RATE_LIMIT_REQUESTS="7")
    invoke("prepare_stores", {})
    instance()
    invoke("prepare_stores", {})
    assert '"setting":"RATE_LIMIT_REQUESTS","here":100,"there":[7]' in capsys.readouterr().err


def test_an_instance_that_a_newer_version_has_left_behind_is_refused_and_is_not_counted(
    deployed: Container, instance: NewInstance
) -> None:
    """Whether the newer version has changed the schema before this one was prepared, or while it was."""
    instance()
    with deployed._owners_pool.connection() as session:
        session.run("INSERT INTO schema_migrations (name, checksum, oldest_schema) VALUES ('9999_later', '', 9999)")
    try:
        with pytest.raises(ConfigurationError, match=r"newer version has changed the database \(9999_later\)"):
            invoke("prepare_stores", {})
        refused = instance()
        made = container()
        with pytest.raises(ConfigurationError, match="9999_later"):
            join_instances(made.leases, made.instance, made.migrations)
        assert made.leases.holders([f"instance:{refused}"]) == {}
    finally:
        with deployed._owners_pool.connection() as session:
            session.run("DELETE FROM schema_migrations WHERE name = '9999_later'")


def test_an_instance_tells_its_schema_and_form_of_messages(deployed: Container, instance: NewInstance) -> None:
    here = instance()
    invoke("prepare_stores", {})
    [detail] = [each for each in deployed.leases.details_of_others(()) if "SCHEMA" in each]
    newest = max(int(path.name[:4]) for path in MIGRATIONS.glob("*.sql"))
    assert (detail["SCHEMA"], detail["MESSAGES"], detail["HISTORY_QUEUES"]) == (newest, VERSION, 1), here
