"""What stands in a message: the specification's plain fields, and what is sealed and bound to them."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from shared.core.errors import BadMessage, NewerMessage
from shared.core.ids import BOARD_NAME, canonical_id
from shared.core.limits import LARGEST
from shared.core.redis_shards import FIRST
from shared.ledger.events import Number, ScoreAccepted, ScoresRecorded

if TYPE_CHECKING:
    from shared.stores.sealing import Sealer


VERSION = 1
# Messages outlive deployments: a version that was ever written stays readable, and new fields have a default.
UNDERSTOOD_VERSIONS = frozenset({1})
MAX_ID_LENGTH, MAX_BOARD_LENGTH, MAX_MARKER_LENGTH = 36, 40, 64
_VALUES = range(-LARGEST, LARGEST + 1)
_PLACE = BOARD_NAME.pattern + r":[1-9][0-9]{0,8}:-?[0-9]{1,16}:-?[0-9]{1,16}:[0-9]{1,16}:[01]"
_PLACES = re.compile(rf"{_PLACE}(\|{_PLACE}){{0,3}}")
ACCEPTED, MARKER, RECORDED = "score.accepted", "score.marker", "scores.recorded"
_encode = msgspec.json.Encoder().encode


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    request_id: str
    user_id: str
    increment: int
    new_score: int
    encrypted_data: str


class _Sealed(msgspec.Struct, omit_defaults=True):
    """Unknown fields are ignored; an absent one has the value that it had before it existed."""

    v: int
    accepted_at: int
    source_ip: str = ""
    board: str = "main"
    epoch: int = 0
    sequence: int = 0
    outbox_id: str = ""
    key_id: str = ""
    rank: int = 0
    second: int = 0
    metadata: str = ""
    places: str = ""
    writer: str = ""
    shard: str = FIRST


class RecordedEnvelope(msgspec.Struct, forbid_unknown_fields=True):
    encrypted_data: str


class _RecordedSealed(msgspec.Struct, omit_defaults=True):
    v: int
    updates: int
    accepted_at: int
    request_ids: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()


_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_sealed = msgspec.json.Decoder(_Sealed).decode
_decode_recorded = msgspec.json.Decoder(RecordedEnvelope).decode
_decode_recorded_sealed = msgspec.json.Decoder(_RecordedSealed).decode


class EventCodec:
    """What stands in a queue message, sealed and opened.

    And its other direction for the publisher.

    The plain fields and the kind of message are associated data: changing one, or passing one kind for another, is detected.
    """

    def __init__(self, sealer: Sealer, increments: range) -> None:
        """`increments`: by how much an update may change a score on `main`. Of other boards the ledger says what it takes."""
        self._sealer = sealer
        self._increments = increments

    def update(self, event: ScoreAccepted) -> bytes:
        """The body of an update for score_history_queue."""
        epoch, sequence = event.number or (0, 0)
        sealed = self._sealer.seal(
            _encode(
                _Sealed(
                    VERSION,
                    _milliseconds(event.accepted_at),
                    event.source_ip,
                    event.board_id,
                    epoch,
                    sequence,
                    event.outbox_id,
                    event.key_id,
                    event.rank,
                    event.second,
                    event.metadata,
                    event.places,
                    event.writer,
                    event.shard,
                )
            ),
            _bound(ACCEPTED, event.request_id, event.user_id, event.increment, event.new_score),
        )
        return _encode(Envelope(event.request_id, event.user_id, event.increment, event.new_score, sealed))

    def marker(self, marker_id: str) -> bytes:
        """The body of a marker for score_history_queue: no user, no points."""
        sealed = self._sealer.seal(_encode(_Sealed(VERSION, 0)), _bound(MARKER, marker_id, "", 0, 0))
        return _encode(Envelope(marker_id, "", 0, 0, sealed))

    def recorded(self, event: ScoresRecorded) -> bytes:
        """The body of a message of score_updated_queue."""
        accepted_at = _milliseconds(event.accepted_at)
        secret = _encode(_RecordedSealed(VERSION, event.updates, accepted_at, event.request_ids, event.boards))
        return _encode(RecordedEnvelope(self._sealer.seal(secret, _bound(RECORDED))))

    def open_update(self, body: bytes) -> ScoreAccepted | str:
        """The event of a message of score_history_queue, or the id of a marker; raises BadMessage."""
        try:
            plain = _decode_envelope(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadMessage("not a message of score_history_queue") from None
        kind = MARKER if not plain.user_id and plain.increment == 0 else ACCEPTED
        bound = _bound(kind, plain.request_id, plain.user_id, plain.increment, plain.new_score)
        sealed = self._open(plain.encrypted_data, bound, _decode_sealed)
        if kind == MARKER and len(plain.request_id) <= MAX_MARKER_LENGTH:
            return plain.request_id
        allowed: Container[int] = self._increments if sealed.board == "main" else _VALUES
        in_range = plain.increment in allowed and plain.new_score in _VALUES and sealed.second in _VALUES
        ids_fit = max(map(len, (plain.request_id, plain.user_id, sealed.writer))) <= MAX_ID_LENGTH
        if not in_range or not ids_fit or max(len(sealed.board), len(sealed.shard)) > MAX_BOARD_LENGTH:
            raise BadMessage("a field is out of its range")
        if sealed.board != "main" and not (_PLACES.fullmatch(sealed.places) and sealed.epoch and sealed.sequence):
            raise BadMessage("an entry without places or number")
        return ScoreAccepted(
            canonical_id(plain.request_id),
            canonical_id(plain.user_id),
            plain.increment,
            plain.new_score,
            _instant(sealed.accepted_at),
            sealed.source_ip,
            Number(sealed.epoch, sealed.sequence) if sealed.epoch else None,
            sealed.outbox_id,
            sealed.key_id,
            sealed.rank,
            sealed.board,
            sealed.second,
            sealed.metadata,
            sealed.places,
            sealed.writer,
            sealed.shard,
        )

    def open_recorded(self, body: bytes) -> ScoresRecorded:
        """The event of a message of score_updated_queue; raises BadMessage."""
        try:
            plain = _decode_recorded(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadMessage("not a message of score_updated_queue") from None
        sealed = self._open(plain.encrypted_data, _bound(RECORDED), _decode_recorded_sealed)
        return ScoresRecorded(sealed.updates, _instant(sealed.accepted_at), sealed.request_ids, sealed.boards)

    def _open(self, text: str, bound: bytes, decode: Any) -> Any:
        try:
            sealed = decode(self._sealer.open(text, bound))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadMessage("what was sealed is not understood") from None
        if sealed.v not in UNDERSTOOD_VERSIONS:
            told = f"version {sealed.v} of the payload is not understood: redrive it to a function that does"
            raise NewerMessage(told) if sealed.v > VERSION else BadMessage(told)
        return sealed


def _bound(*fields: str | int) -> bytes:
    return _encode(fields)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _instant(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise BadMessage("accepted_at is no instant") from None
