"""GET /healthz and GET /readyz."""

from __future__ import annotations

import socket
import time

import pytest

from shared.wiring import Container, container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call

NAMES = ("redis", "rabbitmq", "postgresql")
URLS = {
    "redis": ("REDIS_URL", "redis://127.0.0.1:{port}/0"),
    "rabbitmq": ("AMQP_URL", "amqps://u:p@127.0.0.1:{port}/%2F"),
    "postgresql": ("DATABASE_URL", "postgresql://u:p@127.0.0.1:{port}/scoreboard"),
}


def ready() -> HandlerReply:
    return call("check_health", "GET /readyz")


def move(redeploy: Redeploy, name: str, port: int) -> None:
    variable, url = URLS[name]
    redeploy(**{variable: url.format(port=port)})


def test_alive_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _ in URLS.values():
        monkeypatch.delenv(variable, raising=False)
    container.cache_clear()
    assert call("check_health", "GET /healthz").data == {"status": "alive"}


def test_ready_names_every_dependency(deployed: Container) -> None:
    assert ready().data == dict.fromkeys(NAMES, "up")
    assert ready().data == dict.fromkeys(NAMES, "up")


@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_down_makes_it_not_ready(deployed: Container, redeploy: Redeploy, name: str) -> None:
    move(redeploy, name, 1)
    reply = ready()
    assert reply.problem == (503, "not_ready")
    assert reply.json["data"] == {**dict.fromkeys(NAMES, "up"), name: "down"}
    assert reply.json["detail"] == f"Down: {name}."
    assert reply.headers["Retry-After"] == "1"


def test_those_that_never_answer_are_down_within_two_seconds(deployed: Container, redeploy: Redeploy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name in NAMES:
            move(redeploy, name, silent.getsockname()[1])
        began = time.monotonic()
        assert ready().json["data"] == dict.fromkeys(NAMES, "down")
        assert time.monotonic() - began < 3
