"""The event source mapping on a real RabbitMQ: batches, acknowledgements, failures, and a broker that goes away."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from local_runtime.hosting.manifest import Function, QueueBinding
from local_runtime.hosting.queue.broker import connection_parameters
from local_runtime.hosting.queue.mapping import FAILURES, EventSourceMapping
from local_runtime.hosting.queue.session import PACE_SECONDS, Session
from local_runtime.instance.servers.ports import free_port
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from tests.support.queues import patient_connection
from tests.support.relay import Relay
from tests.support.waiting import eventually

FUNCTION = Function("Echo", "echo", Path(), "handler.lambda_handler", 5, 128, {})


class Recorder:
    """A function that remembers its batches, fails as told, and may be held up."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[bytes]] = []
        self.redelivered: list[list[bool]] = []
        self.running = 0
        self.most_at_once = 0
        self.go = threading.Event()
        self.go.set()
        self._failures = failures

    def __call__(self, event: dict[str, Any]) -> None:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            assert self.go.wait(100)
            (messages,) = event["rmqMessagesByQueue"].values()
            self.batches.append([base64.b64decode(message["data"]) for message in messages])
            self.redelivered.append([message["redelivered"] for message in messages])
            if len(self.batches) <= self._failures:
                raise RuntimeError("not this time")
        finally:
            self.running -= 1

    @property
    def seen(self) -> list[bytes]:
        """Every body of every batch."""
        return [body for batch in self.batches for body in batch]


@pytest.fixture
def environment(private_rabbitmq: PrivateRabbitMQ) -> dict[str, str]:
    return {"AMQP_URL": private_rabbitmq.url, "AMQP_CA_FILE": str(private_rabbitmq.ca_file)}


@pytest.fixture
def channel(environment: dict[str, str]) -> Iterator[Any]:
    connection = patient_connection(connection_parameters(environment, "/"))
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    connection.close()


@pytest.fixture
def queue(channel: Any) -> Iterator[str]:
    name = f"mapping-{secrets.token_hex(6)}"
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    yield name
    channel.queue_delete(name)


class Watched(EventSourceMapping):
    """A mapping that counts its connections."""

    connections = 0

    def _consume(self) -> BaseException | None:
        self.connections += 1
        return super()._consume()

    def cut(self) -> None:
        """End the connection as a broken network would."""
        assert self._session is not None
        self._session._connection._transport._sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def polling(
    environment: dict[str, str],
    queue: str,
    function: Callable[[dict[str, Any]], object],
    batch_size: int = 10,
    window: float = 0.0,
    on_missing: Callable[[], None] = lambda: None,
    may_consume: Callable[[], bool] = lambda: True,
    on_consuming: Callable[[], None] = lambda: None,
    on_failing: Callable[[], None] = lambda: None,
    **parameters: Any,
) -> Iterator[Watched]:
    """Run a mapping in a thread; `parameters` are attributes of its connection parameters."""

    def brokers() -> Any:
        made = connection_parameters(environment, "/")
        for broker in made:
            for name, value in parameters.items():
                setattr(broker, name, value)
        return made

    binding = QueueBinding(FUNCTION, queue, "/", batch_size, window)
    mapping = Watched(binding, function, brokers, on_consuming, on_missing, may_consume, on_failing)
    thread = threading.Thread(target=mapping.run)
    thread.start()
    try:
        yield mapping
    finally:
        mapping.stop()
        thread.join(60)
        assert not thread.is_alive()


def publish(channel: Any, queue: str, count: int) -> list[bytes]:
    bodies = [f"message {n}".encode() for n in range(count)]
    for body in bodies:
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
    return bodies


def waiting(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def test_messages_come_in_order_in_batches_of_at_most_the_size(environment: dict[str, str], channel: Any, queue: str) -> None:
    bodies = publish(channel, queue, 25)
    function = Recorder()
    with polling(environment, queue, function, batch_size=10):
        eventually(lambda: len(function.seen) == 25, 60, "all messages")
    assert function.seen == bodies
    assert max(map(len, function.batches)) <= 10
    assert waiting(channel, queue) == 0


def test_a_window_gathers_what_comes_within_it(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    with polling(environment, queue, function, batch_size=100, window=15.0):
        publish(channel, queue, 5)
        eventually(lambda: len(function.seen) == 5, 60, "all messages")
    assert [len(batch) for batch in function.batches] == [5]


def test_a_full_batch_does_not_wait_for_its_window(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    publish(channel, queue, 5)
    with polling(environment, queue, function, batch_size=5, window=300.0):
        eventually(lambda: len(function.batches) == 1, 60, "the full batch")


def test_what_comes_seldom_is_read_together(
    environment: dict[str, str], channel: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at: list[float] = []
    original = Session._on_message

    def noting(*arguments: Any) -> None:
        read_at.append(time.monotonic())
        original(*arguments)

    monkeypatch.setattr(Session, "_on_message", noting)
    function = Recorder()
    with polling(environment, queue, function, batch_size=500):
        bodies = []
        began = time.monotonic()
        for _ in range(100):
            bodies += publish(channel, queue, 1)
            time.sleep(0.01)
        eventually(lambda: len(function.seen) == 100, 60, "all messages")
        turns = (time.monotonic() - began) / PACE_SECONDS
    assert function.seen == bodies
    reads = sum(later - earlier > 0.005 for earlier, later in pairwise(read_at))
    assert reads < 4 * turns + 5, "each came 10 ms after the one before it"


def test_what_comes_all_the_time_is_read_as_it_comes(environment: dict[str, str], channel: Any, queue: str) -> None:
    bodies = publish(channel, queue, 2_000)
    function = Recorder()
    began = time.monotonic()
    with polling(environment, queue, function, batch_size=10):
        eventually(lambda: len(function.seen) == 2_000, 60, "all messages")
    assert function.seen == bodies
    assert time.monotonic() - began < 200 * PACE_SECONDS, "full batches wait for no turn"


def test_a_failing_batch_comes_back_whole(environment: dict[str, str], channel: Any, queue: str) -> None:
    bodies = publish(channel, queue, 6)
    function = Recorder(failures=2)
    with polling(environment, queue, function, batch_size=6, window=300.0):  # a full batch does not wait for it
        eventually(lambda: len(function.batches) >= 3 and waiting(channel, queue) == 0, 60, "the third try")
    assert sorted(function.seen[:6]) == sorted(bodies)
    assert all(sorted(batch) == sorted(bodies) for batch in function.batches[1:3])
    assert all(function.redelivered[1])


def test_there_is_never_more_than_one_batch_at_a_time(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    function.go.clear()
    with polling(environment, queue, function, batch_size=3):
        publish(channel, queue, 12)
        eventually(lambda: function.running, 60, "the first batch")
        function.go.set()
        eventually(lambda: len(function.seen) == 12, 60, "all messages")
    assert function.most_at_once == 1


def test_the_batch_in_hand_is_settled_before_the_end(environment: dict[str, str], channel: Any, queue: str) -> None:
    publish(channel, queue, 4)
    function = Recorder()
    function.go.clear()
    with polling(environment, queue, function, batch_size=4) as mapping:
        eventually(lambda: function.running, 60, "the batch")
        mapping.stop()
        function.go.set()
    [in_hand] = function.batches
    eventually(lambda: waiting(channel, queue) == 4 - len(in_hand), 60, "the others are in the queue again")


def test_stopping_does_not_wait_for_a_window(environment: dict[str, str], channel: Any, queue: str) -> None:
    publish(channel, queue, 1)
    with polling(environment, queue, Recorder(), batch_size=5, window=300.0) as mapping:
        eventually(lambda: mapping._session and len(mapping._session._buffer), 60, "the message")
        # The end of the block waits for ten seconds.
    eventually(lambda: waiting(channel, queue) == 1, 60, "the message is in the queue again")


def test_a_function_that_exits_acknowledges_nothing(environment: dict[str, str], channel: Any, queue: str) -> None:
    publish(channel, queue, 2)
    tries: list[Any] = []

    def function(event: dict[str, Any]) -> None:
        tries.append(event)
        if len(tries) == 1:
            raise SystemExit(0)

    with polling(environment, queue, function):
        eventually(lambda: len(tries) >= 2, 60, "another try")


def test_no_event_is_larger_than_a_function_takes(environment: dict[str, str], channel: Any, queue: str) -> None:
    for _ in range(9):
        channel.basic_publish("", queue, os.urandom(1024 * 1024))
    sizes: list[tuple[int, int]] = []

    def function(event: dict[str, Any]) -> None:
        (messages,) = event["rmqMessagesByQueue"].values()
        sizes.append((len(messages), len(json.dumps(event))))

    with polling(environment, queue, function, batch_size=9, window=6.0):
        eventually(lambda: sum(count for count, _ in sizes) == 9, 60, "all messages")
    assert all(size <= 6 * 1024 * 1024 for _, size in sizes)
    assert sizes[0][0] == 4


def test_a_long_batch_does_not_cost_the_connection(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    function.go.clear()
    publish(channel, queue, 1)
    with polling(environment, queue, function, heartbeat=6) as mapping:
        eventually(lambda: function.running, 60, "the batch")
        released = threading.Timer(20.0, function.go.set)
        released.start()
        released.join()
        eventually(lambda: function.seen, 60, "the message")
    assert mapping.connections == 1
    assert function.redelivered == [[False]]
    assert waiting(channel, queue) == 0


def test_a_cut_connection_does_not_start_a_second_batch(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    function.go.clear()
    bodies = publish(channel, queue, 3)
    with polling(environment, queue, function) as mapping:
        eventually(lambda: function.running, 60, "the batch")
        mapping.cut()
        eventually(lambda: waiting(channel, queue) >= 1, 60, "the broker has the messages back")
        released = threading.Timer(2.0, function.go.set)  # time enough to connect again
        released.start()
        released.join()
        eventually(lambda: function.seen[-3:] == bodies and len(function.seen) > 3, 60, "the messages, delivered again")
    assert function.most_at_once == 1


def test_a_broker_that_accepts_and_never_answers_is_tried_again(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://user:password@127.0.0.1:{silent.getsockname()[1]}/%2F"
        with polling({**environment, "AMQP_URL": url}, "any", Recorder(), stack_timeout=0.5) as mapping:
            eventually(lambda: mapping.connections >= 3, 60, "a third try")


def test_a_broker_that_is_away_is_told_once(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with polling({**environment, "AMQP_URL": f"amqp://user:secret@127.0.0.1:{port}/%2F"}, "any", Recorder()) as mapping:
        eventually(lambda: mapping.connections >= 3, 60, "a third try")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("local_runtime")]
    assert len(told) == 1
    assert "refused" in told[0]
    assert "secret" not in told[0]


def test_a_lost_connection_is_made_again_and_nothing_is_lost(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    with polling(environment, queue, function) as mapping:
        publish(channel, queue, 3)
        eventually(lambda: len(function.seen) == 3, 60, "the first messages")
        mapping.cut()
        bodies = publish(channel, queue, 3)
        eventually(lambda: set(bodies) <= set(function.seen[3:]), 60, "the messages after the cut")
    assert mapping.connections >= 2


def test_a_queue_that_is_not_there_yet_is_waited_for(
    environment: dict[str, str], channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"mapping-{secrets.token_hex(6)}"
    function = Recorder()
    with polling(environment, name, function) as mapping:
        eventually(lambda: mapping.connections >= 2, 60, "a second try")
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        publish(channel, name, 1)
        eventually(lambda: function.seen, 60, "the message")
    channel.queue_delete(name)
    assert [r.getMessage() for r in caplog.records if "no queue" in r.getMessage()]


def test_a_deleted_queue_is_waited_for_again(environment: dict[str, str], channel: Any, queue: str) -> None:
    function = Recorder()
    with polling(environment, queue, function) as mapping:
        publish(channel, queue, 1)
        eventually(lambda: function.seen, 60, "the first message")
        channel.queue_delete(queue)
        eventually(lambda: mapping.connections >= 2, 60, "the consumer noticed")
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        publish(channel, queue, 1)
        eventually(lambda: len(function.seen) >= 2, 60, "the message in the new queue")


def test_a_missing_queue_is_asked_for_until_it_is_there(environment: dict[str, str], channel: Any, queue: str) -> None:
    function, asked = Recorder(), []

    def declare() -> None:
        asked.append(True)
        if len(asked) == 2:
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})

    with polling(environment, queue, function, on_missing=lambda: channel.connection.add_callback_threadsafe(declare)):
        publish(channel, queue, 1)
        eventually(lambda: function.seen, 60, "the first message")
        channel.queue_delete(queue)
        eventually(lambda: channel.connection.process_data_events(0.05) or len(asked) >= 2, 60, "asked for")
        publish(channel, queue, 1)
        eventually(lambda: len(function.seen) >= 2, 60, "the message in the new queue")


def test_a_broker_that_says_nothing_any_more_is_left(environment: dict[str, str], channel: Any, queue: str) -> None:
    """A cut cable, or a broker that hangs: no end of the connection comes."""
    relay = Relay(environment["AMQP_URL"])
    try:
        function = Recorder()
        with polling({**environment, "AMQP_URL": relay.url}, queue, function) as mapping:
            publish(channel, queue, 1)
            eventually(lambda: function.seen, 60, "the first message")
            relay.go_deaf()
            publish(channel, queue, 1)
            eventually(lambda: len(function.seen) >= 2, 60, "the message on another connection")
            assert mapping.connections == 2
    finally:
        relay.close()


def test_the_broker_is_verified(environment: dict[str, str], tmp_path: Path) -> None:
    from local_runtime.instance.servers.certificates import ensure_certificates

    stranger = str(ensure_certificates(tmp_path).ca_file)
    with pytest.raises(ssl.SSLCertVerificationError):
        pika.BlockingConnection(connection_parameters({**environment, "AMQP_CA_FILE": stranger}, "/"))


def test_of_several_brokers_the_next_one_is_consumed_from(environment: dict[str, str], channel: Any, queue: str) -> None:
    url = environment["AMQP_URL"]
    place = urlsplit(url).netloc.rpartition("@")[2]
    bodies, function = publish(channel, queue, 3), Recorder()
    with polling({**environment, "AMQP_URL": url.replace(place, f"127.0.0.1:{free_port()},{place}")}, queue, function):
        eventually(lambda: function.seen == bodies, 60, "all messages")


def test_a_mapping_stands_by_until_it_may_consume(environment: dict[str, str], channel: Any, queue: str) -> None:
    bodies = publish(channel, queue, 5)
    function, turn, ready = Recorder(), threading.Event(), threading.Event()
    with polling(environment, queue, function, may_consume=turn.is_set, on_consuming=ready.set) as mapping:
        assert ready.wait(60), "a process that stands by has started"
        assert (mapping.connections, function.seen) == (0, [])
        turn.set()
        eventually(lambda: function.seen == bodies, 60, "all messages")


def test_one_that_may_no_longer_consume_gives_back_what_it_has_and_the_next_one_gets_it_in_order(
    environment: dict[str, str], channel: Any, queue: str
) -> None:
    bodies = publish(channel, queue, 30)
    first, second, turn = Recorder(), Recorder(), threading.Event()
    first.go.clear()
    turn.set()
    with polling(environment, queue, first, may_consume=turn.is_set):
        eventually(lambda: first.running, 60, "the first batch is in hand")
        turn.clear()
        with polling(environment, queue, second, may_consume=lambda: not turn.is_set()):
            eventually(lambda: len(second.seen) == 30, 60, "all messages, the batch in hand too")
            first.go.set()
    assert second.seen == bodies
    assert first.seen == bodies[: len(first.seen)], "what was in hand ended, and was not acknowledged"
    assert waiting(channel, queue) == 0


def test_a_consumer_waits_until_the_broker_counts_no_other_one(environment: dict[str, str], channel: Any, queue: str) -> None:
    """Its messages that are not acknowledged would come behind those that follow them."""
    bodies = publish(channel, queue, 5)
    other = patient_connection(connection_parameters(environment, "/"))
    others = other.channel()
    taken: list[bytes] = []
    others.basic_qos(prefetch_count=3)
    others.basic_consume(queue, lambda _channel, _method, _properties, body: taken.append(body))
    while len(taken) < 3:
        other.process_data_events(1)
    function, ready = Recorder(), threading.Event()
    with polling(environment, queue, function, on_consuming=ready.set):
        assert ready.wait(60)
        assert function.seen == []
        other.close()
        eventually(lambda: len(function.seen) == 5, 60, "all messages")
    assert function.seen == bodies


def test_a_consumer_that_the_broker_counts_for_ever_is_not_waited_for_for_ever(
    environment: dict[str, str], channel: Any, queue: str
) -> None:
    """Such a one was connected to another broker, and both are gone."""
    other = patient_connection(connection_parameters(environment, "/"))
    others = other.channel()
    others.basic_qos(prefetch_count=1)
    publish(channel, queue, 1)
    others.basic_consume(queue, lambda *_: None)
    eventually(lambda: waiting(channel, queue) == 0, 60, "it has what was there")
    bodies, function = publish(channel, queue, 3), Recorder()
    with polling(environment, queue, function):
        eventually(lambda: function.seen == bodies, 60, "what it has not taken")
    other.close()


def test_it_is_told_that_batches_keep_failing(environment: dict[str, str], channel: Any, queue: str) -> None:
    bodies = publish(channel, queue, 2)
    function, failing = Recorder(failures=FAILURES), threading.Event()
    with polling(environment, queue, function, on_failing=failing.set):
        eventually(lambda: len(function.batches) > FAILURES, 60, "the batch went well at last")
    assert failing.is_set()
    assert function.seen[-2:] == bodies
