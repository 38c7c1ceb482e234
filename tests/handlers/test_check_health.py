"""GET /healthz and GET /readyz."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import redis

from local_runtime.instance.servers.postgresql import FUNCTIONS_USER, SUPERUSER, USER
from shared.container import Container, container
from shared.ledger.queues import DEAD_LETTERS, HISTORY, RETRIES, UPDATED
from shared.operations.rabbitmq import QUEUE
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.support.product import connect, query
from tests.support.queues import Queues
from tests.support.redis_settings import redis_with
from tests.support.waiting import eventually

NAMES = ("redis", "rabbitmq", "postgresql")
CAPABILITIES = ("acceptUpdates", "record", "broadcast", "logIn", "read")
URLS = {
    "redis": ("REDIS_URL", "redis://127.0.0.1:{port}/0"),
    "rabbitmq": ("AMQP_URL", "amqps://u:p@127.0.0.1:{port}/%2F"),
    "postgresql": ("DATABASE_URL", "postgresql://u:p@127.0.0.1:{port}/scoreboard"),
}
LOST_WITH = {
    "redis": {"acceptUpdates", "broadcast", "logIn", "read"},
    "rabbitmq": {"record", "broadcast"},
    "postgresql": {"record", "logIn"},
}
SECONDS = 30.0


def ready() -> HandlerReply:
    return call("check_health", "GET /readyz")


def lost(reply: HandlerReply) -> dict[str, str]:
    """By capability the reason why it does not work."""
    capabilities: dict[str, Any] = reply.json["data"]["capabilities"]
    assert set(capabilities) == set(CAPABILITIES)
    return {name: one["reason"] for name, one in capabilities.items() if not one["ok"]}


def move(redeploy: Redeploy, name: str, port: int) -> None:
    variable, url = URLS[name]
    redeploy(**{variable: url.format(port=port)})


def becomes(reasons: dict[str, str]) -> HandlerReply:
    """Wait until these capabilities are lost for these reasons, and no others."""
    told: list[HandlerReply] = []

    def has_become() -> bool:
        told.append(ready())
        return lost(told[-1]) == reasons

    eventually(has_become, SECONDS, f"{reasons}")
    return told[-1]


@contextmanager
def consumers(deployed: Container) -> Iterator[None]:
    """As the runtime has them; what they are given goes back."""
    with Queues(deployed).channel() as channel:
        channel.basic_qos(prefetch_count=1)
        for queue in (HISTORY, UPDATED):
            channel.basic_consume(queue, lambda *_: None)
        yield


@pytest.fixture
def consumed(deployed: Container) -> Iterator[Container]:
    with consumers(deployed):
        yield deployed


def test_alive_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _ in URLS.values():
        monkeypatch.delenv(variable, raising=False)
    container.cache_clear()
    assert call("check_health", "GET /healthz").data == {"status": "alive"}


def test_ready_names_every_dependency_and_capability(consumed: Container) -> None:
    data = ready().data
    assert data.pop("ageSeconds") < 30
    assert data == {
        **dict.fromkeys(NAMES, "up"),
        "status": "ready",
        "capabilities": {name: {"ok": True} for name in CAPABILITIES},
    }


def test_what_nobody_consumes_is_not_recorded_or_broadcast(deployed: Container) -> None:
    assert lost(ready()) == {
        "record": f"nothing consumes {HISTORY}",
        "broadcast": f"nothing consumes {UPDATED}",
    }
    assert ready().data["status"] == "degraded"
    with consumers(deployed):
        assert becomes({}).data["status"] == "ready"


@pytest.mark.parametrize("name", NAMES)
def test_without_a_store_only_redis_keeps_updates_out(consumed: Container, redeploy: Redeploy, name: str) -> None:
    move(redeploy, name, 1)
    reply = ready()
    data = reply.json["data"]
    assert {store: data[store] for store in NAMES} == {**dict.fromkeys(NAMES, "up"), name: "down"}
    assert set(lost(reply)) == LOST_WITH[name]
    assert all("does not answer" in reason for reason in lost(reply).values())
    if name == "redis":
        assert reply.problem == (503, "not_ready")
        assert reply.json["detail"] == "No update can be accepted: Redis does not answer."
        assert reply.headers["Retry-After"] == "1"
        assert data["status"] == "unavailable"
    else:
        assert (reply.status, data["status"]) == (200, "degraded")


def test_a_worker_that_is_asked_late_says_what_the_others_say(
    consumed: Container, redeploy: Redeploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profiles of players are not remembered longer because nobody has asked it before."""
    monkeypatch.setattr("shared.operations.readiness.PROFILES_SECONDS", 4.0)
    assert ready().status == 200
    move(redeploy, "postgresql", 1)
    assert set(lost(ready())) == LOST_WITH["postgresql"], "PostgreSQL answered others a moment ago"
    eventually(lambda: set(lost(ready())) == {"acceptUpdates", *LOST_WITH["postgresql"]}, SECONDS, "no update is accepted")
    for _ in range(2):
        move(redeploy, "postgresql", 1)
        reply = ready()
        assert reply.problem == (503, "not_ready")
        assert set(lost(reply)) == {"acceptUpdates", *LOST_WITH["postgresql"]}


def test_those_that_never_answer_are_down(deployed: Container, redeploy: Redeploy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name in NAMES:
            move(redeploy, name, silent.getsockname()[1])
        data = ready().json["data"]
        assert {store: data[store] for store in NAMES} == dict.fromkeys(NAMES, "down")


def test_a_board_that_is_not_there_yet_is_being_rebuilt(consumed: Container, redeploy: Redeploy) -> None:
    redeploy(KEY_PREFIX=f"{{{secrets.token_hex(4)}}}:")
    reply = ready()
    assert reply.problem == (503, "not_ready")
    assert set(lost(reply)) == {"acceptUpdates", "read"}
    assert all(reason.startswith("rebuilding") for reason in lost(reply).values())


@contextmanager
def replica(redis_url: str) -> Iterator[None]:
    """Of a primary that is not there."""
    with redis.Redis.from_url(redis_url) as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("full", "Redis is full (maxmemory)"),
        ("lonely", "Redis has fewer replicas than it must have (min-replicas-to-write)"),
        ("replica", "Redis is read-only, for it is a replica"),
    ],
)
def test_a_redis_that_answers_and_takes_no_update(consumed: Container, redis_url: str, trouble: str, reason: str) -> None:
    ways = {
        "full": lambda: redis_with(redis_url, maxmemory=1),
        "lonely": lambda: redis_with(redis_url, min_replicas_to_write=1),
        "replica": lambda: replica(redis_url),
    }
    assert ready().data["status"] == "ready"
    with ways[trouble]():
        reply = becomes(dict.fromkeys(("acceptUpdates", "broadcast", "logIn"), reason))
        assert reply.problem == (503, "not_ready")
        assert reply.json["data"]["redis"] == "up"
    assert becomes({}).data["status"] == "ready"


@pytest.mark.parametrize(
    ("queue", "capability"), [(HISTORY, "record"), (RETRIES[1], "record"), (DEAD_LETTERS, "record"), (UPDATED, "broadcast")]
)
def test_a_missing_queue_is_named(deployed: Container, queue: str, capability: str) -> None:
    others = {HISTORY, UPDATED} - {queue}
    with ExitStack() as stack:
        if queue not in (HISTORY, UPDATED):
            stack.enter_context(consumers(deployed))
            others = set()
        else:
            channel = stack.enter_context(Queues(deployed).channel())
            for other in others:
                channel.basic_consume(other, lambda *_: None)
        with Queues(deployed).without(queue):
            reply = becomes({capability: f"the queue {queue} is missing"})
            assert reply.data["status"] == "degraded"
    with consumers(deployed):
        assert becomes({}).data["status"] == "ready"


def test_its_own_queue_is_declared_and_stays_short(consumed: Container) -> None:
    with Queues(consumed).channel() as channel:
        channel.queue_delete(QUEUE)
    assert ready().data["status"] == "ready"
    with Queues(consumed).channel() as channel:
        eventually(lambda: channel.queue_declare(QUEUE, passive=True).method.message_count == 1, SECONDS, "the probe")


def test_a_queue_that_refuses_messages_is_told(consumed: Container) -> None:
    arguments = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    with Queues(consumed).channel() as channel:
        channel.queue_delete(QUEUE)
        channel.queue_declare(QUEUE, durable=True, arguments=arguments)
        try:
            becomes(dict.fromkeys(("record", "broadcast"), "RabbitMQ refuses messages (nack)"))
        finally:
            channel.queue_delete(QUEUE)
    assert becomes({}).data["status"] == "ready"


def as_superuser(database_url: str, sql: str) -> None:
    query(database_url.replace(f"//{USER}:", f"//{SUPERUSER}:"), sql)


def test_a_read_only_database_is_told_and_left_when_it_is_over(consumed: Container, database_url: str) -> None:
    assert ready().data["status"] == "ready"
    reason = "PostgreSQL is read-only (a standby, or default_transaction_read_only)"
    as_superuser(database_url, "ALTER SYSTEM SET default_transaction_read_only = on")
    try:
        as_superuser(database_url, "SELECT pg_reload_conf()")
        reply = becomes(dict.fromkeys(("record", "logIn"), reason))
        assert (reply.status, reply.data["postgresql"]) == (200, "up")
    finally:
        as_superuser(database_url, "ALTER SYSTEM RESET default_transaction_read_only")
        as_superuser(database_url, "SELECT pg_reload_conf()")
    assert becomes({}).data["status"] == "ready"


@pytest.mark.parametrize(
    ("right", "table", "lost_with_it"),
    [
        ("INSERT", "score_history", {"record"}),
        ("INSERT", "score_entries", {"record"}),
        ("INSERT", "refresh_tokens", {"logIn"}),
        ("SELECT", "users", {"record", "logIn"}),
    ],
)
def test_rights_that_are_lost_are_named(
    consumed: Container, database_url: str, right: str, table: str, lost_with_it: set[str]
) -> None:
    query(database_url, f"REVOKE {right} ON {table} FROM {FUNCTIONS_USER}")
    try:
        becomes(dict.fromkeys(lost_with_it, f"{right} on {table} is not permitted"))
    finally:
        query(database_url, f"GRANT {right} ON {table} TO {FUNCTIONS_USER}")
    assert becomes({}).data["status"] == "ready"


def test_a_table_that_is_gone_is_named(consumed: Container, database_url: str) -> None:
    query(database_url, "ALTER TABLE refresh_tokens RENAME TO refresh_tokens_hidden")
    try:
        becomes({"logIn": "the table refresh_tokens is missing"})
    finally:
        query(database_url, "ALTER TABLE refresh_tokens_hidden RENAME TO refresh_tokens")
    assert becomes({}).data["status"] == "ready"


def test_a_database_that_does_not_finish_a_write_is_told(consumed: Container, database_url: str) -> None:
    """As one that waits for a standby."""
    holder = connect(database_url)
    assert ready().data["status"] == "ready"
    holder.run("BEGIN")
    holder.run("SELECT * FROM readiness_probe FOR UPDATE")
    try:
        becomes(dict.fromkeys(("record", "logIn"), "PostgreSQL takes longer than 1 s to write"))
    finally:
        holder.close()
    assert becomes({}).data["status"] == "ready"
