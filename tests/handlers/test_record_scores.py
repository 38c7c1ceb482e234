"""score_history_queue: what the consumer does with a batch."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import redis

from shared.container import Container
from shared.core.errors import ForeignStores, LeftToNewer, PostgresUnavailable, RabbitUnavailable
from shared.ledger.events import Number
from tests.handlers.conftest import Redeploy
from tests.handlers.consumer import ACCEPTED_AT, DEAD_LETTERS, HISTORY, RETRIES, UPDATED, Bench
from tests.handlers.events import invoke
from tests.handlers.players import add_account, delivered, new_board, new_player
from tests.support.waiting import eventually


@pytest.fixture
def user_id(deployed: Container) -> str:
    return new_player(deployed).user_id


def test_a_batch_reaches_the_ledger_and_the_broadcast_is_told_once(bench: Bench, deployed: Container, user_id: str) -> None:
    events = [bench.event(user_id, increment) for increment in (1, 2, 3)]
    bench.record(*(bench.codec.update(event) for event in events))
    assert deployed.ledger.totals([user_id]) == {user_id: 6}
    assert {entry.request_id for entry in deployed.ledger.history(user_id, 10, None)} == {event.request_id for event in events}
    [(_, body)] = bench.drain(UPDATED)
    told = deployed.event_codec.open_recorded(body)
    assert (told.updates, told.accepted_at) == (3, ACCEPTED_AT)
    assert bench.drain(DEAD_LETTERS) == []


def test_what_is_recorded_refused_or_there_already_leaves_the_outbox(
    bench: Bench, redeploy: Redeploy, user_id: str, redis_url: str
) -> None:
    board = new_board(redeploy)
    with redis.Redis.from_url(redis_url) as client:
        ids = [client.xadd(board._shard.outbox, {"request_id": "r"}).decode() for _ in range(4)]
        events = [bench.event(user)._replace(outbox_id=entry) for user, entry in zip((user_id, user_id, "x"), ids, strict=False)]
        bodies = [bench.codec.update(event) for event in events]
        bench.record(bodies[0])
        assert client.xlen(board._shard.outbox) == 3
        bench.record(*bodies, b"poison", bench.codec.update(bench.event(user_id)))
        assert [entry for entry, _ in client.xrange(board._shard.outbox)] == [ids[3].encode()]


def test_a_redis_that_is_away_does_not_send_the_batch_back(
    bench: Bench, redeploy: Redeploy, user_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    board = redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    bench.record(bench.codec.update(bench.event(user_id, 3)._replace(outbox_id="1-0")))
    assert board.ledger.totals([user_id]) == {user_id: 3}
    assert "recorded updates stay in the outbox" in capsys.readouterr().err


def test_a_batch_that_comes_again_counts_once(bench: Bench, deployed: Container, user_id: str) -> None:
    bodies = [bench.codec.update(bench.event(user_id, increment)) for increment in (4, 5)]
    for _ in range(3):
        bench.record(*bodies)
    assert deployed.ledger.totals([user_id]) == {user_id: 9}


def test_an_update_that_is_twice_in_a_batch_counts_once(bench: Bench, deployed: Container, user_id: str) -> None:
    event = bench.event(user_id, 5)
    bench.record(bench.codec.update(event), bench.codec.update(event))
    assert deployed.ledger.totals([user_id]) == {user_id: 5}


def test_poison_is_parked_with_its_reason_and_the_rest_is_recorded(bench: Bench, deployed: Container, user_id: str) -> None:
    good = bench.codec.update(bench.event(user_id, 2))
    changed = json.dumps({**json.loads(good), "increment": 5}).encode()
    poison = {
        b"\xff\x00 no message": "not a message of score_history_queue",
        changed: "does not decrypt: it was changed, or bound to something else",
    }
    bodies = list(poison)
    bench.record(bodies[0], good, bodies[1])
    assert deployed.ledger.totals([user_id]) == {user_id: 2}
    parked = bench.drain(DEAD_LETTERS)
    assert {body: properties.headers["x-reason"] for properties, body in parked} == poison
    for properties, _ in parked:
        assert (properties.headers["x-origin"], properties.headers["x-attempts"]) == ("score_history_queue", 1)
        assert abs((datetime.fromisoformat(properties.headers["x-parked-at"]) - datetime.now(UTC)).total_seconds()) < 60
        assert properties.delivery_mode == 2


def test_a_message_of_a_newer_form_is_left_to_an_instance_that_knows_it(bench: Bench, deployed: Container, user_id: str) -> None:
    event = bench.event(user_id, 3)
    plain = {"request_id": event.request_id, "user_id": user_id, "increment": 3, "new_score": 3}
    bound = json.dumps(["score.accepted", *plain.values()], separators=(",", ":")).encode()
    sealed = deployed.sealer.seal(b'{"v": 2, "accepted_at": 0, "form": "later"}', bound)
    later = json.dumps({**plain, "encrypted_data": sealed}).encode()
    deployed.leases.hold(["instance:same"], "same", 60, detail={"MESSAGES": 1})
    deployed.leases.hold(["instance:newer"], "newer", 60, detail={"MESSAGES": 2})
    try:
        with pytest.raises(LeftToNewer):
            bench.record(bench.codec.update(bench.event(user_id, 2)), later)
        assert bench.drain(DEAD_LETTERS) == []
    finally:
        deployed.leases.release(["instance:newer"], "newer")
    bench.record(later)
    deployed.leases.release(["instance:same"], "same")
    [(properties, body)] = bench.drain(DEAD_LETTERS)
    assert (body, properties.headers["x-reason"]) == (
        later,
        "version 2 of the payload is not understood: redrive it to a function that does",
    )


def test_the_number_of_an_update_that_a_version_without_numbers_recorded_is_noted(
    bench: Bench, deployed: Container, user_id: str
) -> None:
    """It counts once, and its number is no longer missed."""
    event = bench.event(user_id, 3)
    bench.record(bench.codec.update(event))
    number = Number(deployed.ledger.open_epoch(None), 1)
    assert deployed.ledger.missing(number)[-1] == (number.epoch, 1, 1)
    for _ in range(2):
        bench.record(bench.codec.update(event._replace(number=number)))
    assert number.epoch not in [gap.epoch for gap in deployed.ledger.missing(number)]
    assert deployed.ledger.totals([user_id]) == {user_id: 3}
    assert bench.drain(DEAD_LETTERS) == []


def test_what_another_instances_key_has_sealed_comes_back_and_is_not_parked(
    bench: Bench, deployed: Container, redeploy: Redeploy, user_id: str
) -> None:
    """Another instance has new keys in use, or this one never had the right ones: the message is in order."""
    invoke("prepare_stores", {})
    sound, forged = bench.codec.update(bench.event(user_id, 3)), b'{"encrypted_data": "test.forged"}'
    for keys in ("other", "test"):  # the second is another key by the name that the stores know
        redeploy(PAYLOAD_KEYS=f"{keys}:{base64.b64encode(secrets.token_bytes(32)).decode()}")
        with pytest.raises(ForeignStores, match="PAYLOAD_KEYS: `test` is missing"):
            bench.record(sound)
    redeploy(PAYLOAD_KEYS=deployed.settings.payload_keys)
    bench.record(sound, forged)
    assert deployed.ledger.totals([user_id]) == {user_id: 3}
    assert [body for _, body in bench.drain(DEAD_LETTERS)] == [forged]


@pytest.fixture
def patient_retries(redeploy: Redeploy) -> None:
    """What waits does so until a test has looked: with the usual first delay of five seconds it may come back before."""
    redeploy(RETRY_DELAYS_SECONDS="500,3000,18000")


@pytest.mark.usefixtures("patient_retries")
def test_what_the_ledger_refuses_waits_longer_each_time_and_is_then_parked(
    bench: Bench, deployed: Container, user_id: str
) -> None:
    stranger, good = bench.event(str(uuid4()), 4), bench.codec.update(bench.event(user_id, 2))
    body = bench.codec.update(stranger)
    bench.record(body, good)
    assert deployed.ledger.totals([user_id]) == {user_id: 2}
    for attempt, (queue, delay) in enumerate(zip(RETRIES, ("500000", "3000000", "18000000"), strict=True), 1):
        [(properties, waiting)] = bench.drain(queue)
        assert (waiting, properties.expiration, properties.delivery_mode) == (body, delay, 2)
        assert (properties.headers["x-attempts"], properties.headers["x-reason"]) == (attempt, "unknown user")
        assert properties.message_id == stranger.request_id
        assert bench.drain(DEAD_LETTERS) == []
        bench.record(body, x_attempts=attempt)
    assert [bench.drain(queue) for queue in RETRIES] == [[], [], []]
    [(properties, parked)] = bench.drain(DEAD_LETTERS)
    assert (parked, properties.expiration) == (body, None)
    assert (properties.headers["x-attempts"], properties.headers["x-reason"]) == (4, "unknown user")


@pytest.mark.usefixtures("patient_retries")
@pytest.mark.parametrize("attempts", [-1, 0, True, "2", b"2", None, {"a": 1}])
def test_a_header_that_counts_nothing_is_the_first_attempt(bench: Bench, attempts: object) -> None:
    bench.record(bench.codec.update(bench.event(str(uuid4()))), x_attempts=attempts)
    assert len(bench.drain(RETRIES[0])) == 1


def test_one_that_waits_comes_back_by_itself_and_holds_up_nobody(
    bench: Bench, redeploy: Redeploy, deployed: Container, user_id: str
) -> None:
    """The one behind it has waited for its second time already, in a queue of its own."""
    redeploy(RETRY_DELAYS_SECONDS="600,0.2,600")
    first, second = bench.codec.update(bench.event(str(uuid4()))), bench.codec.update(bench.event(str(uuid4())))
    with delivered(deployed, HISTORY) as messages:
        bench.record(first)
        bench.record(second, x_attempts=1)
        found: list[bytes] = []

        def came_back() -> bool:
            found.extend(messages())
            return bool(found)

        eventually(came_back, 60, "the second one back")
        assert found == [second]
    assert len(bench.drain(RETRIES[0])) == 1


def test_an_update_whose_user_comes_to_be_known_is_recorded_at_the_next_attempt(bench: Bench, deployed: Container) -> None:
    event = bench.event(str(uuid4()), 3)
    body = bench.codec.update(event)
    bench.record(body)
    add_account(deployed, event.user_id)

    def points() -> dict[str, int]:
        return deployed.reconciliations.points_at([event.user_id], Number(2**62, 0))

    assert points() == {event.user_id: 3}, "accepted is accepted"
    bench.record(body, x_attempts=1)
    assert deployed.ledger.totals([event.user_id]) == points() == {event.user_id: 3}


@pytest.fixture
def cut(redeploy: Redeploy, deployed: Container) -> Callable[[], AbstractContextManager[None]]:
    """The broker is away for as long as a block lasts."""

    @contextmanager
    def away() -> Iterator[None]:
        redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
        try:
            yield
        finally:
            redeploy(AMQP_URL=deployed.settings.amqp_url, AMQP_CA_FILE=deployed.settings.amqp_ca_file)

    return away


@pytest.mark.usefixtures("patient_retries")
def test_a_broker_that_is_away_while_settling_sends_the_batch_back(
    bench: Bench, deployed: Container, user_id: str, cut: Callable[[], AbstractContextManager[None]]
) -> None:
    bodies = [bench.codec.update(bench.event(user_id, 3)), bench.codec.update(bench.event(str(uuid4())))]
    with cut(), pytest.raises(RabbitUnavailable):
        bench.record(*bodies)
    bench.record(*bodies)
    assert [body for _, body in bench.drain(RETRIES[0])] == [bodies[1]]
    assert deployed.ledger.totals([user_id]) == {user_id: 3}


@pytest.mark.usefixtures("patient_retries")
@pytest.mark.parametrize("queue", [RETRIES[0], DEAD_LETTERS])
def test_a_queue_that_is_missing_while_settling_is_declared(bench: Bench, deployed: Container, user_id: str, queue: str) -> None:
    bodies = [bench.codec.update(bench.event(user_id, 3)), bench.codec.update(bench.event(str(uuid4()))), b"poison"]
    with bench.without(queue):
        bench.record(*bodies)
    assert [body for _, body in bench.drain(RETRIES[0])] == [bodies[1]]
    assert [body for _, body in bench.drain(DEAD_LETTERS)] == [b"poison"]


def test_a_batch_of_poison_alone_tells_the_broadcast_nothing(bench: Bench) -> None:
    bench.record(b"x", b"y")
    assert len(bench.drain(DEAD_LETTERS)) == 2
    assert bench.told() == []


def test_a_marker_is_passed_with_its_batch_and_moves_nobody(bench: Bench, deployed: Container, user_id: str) -> None:
    marker_id = str(uuid4())
    bench.record(bench.codec.marker(marker_id))
    assert deployed.ledger.passed_markers([marker_id])
    assert bench.told() == []


def test_a_database_that_is_away_sends_the_batch_back(bench: Bench, redeploy: Redeploy, user_id: str) -> None:
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/scoreboard")
    with pytest.raises(PostgresUnavailable):
        bench.record(bench.codec.update(bench.event(user_id)), b"poison")
    assert bench.drain(DEAD_LETTERS) == [], "or it would be parked again each time"


def test_poison_that_cannot_be_parked_sends_the_batch_back(
    bench: Bench, deployed: Container, user_id: str, cut: Callable[[], AbstractContextManager[None]]
) -> None:
    bodies = [bench.codec.update(bench.event(user_id, 3)), b"poison"]
    with cut(), pytest.raises(RabbitUnavailable):
        bench.record(*bodies)
    bench.record(*bodies)
    assert [body for _, body in bench.drain(DEAD_LETTERS)] == [b"poison"]
    assert deployed.ledger.totals([user_id]) == {user_id: 3}


def test_a_broadcast_that_cannot_be_told_does_not_send_the_batch_back(bench: Bench, redeploy: Redeploy, user_id: str) -> None:
    board = redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    bench.record(bench.codec.update(bench.event(user_id, 3)))
    assert board.ledger.totals([user_id]) == {user_id: 3}
