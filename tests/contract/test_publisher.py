"""Confirmed publishing through RabbitMQ."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, ConnectionClosedByBroker

from local_runtime.gateway.http.loop import HOOK as LOOP_HOOK
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.ports import free_port
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from shared.boards.board import MAIN
from shared.container import Container
from shared.core import metrics
from shared.core.errors import ConfigurationError, RabbitUnavailable, RedisUnavailable
from shared.ledger.events import Number, ScoreAccepted, ScoresRecorded
from shared.ledger.messages import EventCodec
from shared.ledger.publisher_rabbitmq import RabbitPublisher
from shared.ledger.queues import HISTORY, REBUILD, UPDATED
from shared.stores.rabbitmq.connection import open_connection
from shared.stores.rabbitmq.delivery import Delivery, Group
from shared.stores.rabbitmq.link import Link
from tests.support.queues import Queues
from tests.support.relay import Relay
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
Make = Callable[..., RabbitPublisher]
# Longer than a broker that is there may take, and short enough to be waited for in vain.
PATIENCE_SECONDS = 8.0
OnItsWay = Callable[[RabbitPublisher], AbstractContextManager["Future[bool]"]]


@pytest.fixture
def broker(deployed: Container) -> Queues:
    made = Queues(deployed)
    for queue in (HISTORY, UPDATED):
        made.drain(queue)
    return made


@pytest.fixture
def make(deployed: Container) -> Iterator[Make]:
    """Publishers of their own that note what was confirmed."""
    publishers: list[RabbitPublisher] = []

    def publisher(on_confirmed: Callable[[Any], None], **options: Any) -> RabbitPublisher:
        arguments = {
            "ca_file": deployed.settings.amqp_ca_file,
            "codec": EventCodec(deployed.sealer, MAIN.increments),
            "wait_seconds": 10,
            **options,
        }
        url = arguments.pop("amqp_url", deployed.settings.amqp_url)
        publishers.append(RabbitPublisher(url, on_confirmed=on_confirmed, **arguments))
        return publishers[-1]

    yield publisher
    for one in publishers:
        one.close()


@pytest.fixture
def relay(deployed: Container) -> Iterator[Relay]:
    made = Relay(deployed.settings.amqp_url)
    yield made
    made.close()


def event(outbox_id: str = "1-0") -> ScoreAccepted:
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return ScoreAccepted(str(uuid4()), str(uuid4()), 1, 12, now, "198.51.100.7", Number(1, 1), outbox_id)


def goes_out(publisher: RabbitPublisher, entries: list[ScoreAccepted]) -> bool:
    try:
        publisher.publish_accepted(entries, keep=False)
    except RabbitUnavailable:
        return False
    return True


def entries_of(count: int) -> list[ScoreAccepted]:
    return [event(f"{number}-0") for number in range(count)]


def test_what_is_confirmed_is_noted_once(make: Make, broker: Queues, deployed: Container) -> None:
    noted: list[str] = []
    publisher, (first, second, third) = make(noted.extend), entries_of(3)
    publisher.publish_accepted([first])
    eventually(lambda: noted == ["0-0"], 60, "the first noted")
    publisher.publish_accepted([second, third])
    eventually(lambda: noted == ["0-0", "1-0", "2-0"], 60, "all of them noted")
    messages = broker.drain(HISTORY)
    assert [deployed.event_codec.open_update(body) for _, body in messages] == [first, second, third]


def test_the_publisher_goes_on_before_its_confirm_is_noted(make: Make, broker: Queues) -> None:
    may_note, noted = threading.Event(), threading.Event()

    def note(_: object) -> None:
        may_note.wait(30)
        noted.set()

    make(note).publish_accepted(entries_of(1))
    assert not noted.is_set()
    may_note.set()
    assert noted.wait(30)


def test_a_message_is_persistent_and_says_what_it_is(make: Make, broker: Queues) -> None:
    accepted = event()
    make(lambda _: None).publish_accepted([accepted])
    [(properties, _)] = broker.drain(HISTORY)
    assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
    assert (properties.type, properties.message_id) == ("score.accepted", accepted.request_id)
    assert properties.timestamp == int(accepted.accepted_at.timestamp())


def test_a_marker_stands_behind_what_was_published_before(make: Make, broker: Queues, deployed: Container) -> None:
    publisher, entries = make(lambda _: None), entries_of(20)
    publisher.publish_accepted(entries)
    assert publisher.publish_marker("m") == ["m.1"]
    opened = [deployed.event_codec.open_update(body) for _, body in broker.drain(HISTORY)]
    assert opened == [*entries, "m.1"]


def test_the_broadcast_is_told_on_its_own_queue(make: Make, broker: Queues, deployed: Container) -> None:
    told = ScoresRecorded(3, event().accepted_at)
    make(lambda _: None).publish_recorded(told)
    assert [deployed.event_codec.open_recorded(body) for _, body in broker.drain(UPDATED)] == [told]
    assert broker.drain(HISTORY) == []


def test_what_cannot_be_routed_stays_in_the_outbox(make: Make, broker: Queues) -> None:
    noted: list[str] = []
    publisher, (first, second) = make(noted.extend), entries_of(2)
    with broker.without(HISTORY):
        assert not goes_out(publisher, [first])
        with pytest.raises(RabbitUnavailable):
            publisher.publish_marker("m-1")
    assert noted == []
    eventually(lambda: goes_out(publisher, [first, second]), 60, "the publisher's next attempt")
    eventually(lambda: noted == ["0-0", "1-0"], 60, "both noted")
    assert len(broker.drain(HISTORY)) == 2


@pytest.mark.parametrize("fails", [False, True], ids=["at once", "at the third try"])
def test_a_missing_queue_is_declared_and_gets_what_was_published_meanwhile(
    make: Make, broker: Queues, deployed: Container, fails: bool
) -> None:
    settled: list[str] = []
    tries: list[float] = []
    refused = threading.Event()

    def declare() -> None:
        refused.wait(60)
        tries.append(time.monotonic())
        if fails and len(tries) < 3:
            raise RedisUnavailable
        deployed.topology.restore()

    publisher, events = make(settled.extend, on_unroutable=declare), entries_of(3)
    publisher.publish_accepted(events[:1])
    with broker.channel() as channel:
        channel.queue_delete(HISTORY)
    before = metrics.publish_refusals.of("unroutable").value
    for one in events[1:]:
        with pytest.raises(RabbitUnavailable):
            publisher.publish_accepted([one])
    refused.set()
    eventually(lambda: sorted(settled) == ["0-0", "1-0", "2-0"], 60, "all of them confirmed")
    assert len(broker.drain(HISTORY)) == 2
    assert metrics.publish_refusals.of("unroutable").value >= before + 2
    assert len(tries) < 10


def test_a_missing_queue_of_the_broadcast_is_noticed_and_declared(make: Make, broker: Queues, deployed: Container) -> None:
    """Its messages have no ids; one of them is enough for viewers to see the last change."""
    publisher = make(list, on_unroutable=deployed.topology.restore)
    publisher.publish_accepted(entries_of(1))
    with broker.channel() as channel:
        channel.queue_delete(UPDATED)
    with pytest.raises(RabbitUnavailable):
        publisher.publish_recorded(ScoresRecorded(3, event().accepted_at))
    found: list[tuple[Any, bytes]] = []

    def arrived() -> bool:
        with suppress(ChannelClosedByBroker, ConnectionClosedByBroker):  # not there yet, not ready yet
            found.extend(broker.drain(UPDATED))
        return bool(found)

    eventually(arrived, 60, "the message")


def test_of_several_brokers_the_next_one_is_used_when_one_is_lost(
    make: Make, broker: Queues, relay: Relay, deployed: Container
) -> None:
    relayed, own = urlsplit(relay.url), urlsplit(deployed.settings.amqp_url)
    away = f"127.0.0.1:{free_port()}"
    url = relay.url.replace(relayed.netloc, f"{relayed.netloc},{own.hostname}:{own.port},{away}")
    settled: list[str] = []
    publisher, (first, second) = make(settled.extend, amqp_url=url), entries_of(2)
    publisher.publish_accepted([first])
    assert relay.connections == 1
    relay.cut()
    eventually(lambda: goes_out(publisher, [second]), 60, "the other broker found")
    eventually(lambda: settled == ["0-0", "1-0"], 60, "both confirmed")
    with open_connection(url, deployed.settings.amqp_ca_file) as connection:
        assert connection.is_open, "whoever makes a connection of its own gets past those that are away"


def test_queues_are_missing_one_by_one(make: Make, broker: Queues) -> None:
    """What is returned for one queue takes nothing of another's down, and is never taken for confirmed."""
    settled: list[str] = []
    publisher, entries = make(settled.extend), entries_of(40)
    with broker.without(UPDATED), ThreadPoolExecutor(8) as threads:

        def tell(_: object) -> bool:
            with suppress(RabbitUnavailable):
                publisher.publish_recorded(ScoresRecorded(1, event().accepted_at))
                return True
            return False

        told = threads.map(tell, range(40))
        sent = threads.map(lambda entry: goes_out(publisher, [entry]), entries)
        assert not any(told)
        assert all(sent)
    eventually(lambda: sorted(settled) == sorted(entry.outbox_id for entry in entries), 60, "all noted")


@contextmanager
def full(broker: Queues) -> Iterator[None]:
    """The queue of updates says no to all but a few messages."""
    arguments = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    with broker.channel() as channel:
        channel.queue_delete(HISTORY)
        channel.queue_declare(HISTORY, durable=True, arguments=arguments)
    try:
        yield
    finally:
        with broker.channel() as channel:
            channel.queue_delete(HISTORY)
        broker.deployed.topology.declare()


def test_what_is_refused_goes_out_on_another_channel_until_one_confirms(relay: Relay, make: Make, broker: Queues) -> None:
    settled: list[str] = []
    backs: list[float] = []
    publisher = make(settled.extend, amqp_url=relay.url, on_back=lambda: backs.append(time.monotonic()))
    entries = entries_of(30)
    publisher.publish_accepted(entries[:1])
    before = metrics.publish_refusals.of("nacked").value
    with full(broker):
        connections, began = relay.connections, time.monotonic()
        for entry in entries[1:]:
            with suppress(RabbitUnavailable):
                publisher.publish_accepted([entry])
        eventually(lambda: relay.connections >= connections + 4, 60, "other channels tried")
        assert relay.connections - connections <= 4 + 5 * (time.monotonic() - began)
        assert metrics.publish_refusals.of("nacked").value > before
        assert backs == [], "it is not back while it refuses"
    eventually(lambda: set(settled) == {entry.outbox_id for entry in entries}, 60, "all of them confirmed")
    eventually(lambda: backs, 60, "the relay")


def test_a_broker_that_says_nothing_any_more_is_left(relay: Relay, make: Make, broker: Queues) -> None:
    """A cut cable, or a broker that hangs: no end of the connection comes."""
    settled: list[str] = []
    publisher, (first, second) = make(settled.extend, amqp_url=relay.url, wait_seconds=PATIENCE_SECONDS), entries_of(2)
    publisher.publish_accepted([first])
    relay.go_deaf()
    with pytest.raises(RabbitUnavailable):
        publisher.publish_accepted([second])
    eventually(lambda: settled == ["0-0", "1-0"], 60, "the kept event confirmed")


@contextmanager
def suspended(broker: PrivateRabbitMQ, queue: str) -> Iterator[None]:
    """The queue's process stands still, while the broker goes on answering everything else."""

    def evaluate(expression: str) -> None:
        server = broker.specs()[-1]
        program = programs.RABBITMQ.require().with_name("rabbitmqctl")
        done = subprocess.run(
            [program, "eval", expression], env=server.env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    process = f"'%2F_{queue}'"
    evaluate(f"sys:suspend({process}).")
    try:
        yield
    finally:
        evaluate(f"sys:resume({process}).")


@pytest.mark.long
def test_a_channel_that_is_not_answered_is_replaced(
    relay: Relay, make: Make, broker: Queues, private_rabbitmq: PrivateRabbitMQ
) -> None:
    settled: list[str] = []
    publisher, (first, second) = make(settled.extend, amqp_url=relay.url, wait_seconds=PATIENCE_SECONDS), entries_of(2)
    publisher.publish_accepted([first])
    with suspended(private_rabbitmq, HISTORY):
        connections = relay.connections
        with pytest.raises(RabbitUnavailable):
            publisher.publish_accepted([second])
        eventually(lambda: relay.connections > connections, 60, "another channel")
        assert settled == ["0-0"]
    eventually(lambda: "1-0" in settled, 60, "the kept event confirmed")


def test_when_the_broker_is_back_what_others_left_is_relayed_at_once(relay: Relay, make: Make, broker: Queues) -> None:
    backs: list[float] = []
    publisher = make(list, amqp_url=relay.url, wait_seconds=PATIENCE_SECONDS, on_back=lambda: backs.append(time.monotonic()))
    publisher.publish_accepted(entries_of(1))
    relay.cut()
    eventually(lambda: not goes_out(publisher, entries_of(1)), 60, "the loss noticed")
    assert backs == []
    relay.mend()
    eventually(lambda: backs, 60, "the relay")


def test_a_connection_of_ones_own_ends_when_the_broker_says_nothing(relay: Relay, deployed: Container) -> None:
    connection = open_connection(relay.url, deployed.settings.amqp_ca_file)
    channel = connection.channel()
    relay.go_deaf()
    began = time.monotonic()
    with pytest.raises(AMQPConnectionError):
        channel.queue_declare(HISTORY, passive=True)
    assert time.monotonic() - began < 45


def test_a_confirm_that_cannot_be_noted_does_not_stop_the_player(make: Make, broker: Queues) -> None:
    def away(_: object) -> None:
        raise RedisUnavailable

    publisher = make(away)
    publisher.publish_accepted(entries_of(1))
    publisher.publish_accepted(entries_of(1))
    assert len(broker.drain(HISTORY)) == 2


def test_a_broker_that_is_away_costs_a_bounded_wait_and_then_none(make: Make) -> None:
    noted: list[str] = []
    publisher = make(noted.extend, amqp_url="amqp://u:p@127.0.0.1:1/%2F", ca_file="", wait_seconds=4)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(RabbitUnavailable):
            publisher.publish_accepted(entries_of(1))
    assert time.monotonic() - began < 60, "more than the first waited"
    assert noted == []


def publisher_threads() -> int:
    return sum(thread.name == "publisher" for thread in threading.enumerate())


def test_many_threads_share_one_publisher(make: Make, broker: Queues, deployed: Container) -> None:
    noted: list[str] = []
    publisher, entries = make(noted.extend), entries_of(400)
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda entry: publisher.publish_accepted([entry]), entries))
    eventually(lambda: sorted(noted) == sorted(entry.outbox_id for entry in entries), 60, "all of them noted")
    opened = {deployed.event_codec.open_update(body) for _, body in broker.drain(HISTORY)}
    assert opened == set(entries)
    eventually(lambda: publisher_threads() == 1, 60, "one thread, when those of other tests have ended")


@pytest.fixture
def confirms(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is not set publishers do not hear what the broker has confirmed."""
    may_be_heard = threading.Event()
    may_be_heard.set()
    receive = Link.receive

    def later(link: Link) -> list[Any]:
        found = receive(link)
        may_be_heard.wait(60)
        return found

    monkeypatch.setattr(Link, "receive", later)
    return may_be_heard


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each write."""
    sizes: list[int] = []
    send = Link.send

    def counted(link: Link, data: bytes) -> None:
        sizes.append(len(data))
        send(link, data)

    monkeypatch.setattr(Link, "send", counted)
    return sizes


PUBLISHING = "shared.stores.rabbitmq.publishing_thread"


class Moment:
    """The moment in which others may come, as long as a test wants it to be."""

    def __init__(self) -> None:
        self.began, self.is_over = threading.Event(), threading.Event()

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.began.set()
            self.is_over.wait(60)


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Moment:
    made = Moment()
    monkeypatch.setattr(f"{PUBLISHING}.time", SimpleNamespace(sleep=made.sleep, monotonic=time.monotonic))
    return made


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows with everyone who begins to wait for a confirm."""
    begun: list[None] = []
    wait = Group.wait

    def counted(group: Group, deliveries: Sequence[Delivery], seconds: float | None) -> bool:
        begun.append(None)
        return wait(group, deliveries, seconds)

    monkeypatch.setattr(Group, "wait", counted)
    return begun


@pytest.fixture
def on_its_way(confirms: threading.Event, writes: list[int], waits: list[None]) -> OnItsWay:
    @contextmanager
    def going_out(publisher: RabbitPublisher) -> Iterator[Future[bool]]:
        """Whether a message goes out that was just written; nothing is confirmed until `confirms` is set."""
        assert goes_out(publisher, [event()])
        confirms.clear()
        writes.clear()
        waits.clear()
        with ThreadPoolExecutor(1) as first:
            going = first.submit(goes_out, publisher, [event()])
            eventually(lambda: len(waits) == 1, 60, "the first is on its way")
            assert len(writes) == 1
            yield going

    return going_out


def test_who_comes_while_something_is_on_its_way_shares_a_write(
    make: Make,
    broker: Queues,
    confirms: threading.Event,
    writes: list[int],
    waits: list[None],
    on_its_way: OnItsWay,
    moment: Moment,
) -> None:
    publisher = make(lambda _: None)
    with on_its_way(publisher) as first, ThreadPoolExecutor(8) as several:
        others = [several.submit(goes_out, publisher, [event()]) for _ in range(8)]
        assert moment.began.wait(30)
        eventually(lambda: len(waits) == 8, 60, "but for the one who writes, the others wait, too")
        moment.is_over.set()
        eventually(lambda: len(writes) == 2, 60, "the others, too")
        confirms.set()
        assert all(one.result(60) for one in [first, *others])
    assert len(writes) == 2
    assert writes[1] == 8 * writes[0]
    assert len(broker.drain(HISTORY)) == 10


def test_who_publishes_alone_waits_for_nobody(make: Make, broker: Queues, moment: Moment) -> None:
    publisher = make(lambda _: None)
    assert all(goes_out(publisher, [event()]) for _ in range(5))
    assert not moment.began.is_set()


def test_one_that_is_stopped_while_it_waits_for_others_takes_nobody_with_it(
    make: Make,
    broker: Queues,
    confirms: threading.Event,
    writes: list[int],
    on_its_way: OnItsWay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = make(lambda _: None)
    with on_its_way(publisher) as first:
        with monkeypatch.context() as patch:
            patch.setattr(f"{PUBLISHING}.TOGETHER_SECONDS", "no number")
            with pytest.raises(TypeError):
                publisher.publish_accepted([event()])
        confirms.set()
        assert first.result(60)
    eventually(lambda: len(writes) == 2, 60, "the other was written all the same")
    assert goes_out(publisher, [event()])
    assert len(broker.drain(HISTORY)) == 4


def test_one_that_waits_for_others_when_the_publisher_is_closed_is_let_go(
    make: Make, broker: Queues, confirms: threading.Event, writes: list[int], on_its_way: OnItsWay, moment: Moment
) -> None:
    publisher = make(lambda _: None)
    with on_its_way(publisher) as first, ThreadPoolExecutor(1) as other:
        second = other.submit(goes_out, publisher, [event()])
        assert moment.began.wait(30)
        confirms.set()
        assert first.result(60)
        publisher.close()
        moment.is_over.set()
        assert not second.result(60)
    assert len(broker.drain(HISTORY)) == 2


def test_a_closed_publisher_opens_again_when_it_is_used(make: Make, broker: Queues) -> None:
    noted: list[str] = []
    publisher = make(noted.extend)
    publisher.publish_accepted(entries_of(1))
    publisher.close()
    eventually(lambda: publisher_threads() == 0, 60, "its thread has ended")
    publisher.publish_accepted(entries_of(1))
    eventually(lambda: noted == ["0-0", "0-0"], 60, "both noted")


def test_a_certificate_of_another_authority_is_not_trusted(make: Make, broker: Queues) -> None:
    publisher = make(lambda _: None, ca_file="", wait_seconds=2)  # the system's authorities
    with pytest.raises(RabbitUnavailable):
        publisher.publish_accepted(entries_of(1))
    assert broker.drain(HISTORY) == []


def test_a_url_of_another_scheme_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="AMQP_URL must begin"):
        make(lambda _: None, amqp_url="http://127.0.0.1").publish_accepted(entries_of(1))


@pytest.mark.parametrize("hook", ["", LOOP_HOOK], ids=["threads", "loop"])
def test_it_works_under_gevent(function_environment: dict[str, str], broker: Queues, hook: str) -> None:
    arguments = {name.lower(): function_environment[name] for name in ("AMQP_URL", "AMQP_CA_FILE", "PAYLOAD_KEYS")}
    arguments["loop_hook"] = hook
    program = subprocess.run(
        [sys.executable, "-m", "tests.contract.publisher_under_gevent"],
        cwd=ROOT,
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (program.returncode, program.stdout) == (0, "ok\n"), program.stderr
    assert len(broker.drain(HISTORY)) == 500


def test_what_was_to_be_kept_goes_out_when_the_broker_is_back(relay: Relay, make: Make, broker: Queues) -> None:
    noted: list[str] = []
    publisher, (first, kept, dropped) = make(noted.extend, amqp_url=relay.url, wait_seconds=PATIENCE_SECONDS), entries_of(3)
    publisher.publish_accepted([first])
    relay.cut()
    eventually(lambda: not goes_out(publisher, [dropped]), 60, "the loss noticed")
    with pytest.raises(RabbitUnavailable):
        publisher.publish_accepted([kept])
    assert noted == ["0-0"]
    relay.mend()
    eventually(lambda: kept.outbox_id in noted, 60, "the kept event confirmed")
    assert noted == ["0-0", "1-0"]
    assert len(broker.drain(HISTORY)) == 2


def test_a_connection_that_ended_while_nobody_published_costs_nobody_anything(
    relay: Relay, make: Make, broker: Queues, deployed: Container
) -> None:
    """As it does when the process was frozen for longer than the broker waits."""
    publisher, entries = make(lambda _: None, amqp_url=relay.url), entries_of(4)
    for entry in entries:
        publisher.publish_accepted([entry])
        relay.hang_up()
    opened = [deployed.event_codec.open_update(body) for _, body in broker.drain(HISTORY)]
    assert opened == entries


def test_of_what_the_broadcast_is_told_one_is_kept_for_the_brokers_return(relay: Relay, make: Make, broker: Queues) -> None:
    """Viewers then see the last change; that there were many does not matter."""
    publisher, [first] = make(list, amqp_url=relay.url, wait_seconds=PATIENCE_SECONDS), entries_of(1)
    publisher.publish_accepted([first])
    relay.cut()
    eventually(lambda: not goes_out(publisher, [first]), 60, "the loss noticed")
    for _ in range(20):
        with pytest.raises(RabbitUnavailable):
            publisher.publish_recorded(ScoresRecorded(3, first.accepted_at))
    relay.mend()
    found: list[tuple[Any, bytes]] = []

    def arrived() -> bool:
        found.extend(broker.drain(UPDATED))
        return bool(found)

    eventually(arrived, 60, "the kept message")
    publisher.publish_accepted(entries_of(1))
    assert len(found) + len(broker.drain(UPDATED)) == 1


def test_whoever_is_to_rebuild_the_board_is_woken_once(make: Make, broker: Queues) -> None:
    publisher = make(list)
    broker.drain(REBUILD)
    for _ in range(3):
        publisher.publish_rebuild()
    [(properties, body)] = broker.drain(REBUILD)
    assert (properties.type, body) == ("leaderboard.rebuild-wanted", b"{}")
