"""What an operator is told when an instance is ready."""

from __future__ import annotations

import socket

import pytest

from local_runtime.cli.welcome import welcome
from local_runtime.settings import InstanceSettings

RUNTIME = {
    "base_url": "http://127.0.0.1:8080",
    "redis_url": "redis://127.0.0.1:1/0",
    "amqp_url": "amqps://127.0.0.1:2/",
    "database_url": "postgresql://127.0.0.1:3/db",
    "processes": {"http": 1},
}


EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound


def told(capsys: pytest.CaptureFixture[str], **settings: str) -> list[str]:
    welcome(RUNTIME, InstanceSettings.from_environment({}, **settings), None, {})
    return [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["join"]]


@pytest.mark.parametrize("has_admin", [True, False])
def test_how_an_admin_is_made_is_told_where_there_is_none(capsys: pytest.CaptureFixture[str], has_admin: bool) -> None:
    welcome(RUNTIME, InstanceSettings.from_environment({}), None, {}, has_admin=has_admin)
    assert ("create-user root --role admin" in capsys.readouterr().out) is not has_admin


def test_who_listens_everywhere_is_told_the_address_for_the_other_devices(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(capsys, host="127.0.0.1") == []
    monkeypatch.setattr(socket.socket, "getsockname", lambda _self: ("10.1.2.3", 9))
    assert told(capsys, host=EVERYWHERE, insecure="true") == ["http://10.1.2.3:8080/ on other devices of this network"]


def test_a_machine_without_a_network_is_told_no_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_arguments: object) -> None:
        raise OSError

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    assert told(capsys, host=EVERYWHERE, insecure="true") == []
