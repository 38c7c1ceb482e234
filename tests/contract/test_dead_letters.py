"""Dead letters: whole in PostgreSQL, with copies in RabbitMQ that are held against it and lose nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pika
import pytest

from shared.boards.board import MAIN
from shared.container import Container
from shared.core.errors import RabbitUnavailable
from shared.ledger.dead_letter import DISCARDED, PARKED, REDRIVEN, STANDING, WAITING, Choice, DeadLetter
from shared.ledger.dead_letters_rabbitmq import DeadLetterQueue
from shared.ledger.events import Number, ReceivedMessage, RefusedMessage, ScoreAccepted
from shared.ledger.letter_stores import sift, with_body
from shared.ledger.letters_postgresql import MAX_BODY_BYTES
from shared.ledger.messages import EventCodec
from shared.ledger.queues import DEAD_LETTERS, QUEUES
from shared.ledger.topology_rabbitmq import Topology
from shared.stores.actor import Actor
from shared.stores.rabbitmq.consuming import take_messages
from tests.handlers.players import accepted_points, add_account, new_player
from tests.support.product import query
from tests.support.queues import Queues
from tests.support.waiting import eventually

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
ALL = Choice(1000)


class Parking(Queues):
    """The broker's dead letters, and the ledger that refuses what it does not know the player of."""

    def __init__(self, deployed: Container) -> None:
        super().__init__(deployed)
        self.letters = deployed.dead_letters
        self.codec = EventCodec(deployed.sealer, MAIN.increments)
        self.empty()

    def empty(self) -> None:
        query(self.deployed.settings.migrations_database_url, "DELETE FROM unrecorded_updates")
        self.drain(DEAD_LETTERS)

    def event(self, user_id: str = "") -> ScoreAccepted:
        return ScoreAccepted(str(uuid4()), user_id or str(uuid4()), 2, 2, ACCEPTED_AT, "198.51.100.7")

    def refuse(self, event: ScoreAccepted, attempts: int = 3, **received: Any) -> Sequence[RefusedMessage]:
        """Have the ledger refuse it once more."""
        message = ReceivedMessage(self.codec.update(event), attempts, **received)
        return self.deployed.ledger.record([event], messages={event.request_id: message}).letters

    def unreadable(self, *bodies: bytes, attempts: int = 0) -> Sequence[RefusedMessage]:
        refused = [ReceivedMessage(body, attempts).refused("not a message") for body in bodies]
        return self.deployed.ledger.record([], unreadable=refused).letters

    def park(self, *bodies: bytes) -> None:
        """In the broker alone, as versions did that kept nothing in PostgreSQL."""
        before = self.count()
        self.deployed.topology.park([RefusedMessage(body, "unknown user", 4) for body in bodies])
        eventually(lambda: self.count() == before + len(bodies), 60, "all of them parked")

    def count(self, queue: str = DEAD_LETTERS) -> int:
        with self.channel() as channel:
            found: int = channel.queue_declare(queue, passive=True).method.message_count
        return found

    def standing(self) -> list[DeadLetter]:
        return self.letters.page(STANDING, 1000)

    def sift(self) -> None:
        sift(self.deployed.letters)


@pytest.fixture
def parking(deployed: Container) -> Iterator[Parking]:
    made = Parking(deployed)
    yield made
    made.empty()


# What the ledger does not take


def test_a_refused_update_is_kept_whole(parking: Parking) -> None:
    event = parking.event()
    [letter] = parking.refuse(event, attempts=0, trace=TRACE)
    assert (letter.request_id, letter.attempts, letter.is_parked, letter.trace) == (event.request_id, 1, False, TRACE)
    whole = parking.letters.find(event.request_id)
    assert whole is not None
    assert whole == parking.letters.find(whole.letter.id)
    assert (whole.letter.state, whole.letter.attempts, whole.letter.reason) == (WAITING, 1, "unknown user")
    assert (whole.letter.user_id, whole.letter.increment) == (event.user_id, 2)
    assert (whole.body, whole.headers, whole.is_whole) == (letter.body, TRACE, True)
    assert abs((datetime.now(UTC) - whole.letter.noted_at).total_seconds()) < 60
    assert [(step["state"], step["attempts"], step["reason"]) for step in whole.history] == [(WAITING, 1, "unknown user")]


def test_its_last_attempt_parks_it_and_its_history_tells_the_way(parking: Parking) -> None:
    event = parking.event()
    for attempts in range(4):
        [letter] = parking.refuse(event, attempts)
    assert letter.is_parked
    [seen] = parking.standing()
    assert (seen.state, seen.attempts) == (PARKED, 4)
    whole = parking.letters.find(seen.id)
    assert whole is not None
    assert [(step["state"], step["attempts"]) for step in whole.history] == [
        (WAITING, 1),
        (WAITING, 2),
        (WAITING, 3),
        (PARKED, 4),
    ]


def test_a_copy_of_what_was_tried_more_often_goes_no_further(parking: Parking) -> None:
    event = parking.event()
    parking.refuse(event, 3)
    assert parking.refuse(event, 0) == []
    assert len(parking.refuse(event, 3)) == 1, "what was settled and is delivered again is sent on again"
    assert [letter.attempts for letter in parking.standing()] == [4]


def test_one_that_was_redriven_and_is_refused_is_parked_at_once(parking: Parking) -> None:
    event = parking.event()
    [letter] = parking.refuse(event, 0, redriven=True)
    assert letter.is_parked


def test_what_cannot_be_opened_is_one_row_however_often_it_comes(parking: Parking) -> None:
    bodies = [b"\xff\x00 nonsense", b"[" * 5000, b""]
    assert len(parking.unreadable(*bodies, *bodies)) == 6, "each copy is parked"
    assert len(parking.unreadable(bodies[0])) == 1
    assert [(letter.request_id, letter.user_id, letter.state) for letter in parking.standing()] == [(None, None, PARKED)] * 3
    kept = {whole.body for letter in parking.standing() if (whole := parking.letters.find(letter.id))}
    assert kept == {bodies[0], bodies[1], None}


def test_of_a_huge_one_the_beginning_is_kept_and_it_is_not_redriven(parking: Parking) -> None:
    parking.unreadable(b"x" * (MAX_BODY_BYTES + 1))
    [letter] = parking.standing()
    whole = parking.letters.find(letter.id)
    assert whole is not None
    assert whole.body is not None
    assert (len(whole.body), whole.letter.size, whole.is_whole) == (MAX_BODY_BYTES, MAX_BODY_BYTES + 1, False)
    assert parking.letters.redrive([letter.id], "operator").letters == []
    assert [letter.state for letter in parking.standing()] == [PARKED]


def test_an_id_that_no_row_can_have_is_kept_as_what_cannot_be_opened(parking: Parking) -> None:
    event, other = parking.event("no\0body"), parking.event()
    messages = {
        each.request_id: ReceivedMessage(parking.codec.update(each), trace={"tracestate": "a\0b"}) for each in (event, other)
    }
    letters = parking.deployed.ledger.record([event, other], messages=messages).letters
    assert {letter.request_id for letter in letters} == {None, other.request_id}
    assert {letter.request_id for letter in parking.standing()} == {None, other.request_id}


def test_what_is_recorded_is_no_letter_any_more(parking: Parking) -> None:
    event = parking.event()
    parking.refuse(event, 0)
    add_account(parking.deployed, event.user_id)
    assert accepted_points(parking.deployed, event.user_id) == 2, "accepted is accepted"
    assert parking.refuse(event, 1) == []
    assert parking.standing() == []
    assert parking.deployed.ledger.totals([event.user_id]) == {event.user_id: 2}


def test_what_could_not_be_opened_and_is_recorded_is_none_either(parking: Parking) -> None:
    event = parking.event(new_player(parking.deployed).user_id)
    body = parking.codec.update(event)
    parking.unreadable(body)
    message = ReceivedMessage(body, 4, redriven=True)
    assert parking.deployed.ledger.record([event], messages={event.request_id: message}).new == 1
    assert parking.standing() == []


# Requests that were accepted twice: Redis had forgotten the first time


def test_a_second_acceptance_that_is_refused_is_kept_beside_the_first(parking: Parking) -> None:
    first = parking.event()._replace(number=Number(7, 1))
    second = first._replace(number=Number(7, 2))
    parking.refuse(first)
    [letter] = parking.refuse(second)
    assert letter.is_second
    assert [(seen.request_id, seen.epoch, seen.sequence) for seen in parking.standing()] == [
        (first.request_id, 7, 1),
        (None, 7, 2),
    ]
    add_account(parking.deployed, first.user_id)
    assert accepted_points(parking.deployed, first.user_id) == 4
    for event in (first, second):
        parking.refuse(event)
    assert parking.deployed.ledger.totals([first.user_id]) == {first.user_id: 4}
    kept = {seen.sequence for seen in parking.standing()}
    assert kept <= {2}, "the first is recorded"


def test_one_that_is_refused_after_the_first_was_recorded_is_kept_too(parking: Parking, database_url: str) -> None:
    player = new_player(parking.deployed).user_id
    first = parking.event(player)._replace(number=Number(8, 1))
    second = first._replace(number=Number(8, 2), new_score=2**40)
    parking.deployed.ledger.record([first])
    [letter] = parking.refuse(second, 0)
    assert [(seen.request_id, seen.sequence, seen.user_id) for seen in parking.standing()] == [(None, 2, player)]
    assert accepted_points(parking.deployed, player) == 4
    good = second._replace(new_score=4)
    parking.deployed.ledger.record([good], messages={good.request_id: ReceivedMessage(letter.body, 1)})
    assert parking.standing() == []
    assert parking.deployed.ledger.totals([player]) == {player: 4}


def test_a_discarded_number_is_recorded_under_no_other_request_id(parking: Parking) -> None:
    event = parking.event()._replace(number=Number(9, 1))
    parking.refuse(event)
    parking.letters.discard(parking.letters.choose(ALL, patience_seconds=60), "forged", Actor("operator"))
    add_account(parking.deployed, event.user_id)
    other = event._replace(request_id=str(uuid4()))
    assert parking.deployed.ledger.record([other]).new == 0
    again = event._replace(number=Number(9, 2))
    assert parking.deployed.ledger.record([again]).new == 1, "it was accepted a second time, which nobody discarded"


# Pages and choices


def test_they_are_paged_oldest_first(parking: Parking) -> None:
    events = [parking.event() for _ in range(5)]
    for event in events:
        parking.refuse(event)
    first = parking.letters.page([PARKED], 3)
    rest = parking.letters.page([PARKED], 3, first[-1].id)
    assert [letter.request_id for letter in first + rest] == [event.request_id for event in events]
    assert (parking.letters.count([PARKED]), parking.letters.count([WAITING])) == (5, 0)


def test_they_are_chosen_by_id_by_request_id_or_all(parking: Parking) -> None:
    events = [parking.event() for _ in range(4)]
    for event in events:
        parking.refuse(event)
    ids = [letter.id for letter in parking.standing()]

    def chosen(**named: Any) -> list[int]:
        return parking.letters.choose(Choice(**{"limit": 10, **named}), patience_seconds=60)

    assert chosen() == ids
    assert chosen(limit=2) == ids[:2]
    assert chosen(ids=[ids[2], 2**62], request_ids=[events[0].request_id, "no\0such"]) == [ids[0], ids[2]]
    parking.letters.redrive(ids[:1], "operator")
    assert chosen() == ids[1:], "one that is on its way waits for its outcome"
    assert parking.letters.choose(ALL, patience_seconds=0) == ids


# Redriving


def test_one_that_is_redriven_is_told_whole_and_says_who_wanted_it(parking: Parking) -> None:
    event = parking.event()
    [letter] = parking.refuse(event, trace=TRACE)
    [id_] = parking.letters.choose(ALL, patience_seconds=60)
    settled = parking.letters.redrive([id_], "operator")
    assert settled.recorded == []
    assert [(whole.letter.state, whole.body, whole.headers) for whole in settled.letters] == [(REDRIVEN, letter.body, TRACE)]
    assert settled.letters[0].history[-1]["by"] == "operator"
    parking.letters.park_again([id_])
    assert [letter.state for letter in parking.standing()] == [PARKED]


def test_what_the_ledger_has_is_not_redriven(parking: Parking) -> None:
    event = parking.event()
    parking.refuse(event)
    add_account(parking.deployed, event.user_id)
    assert parking.deployed.ledger.record([event]).new == 1, "another copy, which was never tried"
    [id_] = parking.letters.choose(ALL, patience_seconds=60)
    settled = parking.letters.redrive([id_], "operator")
    assert (settled.letters, settled.recorded) == ([], [id_])
    assert parking.standing() == []


def test_redriven_ones_are_published_as_they_were(parking: Parking) -> None:
    queue = "score_history_queue"
    parking.drain(queue)
    events = [parking.event() for _ in range(3)]
    for event in events:
        parking.refuse(event, trace=TRACE)
    settled = parking.letters.redrive(parking.letters.choose(ALL, patience_seconds=60), "operator")
    parking.deployed.publisher.publish_again([(whole, whole.body or b"") for whole in settled.letters], redriven=True)
    eventually(lambda: parking.count(queue) == 3, 60, "all of them published")
    moved = parking.drain(queue)
    assert [body for _, body in moved] == [whole.body for whole in settled.letters]
    for properties, _ in moved:
        assert properties.headers["traceparent"] == TRACE["traceparent"]
        assert properties.headers["x-attempts"] == 4
        assert datetime.fromisoformat(properties.headers["x-redriven-at"]).tzinfo is not None
        assert (properties.delivery_mode, properties.expiration) == (2, None)
    assert [properties.message_id for properties, _ in moved] == [event.request_id for event in events]


def test_without_a_queue_to_go_to_it_is_told_so(parking: Parking) -> None:
    parking.refuse(parking.event())
    settled = parking.letters.redrive(parking.letters.choose(ALL, patience_seconds=60), "operator")
    with parking.without("score_history_queue"), pytest.raises(RabbitUnavailable):
        parking.deployed.publisher.publish_again([(whole, b"x") for whole in settled.letters], redriven=True)


# Discarding


def test_a_discarded_update_counts_no_longer_and_stays_readable(parking: Parking, database_url: str) -> None:
    deployed = parking.deployed
    event = parking.event()
    parking.refuse(event)
    add_account(deployed, event.user_id)
    since = deployed.reconciliations.begin().opened
    assert accepted_points(deployed, event.user_id) == 2
    [id_] = parking.letters.choose(ALL, patience_seconds=60)
    settled = parking.letters.discard([id_], "forged", Actor("admin-1", "198.51.100.9", "r-1"))
    assert ([whole.letter.state for whole in settled.letters], settled.recorded) == ([DISCARDED], [])
    assert accepted_points(deployed, event.user_id) == 0
    assert any(event.user_id in page for page in deployed.reconciliations.changed(since)), "the next run looks at the player"
    whole = parking.letters.find(id_)
    assert whole is not None
    assert parking.codec.open_update(whole.body or b"") == event
    assert {name: whole.history[-1][name] for name in ("state", "reason", "by")} == {
        "state": DISCARDED,
        "reason": "forged",
        "by": "admin-1",
    }
    [[actor, user_id, source_ip, detail]] = query(
        database_url,
        "SELECT actor, user_id, source_ip, detail FROM audit_log WHERE action = 'dead_letter_discarded' AND request_id = :id",
        id=event.request_id,
    )
    assert (actor, user_id, source_ip) == ("admin-1", event.user_id, "198.51.100.9")
    assert {name: detail[name] for name in ("id", "reason", "increment", "refusedFor")} == {
        "id": id_,
        "reason": "forged",
        "increment": 2,
        "refusedFor": "unknown user",
    }


def test_a_copy_of_a_discarded_update_is_not_recorded(parking: Parking) -> None:
    event = parking.event()
    parking.refuse(event)
    [id_] = parking.letters.choose(ALL, patience_seconds=60)
    parking.letters.discard([id_], "forged", Actor("operator"))
    assert parking.refuse(event) == [], "refused again it goes no further"
    add_account(parking.deployed, event.user_id)
    for attempts in (0, 2):
        assert parking.refuse(event, attempts) == []
        assert parking.deployed.ledger.totals([event.user_id]).get(event.user_id, 0) == 0
    assert parking.letters.choose(ALL, patience_seconds=0) == []
    assert parking.letters.redrive([id_], "operator").letters == []


def test_what_the_ledger_has_is_not_discarded(parking: Parking, database_url: str) -> None:
    event = parking.event()
    parking.refuse(event)
    add_account(parking.deployed, event.user_id)
    parking.deployed.ledger.record([event])
    [id_] = parking.letters.choose(ALL, patience_seconds=60)
    settled = parking.letters.discard([id_], "forged", Actor("operator"))
    assert (settled.letters, settled.recorded) == ([], [id_])
    assert accepted_points(parking.deployed, event.user_id) == 2
    sql = "SELECT count(*) FROM audit_log WHERE action = 'dead_letter_discarded' AND request_id = :id"
    assert query(database_url, sql, id=event.request_id) == [[0]]


def test_racing_with_a_redelivery_each_is_recorded_or_discarded_never_both(parking: Parking) -> None:
    player = new_player(parking.deployed).user_id
    events = [parking.event() for _ in range(40)]
    for event in events:
        parking.refuse(event)
    with ThreadPoolExecutor(4) as pool:
        ids = parking.letters.choose(ALL, patience_seconds=60)
        discarding = [pool.submit(parking.letters.discard, [id_], "test", Actor("operator")) for id_ in ids]
        good = [event._replace(user_id=player) for event in events]
        recording = [pool.submit(parking.refuse, event, 3, redriven=True) for event in good]
        discarded = sum(len(done.result().letters) for done in discarding)
        for done in recording:
            done.result()
    recorded = parking.deployed.ledger.totals([player]).get(player, 0) // 2
    assert discarded + recorded == 40
    assert parking.standing() == []


def test_what_cannot_be_opened_may_come_anew_after_it_was_discarded(parking: Parking) -> None:
    parking.unreadable(b"nonsense")
    parking.letters.discard(parking.letters.choose(ALL, patience_seconds=60), "nonsense", Actor("operator"))
    assert parking.unreadable(b"nonsense", attempts=4) == [], "a copy that was on its way"
    assert parking.standing() == []
    assert len(parking.unreadable(b"nonsense")) == 1
    assert [letter.state for letter in parking.standing()] == [PARKED]


# What is in no queue any more


def test_overdue_ones_are_found_once_in_the_time_they_may_take(parking: Parking, database_url: str) -> None:
    waiting, parked, redriven, fresh = (parking.event() for _ in range(4))
    parking.refuse(waiting, 1)
    parking.refuse(parked, 3)
    parking.refuse(redriven, 3)
    parking.letters.redrive(parking.letters.choose(Choice(1, request_ids=[redriven.request_id]), patience_seconds=60), "operator")
    query(database_url, "UPDATE unrecorded_updates SET changed_at = changed_at - INTERVAL '95 seconds'")
    parking.refuse(fresh, 0)

    def overdue() -> set[str | None]:
        return {whole.letter.request_id for whole in parking.letters.overdue((5, 30, 180), 60, 100)}

    assert overdue() == {waiting.request_id, redriven.request_id}
    assert overdue() == set()
    query(database_url, "UPDATE unrecorded_updates SET changed_at = changed_at + INTERVAL '2 hours'")  # the clock was set back
    assert len(parking.letters.choose(Choice(1, request_ids=[redriven.request_id]), patience_seconds=60)) == 1
    assert overdue() == {waiting.request_id, redriven.request_id, fresh.request_id}
    assert overdue() == set()


def test_overdue_ones_that_the_ledger_has_are_forgotten(parking: Parking) -> None:
    event = parking.event()
    parking.refuse(event)
    add_account(parking.deployed, event.user_id)
    parking.deployed.ledger.record([event])
    assert parking.letters.overdue((5, 30, 180), 60, 100) == []
    assert parking.standing() == []


def test_one_that_an_earlier_version_noted_without_its_content_is_sealed_again(parking: Parking, database_url: str) -> None:
    event = parking.event(new_player(parking.deployed).user_id)
    parking.deployed.ledger.record([parking.event(event.user_id)])
    query(
        database_url,
        "INSERT INTO unrecorded_updates (request_id, user_id, increment, reason, noted_at, changed_at)"
        " VALUES (:request_id, :user_id, 2, 'old', :at, :at)",
        request_id=event.request_id,
        user_id=event.user_id,
        at=ACCEPTED_AT,
    )
    [whole] = parking.letters.overdue((5, 30, 180), 60, 100)
    assert (whole.body, whole.letter.state) == (None, WAITING)
    _, body = with_body(whole, parking.deployed.letters)
    sealed = parking.codec.open_update(body)
    assert isinstance(sealed, ScoreAccepted)
    assert (sealed.request_id, sealed.user_id, sealed.increment, sealed.new_score) == (event.request_id, event.user_id, 2, 4)
    assert sealed.accepted_at == ACCEPTED_AT


# The broker's copies


def test_what_lies_in_the_broker_alone_is_noted_and_stays(parking: Parking) -> None:
    events = [parking.event() for _ in range(3)]
    parking.park(*map(parking.codec.update, events), b"\xff nonsense", b"[" * 5000)
    for _ in range(30):  # RabbitMQ 4 drops what returned 20 times unless the queue says otherwise
        parking.sift()
        eventually(lambda: parking.count() == 5, 60, "all of them back")
    found = parking.standing()
    assert [letter.request_id for letter in found] == [*(event.request_id for event in events), None, None]
    assert [(letter.state, letter.attempts, letter.reason) for letter in found] == [(PARKED, 4, "unknown user")] * 5
    assert all(abs((datetime.now(UTC) - letter.noted_at).total_seconds()) < 600 for letter in found)


def test_headers_that_say_nonsense_do_not_keep_a_message_out(parking: Parking) -> None:
    with parking.channel() as channel:
        channel.confirm_delivery()
        for headers in (
            {"x-attempts": -5, "x-reason": 7, "x-parked-at": "0001-01-01T00:00:00+14:00"},
            {"x-parked-at": "\0"},
            None,
        ):
            channel.basic_publish("", DEAD_LETTERS, json.dumps(str(headers)).encode(), _properties(headers))
    parking.sift()
    assert [(letter.attempts, letter.reason) for letter in parking.standing()] == [(1, "")] * 3


def test_of_several_copies_the_newest_stays(parking: Parking) -> None:
    event = parking.event()
    letters = [parking.refuse(event, attempts)[0] for attempts in (3, 4, 5)]
    parking.deployed.topology.park(letters)
    eventually(lambda: parking.count() == 3, 60, "all copies parked")
    parking.sift()
    eventually(lambda: parking.count() == 1, 60, "one of them back")
    [(properties, _)] = parking.drain(DEAD_LETTERS)
    assert properties.headers["x-attempts"] == 6
    assert len(parking.standing()) == 1


def test_copies_of_what_is_settled_go(parking: Parking) -> None:
    recorded, redriven, discarded, parked = (parking.event() for _ in range(4))
    for event in (recorded, redriven, discarded, parked):
        parking.deployed.topology.park(parking.refuse(event))
    add_account(parking.deployed, recorded.user_id)
    parking.refuse(recorded)
    ids = {letter.request_id: letter.id for letter in parking.standing()}
    parking.letters.redrive([ids[redriven.request_id]], "operator")
    parking.letters.discard([ids[discarded.request_id]], "test", Actor("operator"))
    eventually(lambda: parking.count() == 4, 60, "all of them parked")
    parking.sift()
    eventually(lambda: parking.count() == 1, 60, "one of them back")
    assert [body for _, body in parking.drain(DEAD_LETTERS)] == [_body(parking, ids[parked.request_id])]


def test_two_at_once_lose_nothing(parking: Parking) -> None:
    events = [parking.event() for _ in range(60)]
    parking.park(*map(parking.codec.update, events))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(parking.sift) for _ in range(4)]:
            done.result()
    eventually(lambda: parking.count() == 60, 60, "all of them back")
    assert {letter.request_id for letter in parking.standing()} == {event.request_id for event in events}


def test_cut_off_before_a_copy_goes_it_is_there_still(parking: Parking) -> None:
    class CutOff(Exception):
        pass

    def settle(_copies: Sequence[RefusedMessage]) -> list[str | None]:
        raise CutOff

    parking.park(b"one", b"two")
    with pytest.raises(CutOff):
        parking.deployed.dead_letter_queue.sift(settle)
    eventually(lambda: parking.count() == 2, 60, "both back")


def test_more_than_a_broker_gives_back_in_order_are_looked_at_with_one_consumer(parking: Parking) -> None:
    """Many messages that were taken with basic_get come back in another order when the broker replays its log."""
    bodies = [str(number).encode() for number in range(150)]
    parking.park(*bodies)
    with parking.channel() as channel:
        assert [body for _, _, body in take_messages(channel, DEAD_LETTERS)] == bodies
    eventually(lambda: parking.count() == 150, 60, "all of them back")
    assert [body for _, body in parking.drain(DEAD_LETTERS)] == bodies


def test_a_broker_that_is_away_is_told_so() -> None:
    away = DeadLetterQueue("amqp://127.0.0.1:1/", ca_file="")
    for ask in (away.count, lambda: away.sift(lambda copies: [None for _ in copies])):
        with pytest.raises(RabbitUnavailable):
            ask()


def test_a_queue_made_by_an_older_version_is_kept(parking: Parking, deployed: Container) -> None:
    settings = deployed.settings
    topology = Topology(settings.amqp_url, ca_file=settings.amqp_ca_file, retry_delays=(1, 1, 1))
    with parking.channel() as channel:
        channel.queue_delete(DEAD_LETTERS)
        channel.queue_declare(DEAD_LETTERS, durable=True, arguments={"x-queue-type": "quorum"})
    try:
        parking.park(b"one")
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


def _body(parking: Parking, letter_id: int) -> bytes | None:
    whole = parking.letters.find(letter_id)
    return None if whole is None else whole.body


def _properties(headers: dict[str, Any] | None) -> Any:
    return pika.BasicProperties(headers=headers, delivery_mode=2)
