"""Events that are none, and messages that we never wrote: clear errors, parked messages, and good ones recorded all the same."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pika.exceptions import ChannelClosedByBroker

from local_runtime.instance.servers.rabbitmq import MAX_MESSAGE_BYTES
from shared.boards.board import MAIN
from shared.container import Container
from shared.core.errors import InvalidInput, MalformedRequest, ScoreboardError
from shared.ledger.events import ScoreAccepted, ScoresRecorded
from shared.ledger.messages import EventCodec
from shared.stores.sealing import Sealer
from tests.handlers.consumer import ACCEPTED_AT, DEAD_LETTERS, HISTORY, Bench
from tests.handlers.events import ROOT, invoke
from tests.handlers.players import new_player

SOURCES = {path.parent.name: path.read_text() for path in sorted((ROOT / "functions").glob("*/handler.py"))}
WRAPPERS = ("@direct_handler", "@quiet_handler", "@schedule_handler")
CALLED = [name for name, source in SOURCES.items() if any(wrapper in source for wrapper in WRAPPERS)]
READ_THEIR_INPUT = (
    "change_users",
    "create_user",
    "export_audit_log",
    "follow_audit_log",
    "manage_dead_letters",
    "reconcile_scores",
    "verify_audit",
)
NO_OBJECTS: list[Any] = [[], "text", 7]
WRONG_INPUT = {"dryRun": "yes", "action": 5, "username": [], "limit": "all", "fromSeal": {}, "after": "x", "from": 5, "head": []}
NO_EVENTS: list[Any] = [
    *NO_OBJECTS,
    {},
    {"requestContext": None},
    {"requestContext": []},
    {"requestContext": {"requestId": 5, "routeKey": 5, "http": None}},
    {"rmqMessagesByQueue": None},
    {"rmqMessagesByQueue": {"score_history_queue::/": [None]}},
    {"rmqMessagesByQueue": {"score_history_queue::/": [{"data": "é", "basicProperties": {}, "redelivered": False}]}},
]
KINDS = ("bytes", "json", "field", "missing", "more", "sealed", "key", "kind", "huge", "deep", "cut")
HEADERS = (2**63 - 1, -1, 1.5, True, "3", b"\xff", [3], {"bytes": -1}, {"bytes": 10**12}, {"bytes": [999]}, {"a": {"bytes": "x"}})


@pytest.mark.parametrize("function", CALLED)
def test_an_input_that_cannot_be_read_is_told_so(deployed: Container, function: str) -> None:
    for event in [*NO_OBJECTS, *([WRONG_INPUT] if function in READ_THEIR_INPUT else [])]:
        with pytest.raises(InvalidInput) as refused:
            invoke(function, event)
        assert refused.value.detail != ScoreboardError.default_detail, event


@pytest.mark.parametrize("function", sorted(set(SOURCES) - set(CALLED)))
def test_an_event_of_the_wrong_shape_is_told_so(deployed: Container, function: str) -> None:
    for event in NO_EVENTS:
        with suppress(MalformedRequest):
            answer = invoke(function, event)
            assert answer["statusCode"] < 500, (event, answer)


@pytest.fixture(scope="module")
def stranger() -> EventCodec:
    """Who has a key of another instance under another name."""
    return EventCodec(Sealer.from_setting("other:" + "A" * 43 + "="), MAIN.increments)


def hostile(codec: EventCodec, stranger: EventCodec, user_id: str, data: Any) -> bytes:
    """A message that must not count, made with what hypothesis chooses."""
    good = ScoreAccepted(str(uuid4()), user_id, 3, 3, ACCEPTED_AT, "198.51.100.7")
    fields: dict[str, Any] = json.loads(codec.update(good))
    kind = data.draw(
        st.sampled_from(["bytes", "json", "field", "missing", "more", "sealed", "key", "kind", "huge", "deep", "cut"])
    )
    if kind == "bytes":
        return bytes(data.draw(st.binary(max_size=300)))
    if kind == "json":
        return json.dumps(data.draw(JSON)).encode(errors="surrogatepass")
    if kind == "field":
        name = data.draw(st.sampled_from(sorted(fields)))
        value = data.draw(JSON.filter(lambda value: value != fields[name]))
        return json.dumps({**fields, name: value}).encode()
    if kind == "missing":
        del fields[data.draw(st.sampled_from(sorted(fields)))]
    elif kind == "more":
        fields["role"] = "admin"
    elif kind == "sealed":
        sealed = fields["encrypted_data"]
        place = data.draw(st.integers(0, len(sealed) - 3))
        fields["encrypted_data"] = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
    elif kind == "key":
        return stranger.update(good)
    elif kind == "kind":
        return codec.recorded(ScoresRecorded(1, ACCEPTED_AT))
    elif kind == "huge":
        fields["encrypted_data"] = "A" * 300_000
    elif kind == "deep":
        text = json.dumps(fields)
        return text.replace('"encrypted_data": "', '"encrypted_data": ' + "[" * 100_000 + '"').encode()
    elif kind == "cut":
        whole = json.dumps(fields).encode()
        return whole[: data.draw(st.integers(0, len(whole) - 1))]
    return json.dumps(fields).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([10**400, "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_hostile_messages_are_parked_and_the_good_ones_of_their_batch_recorded(
    bench: Bench, deployed: Container, stranger: EventCodec, data: Any
) -> None:
    user_id = new_player(deployed).user_id
    bad = [hostile(bench.codec, stranger, user_id, data) for _ in range(data.draw(st.integers(1, 6)))]
    good = [bench.codec.update(bench.event(user_id, increment)) for increment in (2, 5)]
    bench.record(*data.draw(st.permutations([*good, *bad])))
    assert deployed.ledger.totals([user_id]) == {user_id: 7}
    parked = bench.drain(DEAD_LETTERS)
    assert sorted(body for _, body in parked) == sorted(bad)
    assert all(properties.headers["x-reason"] and properties.headers["x-attempts"] == 1 for properties, _ in parked)


@pytest.mark.parametrize("value", HEADERS, ids=str)
def test_headers_of_any_kind_are_no_reason_to_keep_a_batch(bench: Bench, deployed: Container, value: object) -> None:
    user_id = new_player(deployed).user_id
    bench.record(b"nonsense", bench.codec.update(bench.event(user_id, 4)), x_attempts=value, x_redriven_at=value)
    assert deployed.ledger.totals([user_id]) == {user_id: 4}
    [(properties, body)] = bench.drain(DEAD_LETTERS)
    assert (body, properties.headers["x-attempts"]) == (b"nonsense", 1)


def test_the_broadcast_is_moved_by_nothing_that_does_not_decrypt(bench: Bench, stranger: EventCodec) -> None:
    event = ScoresRecorded(1, ACCEPTED_AT)
    for body in (b"", b"[" * 100_000, b'{"encrypted_data": "A"}', stranger.recorded(event), bench.codec.update(bench.event("u"))):
        assert bench.deliver("broadcast_scores", "score_updated_queue", body) is None


def test_a_message_too_large_for_a_function_never_reaches_the_queue(bench: Bench) -> None:
    with bench.channel() as channel:
        channel.confirm_delivery()
        with pytest.raises(ChannelClosedByBroker, match="larger than"):
            channel.basic_publish("", HISTORY, b"x" * (MAX_MESSAGE_BYTES + 1))
