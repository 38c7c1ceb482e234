"""The settings: everything wrong is reported at once, and no secret is ever shown."""

from __future__ import annotations

import dataclasses

import pytest

from local_runtime.settings import InstanceSettings, SettingsError
from shared.container import Container
from shared.core.config import Settings
from shared.core.errors import ConfigurationError

REQUIRED = {
    "REDIS_URL": "redis://:redis-secret@127.0.0.1:6379/0",
    "AMQP_URL": "amqps://u:amqp-secret@127.0.0.1:5671/%2F",
    "DATABASE_URL": "postgresql://u:database-secret@127.0.0.1:5432/scoreboard",
    "JWT_SIGNING_KEY": "signing-secret",
    "PAYLOAD_KEYS": "payload-secret",
}


def test_the_required_settings_suffice() -> None:
    settings = Settings.from_environment(REQUIRED)
    assert (settings.rate_limit_requests, settings.rate_window_seconds) == (100, 60)
    assert list(settings.retry_delays_seconds) == [5.0, 30.0, 180.0]
    assert (settings.public_leaderboard, settings.require_action_ticket, settings.key_prefix) == (False, False, "")


def test_every_setting_has_its_help() -> None:
    assert all(item.metadata["help"] for item in dataclasses.fields(Settings))


def test_settings_are_read_with_their_types() -> None:
    settings = Settings.from_environment(
        {**REQUIRED, "RATE_LIMIT_REQUESTS": "7", "PUBLIC_LEADERBOARD": "True", "KEY_PREFIX": "{spring}:", "JWT_ISSUER": ""}
    )
    assert (settings.rate_limit_requests, settings.public_leaderboard, settings.key_prefix) == (7, True, "{spring}:")


def test_origins_are_read_one_by_one() -> None:
    settings = Settings.from_environment(
        {**REQUIRED, "CORS_ALLOWED_ORIGINS": "https://a.example, http://[::1]:3000,capacitor://localhost,tauri://localhost"}
    )
    shells = ("capacitor://localhost", "tauri://localhost")
    assert settings.cors_allowed_origins == ("https://a.example", "http://[::1]:3000", *shells)


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://A.example",
        "https://a.example/",
        "a.example",
        "https://a.example,null",
        "http://[1]",
        "http://a:",
        "http://a.example:",
    ],
)
def test_what_is_no_exact_origin_is_refused(origins: str) -> None:
    with pytest.raises(ConfigurationError, match="CORS_ALLOWED_ORIGINS must be exact origins"):
        Settings.from_environment({**REQUIRED, "CORS_ALLOWED_ORIGINS": origins})


def test_all_problems_are_reported_at_once() -> None:
    wrong = {"RATE_LIMIT_REQUESTS": "-1", "RATE_WINDOW_SECONDS": "1.5", "PUBLIC_LEADERBOARD": "perhaps"}
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment(wrong)
    for name in (*REQUIRED, *wrong):
        assert name in str(refused.value)
    assert "perhaps" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "value"),
    [(" True", True), ("yes", True), ("ON", True), ("1", True), ("false", False), ("No", False), ("off", False), ("0", False)],
)
def test_whether_something_is_so_has_the_same_words_in_all_settings(word: str, value: bool) -> None:
    settings = Settings.from_environment({**REQUIRED, "PUBLIC_LEADERBOARD": word, "REQUIRE_ACTION_TICKET": word})
    assert (settings.public_leaderboard, settings.require_action_ticket) == (value, value)
    assert InstanceSettings.from_environment({"SCOREBOARD_TLS": word}).tls is value


def test_anything_else_is_refused_in_the_same_words() -> None:
    with pytest.raises(ConfigurationError, match="PUBLIC_LEADERBOARD is neither true nor false"):
        Settings.from_environment({**REQUIRED, "PUBLIC_LEADERBOARD": "maybe"})
    with pytest.raises(SettingsError, match="SCOREBOARD_TLS='maybe': is neither true nor false"):
        InstanceSettings.from_environment({"SCOREBOARD_TLS": "maybe"})


@pytest.mark.parametrize("name", ["HISTORY_MONTHS", "AUDIT_MONTHS"])
def test_months_are_as_many_as_there_are_dates_for(name: str) -> None:
    assert getattr(Settings.from_environment({**REQUIRED, name: "1200"}), name.lower()) == 1200
    with pytest.raises(ConfigurationError, match=f"{name} is more than 1200"):
        Settings.from_environment({**REQUIRED, name: "1201"})


PROVIDER = {"JWT_ISSUER": "https://id.example/", "JWT_AUDIENCE": "game", "JWT_JWKS_URL": "https://id.example/jwks.json"}


@pytest.mark.parametrize("missing", PROVIDER)
def test_an_outside_provider_is_named_completely_or_not_at_all(missing: str) -> None:
    assert Settings.from_environment({**REQUIRED, **PROVIDER}).jwt_audience == "game"
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({**REQUIRED, **PROVIDER, missing: ""})
    assert f"{missing} must be set with {' and '.join(name for name in PROVIDER if name != missing)}" in str(refused.value)


def test_a_secret_never_prints() -> None:
    settings = Settings.from_environment(REQUIRED)
    assert "secret" not in repr(settings).replace("scoreboard_secret_id", "")
    assert "secret" not in repr(Container(settings))
