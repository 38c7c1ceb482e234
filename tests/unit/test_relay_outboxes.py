"""The outboxes of several shards, of which some are away."""

from __future__ import annotations

import logging
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.core.errors import RedisUnavailable
from shared.ledger.catch_up import Pipeline
from shared.ledger.heal_topology import heal_topology
from shared.ledger.ports import EventPublisher, QueueGauge
from shared.ledger.relay_outbox import relay_outboxes

QUEUES = cast("QueueGauge", None)
SHARDS = ("main", "blue", "green")


def pipelines() -> list[Pipeline]:
    return [cast("Pipeline", SimpleNamespace(outbox=SimpleNamespace(shard=name))) for name in SHARDS]


@pytest.fixture
def asked() -> list[str]:
    """Names of the shards that were asked for what is left in their outbox."""
    return []


@pytest.fixture
def away(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of shards that do not answer; of the others each has an event to publish."""
    names: set[str] = set()

    def relay(pipeline: Any, *_: object) -> int:
        asked.append(pipeline.outbox.shard)
        if pipeline.outbox.shard in names:
            raise RedisUnavailable
        return 1

    monkeypatch.setattr("shared.ledger.relay_outbox.relay_outbox", relay)
    return names


def test_all_of_them_are_relayed(away: set[str]) -> None:
    assert relay_outboxes(pipelines(), QUEUES, 10) == 3


def test_a_further_one_that_is_away_is_left_for_later_and_named(away: set[str], caplog: pytest.LogCaptureFixture) -> None:
    away.add("blue")
    with caplog.at_level(logging.WARNING):
        assert relay_outboxes(pipelines(), QUEUES, 10) == 2
    [record] = caplog.records
    assert (record.message, vars(record)["shard"]) == ("a shard is away; its events wait in the outbox", "blue")


def test_without_the_first_one_the_run_has_failed_after_the_others(away: set[str], asked: list[str]) -> None:
    away.add("main")
    with pytest.raises(RedisUnavailable):
        relay_outboxes(pipelines(), QUEUES, 10)
    assert asked == list(SHARDS)


def test_queues_are_declared_again_whoever_is_away(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def claim(shard: str, _: str) -> bool:
        if shard == "blue":
            raise RedisUnavailable
        return True

    published: list[str] = []

    def publish(outbox: Any, *_: object) -> int:
        published.append(outbox.shard)
        return 1

    monkeypatch.setattr("shared.ledger.heal_topology.publish_again", publish)
    outboxes: Any = [SimpleNamespace(shard=name, claim_relay=partial(claim, name), newest_id=str) for name in SHARDS]
    topology: Any = SimpleNamespace(restore=lambda: ["history"])
    with caplog.at_level(logging.WARNING):
        assert heal_topology(topology, outboxes, cast("EventPublisher", None)) == ["history"]
    assert published == ["main", "green"]
    assert [vars(record)["shard"] for record in caplog.records if "away" in record.message] == ["blue"]
