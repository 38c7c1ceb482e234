"""What adapters measure of the real stores, each thing once, under the name it has in METRICS.md."""

from __future__ import annotations

import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.boards.board import MAIN
from shared.container import Container
from shared.core import metrics
from shared.core.errors import NotYourScore, RabbitUnavailable
from shared.ledger.events import ScoreAccepted
from shared.ledger.messages import EventCodec
from shared.ledger.postgresql import Ledger
from shared.ledger.publisher_rabbitmq import RabbitPublisher
from shared.operations.redis import QueueWatch
from shared.stores.keys import ShardKeys
from shared.stores.postgresql.pool import Pool
from shared.stores.redis.connection import MeasuredRedis, connect
from shared.stores.redis.scripts import LAYER, run_script

SCRIPTS = sorted(path.stem for path in LAYER.glob("*/lua/*.lua"))
ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Since:
    """What was counted since this was made."""

    def __init__(self) -> None:
        self._before = self._now()

    def __call__(self, name: str, *labels: str) -> float:
        """By how much a counter rose, or how many observations a histogram got."""
        key = f"scoreboard_{name}", labels
        return self._now().get(key, 0) - self._before.get(key, 0)

    def _now(self) -> dict[tuple[str, tuple[str, ...]], float]:
        return {
            (family.name, labels): sum(value[0]) if family.kind == "histogram" else value
            for family in metrics.registry.read()
            for labels, value in family.values.items()
        }


@pytest.fixture(params=["shared line", "pool"])
def client(request: pytest.FixtureRequest, redis_client: redis.Redis) -> redis.Redis:
    """Both ways to Redis: many on one connection, and with TLS among threads one for each."""
    if request.param == "shared line":
        return redis_client
    return MeasuredRedis(connection_pool=redis_client.connection_pool)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_a_histogram_of_its_own(redis_client: redis.Redis, name: str) -> None:
    since = Since()
    with suppress(redis.ResponseError):  # most miss their keys
        run_script(redis_client, name, (), ())
    ended = since("redis_command_duration_seconds", name), since("redis_errors_total", name)
    assert sorted(ended) == [0, 1]


def test_a_script_that_redis_meets_for_the_first_time_is_measured_once(client: redis.Redis) -> None:
    client.script_flush()
    since = Since()
    keys = ShardKeys(f"{uuid4()}:")
    run_script(client, "admit", (keys.ended_sessions, keys.user("nobody").profile), ("", "1"))
    assert since("redis_command_duration_seconds", "admit") == 1
    assert since("redis_errors_total", "admit") == 0
    assert since("redis_command_duration_seconds", "EVALSHA") == since("redis_command_duration_seconds", "EVAL") == 0


def test_commands_and_pipelines_are_measured_and_their_failures_counted(client: redis.Redis) -> None:
    key, since = str(uuid4()), Since()
    client.set(key, "text", ex=10)
    with pytest.raises(redis.ResponseError):
        client.hget(key, "field")
    with client.pipeline(transaction=True) as pipeline:
        pipeline.get(key)
        pipeline.exists(key)
        assert pipeline.execute() == [b"text", 1]
    assert [since("redis_command_duration_seconds", name) for name in ("SET", "HGET", "pipeline", "GET")] == [1, 0, 1, 0]
    assert since("redis_errors_total", "HGET") == 1


def test_a_redis_that_is_away_is_counted() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client, since = connect(f"redis://127.0.0.1:{nobody.getsockname()[1]}"), Since()
        with pytest.raises(redis.ConnectionError):
            client.get("x")
    assert since("redis_errors_total", "GET") == 1


def update(user_id: str) -> ScoreAccepted:
    return ScoreAccepted(str(uuid4()), user_id, 1, 1, ACCEPTED_AT, "198.51.100.7")


def test_rows_are_counted_when_they_are_there_and_transactions_whatever_comes_of_them(database: Pool) -> None:
    account, since = Account(str(uuid4()), f"Player-{uuid4().hex[:12]}", "player", "hash", uuid4().hex), Since()
    Users(database).add(account)
    events = [update(account.user_id) for _ in range(3)]
    ledger = Ledger(database)
    ledger.record(events)
    ledger.record([*events, update(account.user_id)])  # three of them it has
    assert since("postgresql_rows_inserted_total", "users") == 1
    assert since("postgresql_rows_inserted_total", "score_history") == 4
    assert since("postgresql_rows_inserted_total", "audit_log") == 5
    assert since("postgresql_transaction_duration_seconds", "record_updates") == 2
    with pytest.raises(NotYourScore), database.transaction("test"):
        raise NotYourScore
    assert since("postgresql_transaction_duration_seconds", "test") == 1


def _publisher(deployed: Container, url: str, **options: Any) -> RabbitPublisher:
    ca_file = deployed.settings.amqp_ca_file
    codec = EventCodec(deployed.sealer, MAIN.increments)
    return RabbitPublisher(url, ca_file=ca_file, codec=codec, on_confirmed=lambda _ids: None, **options)


def test_every_confirmed_message_counts_and_so_does_every_one_that_was_not(deployed: Container) -> None:
    since = Since()
    publisher = _publisher(deployed, deployed.settings.amqp_url)
    try:
        publisher.publish_accepted([update("u"), update("u")])
        publisher.publish_rebuild()
    finally:
        publisher.close()
    assert (since("publish_confirm_seconds"), since("publish_failures_total")) == (3, 0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = _publisher(deployed, f"amqps://127.0.0.1:{nobody.getsockname()[1]}", wait_seconds=0.2)
        try:
            with pytest.raises(RabbitUnavailable):
                away.publish_accepted([update("u"), update("u")])
        finally:
            away.close()
    assert (since("publish_confirm_seconds"), since("publish_failures_total")) == (3, 2)


def test_a_queue_has_waited_since_it_was_last_seen_empty(redis_client: redis.Redis) -> None:
    watch = QueueWatch(redis_client, ShardKeys(f"{uuid4()}:"))
    now, minute = ACCEPTED_AT, timedelta(minutes=1)
    assert watch.waiting_since({"a": 0, "b": 3}, now) == {"b": now}, "whoever is met with messages begins to wait now"
    assert watch.waiting_since({"a": 2, "b": 3}, now + minute) == {"a": now, "b": now}
    assert watch.waiting_since({"a": 0, "b": 9}, now + 2 * minute) == {"b": now}
    assert watch.waiting_since({"a": 1, "b": 0}, now + 3 * minute) == {"a": now + 2 * minute}
    assert watch.waiting_since({"a": 0, "b": 0}, now + 4 * minute) == {}
