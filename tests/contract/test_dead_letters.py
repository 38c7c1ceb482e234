"""Dead letters: looked at where they lie, and moved back without losing one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.adapters.rabbitmq import dead_letters as module
from shared.adapters.rabbitmq.codec import RabbitEventCodec
from shared.adapters.rabbitmq.connection import open_channel
from shared.adapters.rabbitmq.dead_letters import RabbitDeadLetters
from shared.adapters.rabbitmq.history_queues import HISTORY
from shared.adapters.rabbitmq.topology import DEAD_LETTERS, QUEUES, RabbitTopology
from shared.domain.score import RefusedMessage, ScoreAccepted
from shared.errors import RabbitUnavailable
from shared.wiring import Container
from tests.support.waiting import eventually

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Parking:
    """The two queues, empty at first."""

    def __init__(self, deployed: Container) -> None:
        self.deployed = deployed
        self.letters = deployed.dead_letters
        self.codec = RabbitEventCodec(deployed.sealer)
        self.taken(HISTORY)
        self.taken(DEAD_LETTERS)

    def park(self, count: int) -> list[ScoreAccepted]:
        events = [ScoreAccepted(str(uuid4()), str(uuid4()), 1, number, ACCEPTED_AT, "") for number in range(1, count + 1)]
        bodies = [self.codec.update(event) for event in events]
        self.park_bodies(*bodies)
        return events

    def park_bodies(self, *bodies: bytes) -> None:
        before = self.count()
        self.deployed.topology.park([RefusedMessage(body, "unknown_user", 4) for body in bodies])
        eventually(lambda: self.count() == before + len(bodies), 10, "all of them parked")

    def count(self, queue: str = DEAD_LETTERS) -> int:
        with self.channel() as channel:
            found: int = channel.queue_declare(queue, passive=True).method.message_count
        return found

    def taken(self, queue: str) -> list[tuple[Any, bytes]]:
        found: list[tuple[Any, bytes]] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None or body is None:
                    return found
                found.append((properties, body))

    def arrived(self) -> list[str]:
        """Request ids of what came into score_history_queue."""
        opened = [self.codec.open_update(body) for _, body in self.taken(HISTORY)]
        return [event.request_id for event in opened if isinstance(event, ScoreAccepted)]

    def channel(self) -> Any:
        return open_channel(self.deployed.settings.amqp_url, self.deployed.settings.amqp_ca_file)


@pytest.fixture
def parking(deployed: Container) -> Iterator[Parking]:
    with closing(_Emptied(Parking(deployed))) as emptied:
        yield emptied.parking


class _Emptied:
    def __init__(self, parking: Parking) -> None:
        self.parking = parking

    def close(self) -> None:
        self.parking.taken(HISTORY)
        self.parking.taken(DEAD_LETTERS)


def test_nothing_is_there_at_first(parking: Parking) -> None:
    assert parking.letters.peek(10) == ([], 0)
    redriven = parking.letters.redrive(10)
    assert (redriven.moved, redriven.left) == (0, 0)


def test_they_are_shown_oldest_first_with_their_fate(parking: Parking) -> None:
    before = datetime.now(UTC)
    events = parking.park(3)
    found, total = parking.letters.peek(2)
    assert total == 3
    assert [(letter.request_id, letter.user_id, letter.increment) for letter in found] == [
        (event.request_id, event.user_id, event.increment) for event in events[:2]
    ]
    assert [(letter.reason, letter.attempts, letter.origin) for letter in found] == [("unknown_user", 4, HISTORY)] * 2
    assert all(before <= datetime.fromisoformat(letter.parked_at) <= datetime.now(UTC) and letter.size > 100 for letter in found)


def test_looking_changes_nothing_however_often(parking: Parking) -> None:
    events = parking.park(5)
    for _ in range(30):  # RabbitMQ 4 drops what returned 20 times unless the queue says otherwise
        found, total = parking.letters.peek(3)
        assert total == 5
        assert [letter.request_id for letter in found] == [event.request_id for event in events[:3]]
        eventually(lambda: parking.count() == 5, 10, "all of them back")
    assert parking.letters.redrive(10).moved == 5


def test_what_is_no_message_at_all_is_shown_too(parking: Parking) -> None:
    parking.park_bodies(b"\xff\x00 nonsense", b"[" * 5000, b'{"request_id": 5}', b'{"request_id": "' + b"x" * 900 + b'"}')
    found, total = parking.letters.peek(10)
    assert total == 4
    assert [letter.request_id for letter in found] == [None, None, None, "x" * 200]
    assert [letter.size for letter in found] == [11, 5000, 17, 918]


def test_redriven_ones_are_as_they_were_and_as_new(parking: Parking) -> None:
    parking.park(3)
    with parking.channel() as channel:
        bodies = [channel.basic_get(DEAD_LETTERS)[2] for _ in range(3)]
    eventually(lambda: parking.count() == 3, 10, "all of them back")
    redriven = parking.letters.redrive(10)
    assert (redriven.moved, redriven.left) == (3, 0)
    moved = parking.taken(HISTORY)
    assert [body for _, body in moved] == bodies
    counted_by_the_broker = {"x-delivery-count"}
    assert [set(properties.headers) - counted_by_the_broker for properties, _ in moved] == [{"x-redriven-at"}] * 3
    assert all(properties.delivery_mode == 2 and properties.expiration is None for properties, _ in moved)


def test_a_limit_leaves_the_younger_ones_in_their_order(parking: Parking) -> None:
    events = parking.park(5)
    redriven = parking.letters.redrive(2)
    assert (redriven.moved, redriven.left) == (2, 3)
    eventually(lambda: parking.count() == 3, 10, "the others back")
    assert [letter.request_id for letter in parking.letters.peek(10)[0]] == [event.request_id for event in events[2:]]


def test_only_the_wanted_ones_move(parking: Parking) -> None:
    events = parking.park(5)
    wanted = {events[1].request_id, events[3].request_id, str(uuid4())}
    redriven = parking.letters.redrive(10, wanted)
    assert redriven.moved == 2
    eventually(lambda: parking.count() == 3, 10, "the others back")
    assert parking.arrived() == [events[1].request_id, events[3].request_id]
    left = [letter.request_id for letter in parking.letters.peek(10)[0]]
    assert left == [events[0].request_id, events[2].request_id, events[4].request_id]


def test_side_by_side_they_move_each_once(parking: Parking) -> None:
    events = parking.park(40)
    with ThreadPoolExecutor(4) as pool:
        moved = sum(redriven.moved for redriven in pool.map(lambda _: parking.letters.redrive(40), range(4)))
    assert moved == 40
    assert parking.count() == 0
    assert sorted(parking.arrived()) == sorted(event.request_id for event in events)


def test_cut_off_between_publish_and_acknowledgement_there_are_two_and_none_is_lost(
    parking: Parking, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = parking.park(3)

    class CutOff(Exception):
        pass

    def take_and_break(channel: Any, most: int) -> Iterator[tuple[int, Any, bytes]]:
        for number, taken in enumerate(whole(channel, most)):
            if number == 1:
                monkeypatch.setattr(channel, "basic_ack", broken)
            yield taken

    def broken(tag: int) -> None:
        raise CutOff

    whole = module._take
    monkeypatch.setattr(module, "_take", take_and_break)
    with pytest.raises(CutOff):
        parking.letters.redrive(10)
    eventually(lambda: parking.count() == 2, 10, "what was not acknowledged back")
    assert parking.arrived() == [event.request_id for event in events[:2]]
    assert [letter.request_id for letter in parking.letters.peek(10)[0]] == [event.request_id for event in events[1:]]


def test_without_a_queue_to_go_to_they_stay(parking: Parking) -> None:
    parking.park(2)
    with parking.channel() as channel:
        channel.queue_delete(HISTORY)
    try:
        with pytest.raises(RabbitUnavailable):
            parking.letters.redrive(10)
    finally:
        parking.deployed.topology.declare()
    eventually(lambda: parking.count() == 2, 10, "both back")


def test_a_broker_that_is_away_is_told_so() -> None:
    away = RabbitDeadLetters("amqp://127.0.0.1:1/", ca_file="")
    for ask in (lambda: away.peek(1), lambda: away.redrive(1)):
        with pytest.raises(RabbitUnavailable):
            ask()


def test_a_queue_made_by_an_older_version_is_kept(parking: Parking, deployed: Container) -> None:
    settings = deployed.settings
    topology = RabbitTopology(settings.amqp_url, ca_file=settings.amqp_ca_file, retry_delays=(1, 1, 1))
    with parking.channel() as channel:
        channel.queue_delete(DEAD_LETTERS)
        channel.queue_declare(DEAD_LETTERS, durable=True, arguments={"x-queue-type": "quorum"})
    try:
        parking.park(1)
        assert set(topology.declare()) == set(QUEUES)
        assert parking.count() == 1
        with parking.channel() as channel:
            channel.queue_delete(DEAD_LETTERS)
            channel.queue_declare(DEAD_LETTERS, durable=True)
        with pytest.raises(RabbitUnavailable):
            topology.declare()
    finally:
        with parking.channel() as channel:
            channel.queue_delete(DEAD_LETTERS)
        topology.declare()
