"""Where dead letters are: whole in PostgreSQL, and as copies in RabbitMQ, which are held against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.core.clock import Clock
from shared.core.errors import BadMessage, RabbitUnavailable
from shared.core.logs import get_logger
from shared.ledger.dead_letter import PARKED, WholeLetter
from shared.ledger.events import Number, RefusedMessage, ScoreAccepted
from shared.ledger.ports import EventPublisher

if TYPE_CHECKING:
    from shared.ledger.dead_letters_rabbitmq import DeadLetterQueue
    from shared.ledger.letters_postgresql import DeadLetters
    from shared.ledger.messages import EventCodec
    from shared.ledger.postgresql import Ledger
    from shared.ledger.topology_rabbitmq import Topology


_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LetterStores:
    """What the use cases of dead letters need."""

    letters: DeadLetters
    queue: DeadLetterQueue
    publisher: EventPublisher
    codec: EventCodec
    ledger: Ledger
    topology: Topology
    clock: Clock


def sift(stores: LetterStores) -> None:
    """Bring both stores together: a copy that PostgreSQL does not know is noted there, one that is not parked any more goes.

    Killed at any moment it loses nothing: a copy goes only when PostgreSQL has its message, the ledger has it, or an operator
    discarded it.
    """

    def settle(copies: Sequence[RefusedMessage]) -> Sequence[str | None]:
        return stores.letters.settle_copies([replace(copy, event=opened(copy.body, stores)) for copy in copies])

    stores.queue.sift(settle)


def sift_if_out_of_step(stores: LetterStores) -> None:
    """Where the numbers differ: a version that keeps dead letters in RabbitMQ alone was at work, or a call was cut off.

    Without RabbitMQ PostgreSQL knows what is there.
    """
    try:
        if stores.queue.count() != stores.letters.count([PARKED]):
            sift(stores)
    except RabbitUnavailable:
        _log.warning("the broker is away: its copies of dead letters are not looked at")


def opened(body: bytes, stores: LetterStores) -> ScoreAccepted | None:
    """The update in a message; None when the message cannot be opened."""
    try:
        found = stores.codec.open_update(body)
    except BadMessage:
        return None
    return None if isinstance(found, str) else found


def with_body(whole: WholeLetter, stores: LetterStores) -> tuple[WholeLetter, bytes]:
    """A version that did not keep the message kept what counts: it is sealed again."""
    letter = whole.letter
    if whole.body is not None or letter.request_id is None or letter.user_id is None or letter.increment is None:
        return whole, whole.body or b""
    number = None if letter.epoch is None or letter.sequence is None else Number(letter.epoch, letter.sequence)
    score = whole.points + letter.increment
    event = ScoreAccepted(letter.request_id, letter.user_id, letter.increment, score, letter.noted_at, "", number)
    return whole, stores.codec.update(event)
