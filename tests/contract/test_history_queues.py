"""Updates spread over several queues: a player's on one of them, markers through all, none left behind when there are fewer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.boards.board import MAIN
from shared.container import Container
from shared.ledger.events import ScoreAccepted
from shared.ledger.messages import EventCodec
from shared.ledger.publisher_rabbitmq import RabbitPublisher
from shared.ledger.queues import history_queues, queue_of
from shared.ledger.topology_rabbitmq import Topology
from shared.stores.rabbitmq.connection import open_channel
from tests.support.waiting import eventually

FOUR = history_queues(4)
ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


def topology(deployed: Container, queues: int) -> Topology:
    settings = deployed.settings
    return Topology(settings.amqp_url, ca_file=settings.amqp_ca_file, retry_delays=(1, 1, 1), queues=queues)


def taken(deployed: Container, queue: str) -> list[ScoreAccepted | str]:
    found: list[ScoreAccepted | str] = []
    with open_channel(deployed.settings.amqp_url, deployed.settings.amqp_ca_file) as channel:
        while (body := channel.basic_get(queue, auto_ack=True)[2]) is not None:
            found.append(deployed.event_codec.open_update(body))
    return found


@pytest.fixture
def four(deployed: Container) -> Iterator[Topology]:
    """All four queues, empty at first; afterwards the further ones are gone."""
    declared = topology(deployed, 4)
    declared.declare()
    for queue in FOUR:
        taken(deployed, queue)
    yield declared
    with open_channel(deployed.settings.amqp_url, deployed.settings.amqp_ca_file) as channel:
        for queue in FOUR[1:]:
            channel.queue_delete(queue)


@pytest.fixture
def publisher(deployed: Container) -> Iterator[RabbitPublisher]:
    settings = deployed.settings
    options = {
        "ca_file": settings.amqp_ca_file,
        "codec": EventCodec(deployed.sealer, MAIN.increments),
        "wait_seconds": 10.0,
        "queues": 4,
    }
    with closing(RabbitPublisher(settings.amqp_url, on_confirmed=lambda _: None, **options)) as made:  # type: ignore[arg-type]
        yield made


def updates(count: int) -> list[ScoreAccepted]:
    players = [str(uuid4()) for _ in range(count)]
    return [
        ScoreAccepted(str(uuid4()), player, 1, score, ACCEPTED_AT, "", outbox_id=f"{number}-{score}")
        for score in (1, 2, 3)
        for number, player in enumerate(players)
    ]


def test_players_are_spread_evenly_and_always_the_same_way() -> None:
    found = [queue_of(str(number), FOUR) for number in range(4000)]
    assert all(900 < found.count(queue) < 1100 for queue in FOUR)
    assert [queue_of(name, FOUR) for name in ("ada", "player-1")] == [FOUR[0], FOUR[3]], "it changes under nobody's feet"
    assert {queue_of(str(number), history_queues(1)) for number in range(100)} == {"score_history_queue"}


def test_a_players_updates_arrive_in_one_queue_in_their_order(
    four: Topology, publisher: RabbitPublisher, deployed: Container
) -> None:
    sent = updates(40)
    publisher.publish_accepted(sent)
    assert four.backlog() == len(sent)
    arrived = {queue: taken(deployed, queue) for queue in FOUR}
    assert all(arrived.values())
    assert arrived == {queue: [event for event in sent if queue_of(event.user_id, FOUR) == queue] for queue in FOUR}


def test_a_marker_stands_behind_the_updates_of_every_queue(
    four: Topology, publisher: RabbitPublisher, deployed: Container
) -> None:
    publisher.publish_accepted(updates(40))
    marker_ids = publisher.publish_marker("m")
    assert [taken(deployed, queue)[-1] for queue in FOUR] == marker_ids
    assert len(set(marker_ids)) == 4


def test_what_lies_in_queues_no_longer_used_goes_through_the_first_one(
    four: Topology, publisher: RabbitPublisher, deployed: Container
) -> None:
    sent = updates(20)
    publisher.publish_accepted(sent)
    fewer = topology(deployed, 2)
    assert set(FOUR[2:]).isdisjoint(fewer.declare())
    eventually(lambda: fewer.backlog() == len(sent), 60, "all of them where somebody reads")
    arrived = [*taken(deployed, FOUR[0]), *taken(deployed, FOUR[1])]
    assert len(arrived) == len(sent)
    assert all(event in arrived for event in sent)
    assert [taken(deployed, queue) for queue in FOUR[2:]] == [[], []]
