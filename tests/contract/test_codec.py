"""What stands in a queue message, and that nothing of it can be changed unnoticed."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.boards.board import MAIN
from shared.core.errors import BadMessage
from shared.ledger.events import Number, ScoreAccepted, ScoresRecorded
from shared.ledger.messages import EventCodec
from shared.stores.sealing import Sealer

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)
EVENT = ScoreAccepted("r-1", "u-1", 3, 12, datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC), "198.51.100.7")
FULL = EVENT._replace(number=Number(4, 1_000_000), outbox_id="1795873112620-3", key_id="k" * 36, rank=5)
BOUND: list[Any] = ["score.accepted", "r-1", "u-1", 3, 12]
RECORDED = ScoresRecorded(17, EVENT.accepted_at)
SEALER = Sealer({"old": OLD})
CODEC = EventCodec(SEALER, MAIN.increments)
GARBAGE = [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'"text"', b'{"encrypted_data": 3}', b'{"encrypted_data": "x"}']


def forged(body: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(body), **changes}).encode()


def sealed_update(secret: object, bound: list[Any]) -> bytes:
    """A message of somebody who has the key."""
    kind, request_id, user_id, increment, new_score = bound
    associated = json.dumps([kind, request_id, user_id, increment, new_score], separators=(",", ":")).encode()
    encrypted = SEALER.seal(json.dumps(secret).encode(), associated)
    plain = {"request_id": request_id, "user_id": user_id, "increment": increment, "new_score": new_score}
    return json.dumps({**plain, "encrypted_data": encrypted}).encode()


def refused(body: bytes, codec: EventCodec = CODEC) -> str:
    with pytest.raises(BadMessage) as error:
        codec.open_update(body)
    return error.value.detail


@pytest.mark.parametrize("event", [EVENT, FULL], ids=["old fields", "all fields"])
def test_an_update_arrives_as_it_was_sent(event: ScoreAccepted) -> None:
    assert CODEC.open_update(CODEC.update(event)) == event


@pytest.mark.parametrize("event", [EVENT, FULL], ids=["old fields", "all fields"])
def test_an_update_shows_the_specified_fields_and_nothing_more(event: ScoreAccepted) -> None:
    plain = json.loads(CODEC.update(event))
    assert plain.pop("encrypted_data").startswith("old.")
    assert plain == {"request_id": "r-1", "user_id": "u-1", "increment": 3, "new_score": 12}


def test_ids_in_capitals_arrive_in_small_letters() -> None:
    request_id, user_id = "6d1a6e0b-7f6f-4b9e-8f55-0b9c4d0f8a11", "fe5df23a-7fce-8c5a-b8b2-8e04316ddaff"
    sent = EVENT._replace(request_id=request_id.upper(), user_id=user_id.upper())
    assert CODEC.open_update(CODEC.update(sent)) == EVENT._replace(request_id=request_id, user_id=user_id)


def test_a_message_without_the_newer_sealed_fields_is_read() -> None:
    at = int(EVENT.accepted_at.timestamp() * 1000)
    body = sealed_update({"v": 1, "accepted_at": at, "source_ip": EVENT.source_ip}, BOUND)
    assert CODEC.open_update(body) == EVENT


def test_sealed_fields_of_a_later_version_are_passed_over() -> None:
    at = int(EVENT.accepted_at.timestamp() * 1000)
    body = sealed_update(
        {"v": 1, "accepted_at": at, "source_ip": EVENT.source_ip, "colour": ["red"], "epoch": 2, "sequence": 9}, BOUND
    )
    assert CODEC.open_update(body) == EVENT._replace(number=Number(2, 9))


ENTRY = EVENT._replace(
    number=Number(2, 9), board_id="chess", second=-7, metadata='{"level":3}', places="all_time:1:12:-7:1:1|weekly:30:12:-7:4:0"
)


def test_an_entry_on_another_board_arrives_whole() -> None:
    assert CODEC.open_update(CODEC.update(ENTRY)) == ENTRY
    largest = ENTRY._replace(increment=-(2**53) + 1, new_score=2**53 - 1, second=2**53 - 1)
    assert CODEC.open_update(CODEC.update(largest)) == largest
    most = "9" * 16
    longest = ENTRY._replace(board_id="b" * 40, places="|".join([f"{'p' * 40}:999999999:-{most}:-{most}:{most}:1"] * 4))
    assert CODEC.open_update(CODEC.update(longest)) == longest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"places": ""}, "an entry without places or number"),
        ({"places": "all_time:0:1:1:1:1"}, "an entry without places or number"),
        ({"places": "|".join(["p:1:1:1:1:1"] * 5)}, "an entry without places or number"),
        ({"number": None}, "an entry without places or number"),
        ({"second": 2**53}, "a field is out of its range"),
        ({"increment": 2**53}, "a field is out of its range"),
        ({"new_score": 2**53}, "a field is out of its range"),
        ({"board_id": "b" * 41}, "a field is out of its range"),
    ],
)
def test_an_entry_that_the_script_never_wrote_is_not_read(change: dict[str, Any], reason: str) -> None:
    assert refused(CODEC.update(ENTRY._replace(**change))) == reason


def test_two_messages_of_one_event_look_different() -> None:
    assert CODEC.update(EVENT) != CODEC.update(EVENT)


@pytest.mark.parametrize(
    "change",
    [
        {"request_id": "r-2"},
        {"user_id": "u-2"},
        {"increment": 5},
        {"new_score": 13},
        {"request_id": "r-1 "},
        {"user_id": ""},
        {"user_id": "", "increment": 0, "new_score": 0},
        {"increment": 0},
    ],
)
def test_every_changed_field_is_detected(change: dict[str, Any]) -> None:
    assert "does not decrypt" in refused(forged(CODEC.update(EVENT), **change))


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_every_changed_byte_is_detected(place: int, flip: int) -> None:
    sealed = bytearray(CODEC.update(EVENT))
    sealed[place % len(sealed)] ^= flip
    try:
        assert CODEC.open_update(bytes(sealed)) == EVENT  # such as a bit of base64 that carries nothing
    except BadMessage:
        return


def test_the_sealed_part_of_another_update_does_not_fit() -> None:
    other = ScoreAccepted("r-2", "u-1", 3, 12, EVENT.accepted_at, EVENT.source_ip)
    stolen = json.loads(CODEC.update(other))["encrypted_data"]
    assert "does not decrypt" in refused(forged(CODEC.update(EVENT), encrypted_data=stolen))


def test_a_marker_is_told_from_an_update() -> None:
    assert CODEC.open_update(CODEC.marker("m-1")) == "m-1"
    assert "does not decrypt" in refused(forged(CODEC.marker("m-1"), request_id="m-2"))


def test_a_marker_cannot_pass_as_an_update_nor_an_update_as_a_marker() -> None:
    assert "does not decrypt" in refused(forged(CODEC.marker("r-1"), user_id="u-1", increment=3, new_score=12))
    assert "does not decrypt" in refused(forged(CODEC.update(EVENT), user_id="", increment=0, new_score=0))
    secret = {"v": 1, "accepted_at": 0, "source_ip": ""}
    assert "does not decrypt" in refused(sealed_update(secret, ["score.accepted", "m-1", "", 0, 0]))
    assert "does not decrypt" in refused(sealed_update(secret, ["score.marker", "r-1", "u-1", 3, 12]))


def test_messages_of_one_queue_mean_nothing_in_the_other() -> None:
    recorded = CODEC.recorded(RECORDED)
    with pytest.raises(BadMessage):
        CODEC.open_recorded(CODEC.update(EVENT))
    assert refused(recorded) == "not a message of score_history_queue"
    stolen = json.loads(recorded)["encrypted_data"]
    assert "does not decrypt" in refused(forged(CODEC.update(EVENT), encrypted_data=stolen))
    with pytest.raises(BadMessage):
        CODEC.open_recorded(json.dumps({"encrypted_data": json.loads(CODEC.update(EVENT))["encrypted_data"]}).encode())


def test_what_was_recorded_arrives_as_it_was_sent_and_shows_nothing() -> None:
    body = CODEC.recorded(RECORDED)
    assert CODEC.open_recorded(body) == RECORDED
    assert set(json.loads(body)) == {"encrypted_data"}


@pytest.mark.parametrize("body", GARBAGE)
def test_what_is_no_message_at_all_is_refused(body: bytes) -> None:
    refused(body)
    with pytest.raises(BadMessage):
        CODEC.open_recorded(body)


@pytest.mark.parametrize(
    "change",
    [{"increment": "3"}, {"increment": 3.5}, {"increment": True}, {"user_id": None}, {"encrypted_data": None}, {"extra": 1}],
)
def test_a_field_of_another_type_or_name_is_refused(change: dict[str, Any]) -> None:
    assert refused(forged(CODEC.update(EVENT), **change)) == "not a message of score_history_queue"


def test_a_version_that_is_not_known_is_refused() -> None:
    body = sealed_update({"v": 2, "accepted_at": 0}, ["score.accepted", "r-1", "u-1", 3, 12])
    assert refused(body) == "version 2 of the payload is not understood: redrive it to a function that does"
    secret = SEALER.seal(json.dumps({"v": 2, "updates": 1, "accepted_at": 0}).encode(), b'["scores.recorded"]')
    with pytest.raises(BadMessage, match="version 2"):
        CODEC.open_recorded(json.dumps({"encrypted_data": secret}).encode())


@pytest.mark.parametrize("secret", [{}, {"v": 1}, {"v": "1", "accepted_at": 0}, [], None, {"v": 1, "accepted_at": "noon"}])
def test_a_sealed_part_that_is_not_understood_is_refused(secret: object) -> None:
    assert refused(sealed_update(secret, ["score.accepted", "r-1", "u-1", 3, 12])) == "what was sealed is not understood"


@pytest.mark.parametrize(
    ("request_id", "user_id", "increment"), [("r" * 37, "u-1", 3), ("r-1", "u" * 37, 3), ("r-1", "u-1", 6), ("r-1", "u-1", -1)]
)
def test_a_field_out_of_its_range_is_refused_even_with_the_right_key(request_id: str, user_id: str, increment: int) -> None:
    body = sealed_update({"v": 1, "accepted_at": 0}, ["score.accepted", request_id, user_id, increment, 12])
    assert refused(body) == "a field is out of its range"


@pytest.mark.parametrize("accepted_at", [10**18, -(10**18), 2**63 - 1])
def test_an_instant_outside_the_calendar_is_refused(accepted_at: int) -> None:
    body = sealed_update({"v": 1, "accepted_at": accepted_at}, ["score.accepted", "r-1", "u-1", 3, 12])
    assert refused(body) == "accepted_at is no instant"


def test_keys_can_be_changed_while_messages_are_on_their_way() -> None:
    after = EventCodec(Sealer({"new": NEW, "old": OLD}), MAIN.increments)
    finished = EventCodec(Sealer({"new": NEW}), MAIN.increments)
    on_its_way, fresh = CODEC.update(EVENT), after.update(EVENT)
    assert after.open_update(on_its_way) == after.open_update(fresh) == finished.open_update(fresh) == EVENT
    assert refused(on_its_way, finished) == "sealed with a key `old` that is not among PAYLOAD_KEYS"


def test_a_key_of_the_same_name_but_other_bytes_opens_nothing() -> None:
    assert "does not decrypt" in refused(CODEC.update(EVENT), EventCodec(Sealer({"old": NEW}), MAIN.increments))
