"""The board goes to everybody who watches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.boards.board import Board
from shared.boards.ranking import Standing
from shared.boards.read_board import Names
from shared.core.clock import Clock
from shared.core.errors import BadMessage, LeaderboardRebuilding, NewerMessage
from shared.core.invocation import note, note_updates
from shared.core.logs import get_logger
from shared.ledger.ask_for_broadcast import ask_for_broadcast
from shared.ledger.events import EVERY_BOARD, ScoresRecorded
from shared.ledger.ports import EventPublisher
from shared.viewers.ports import Viewers

if TYPE_CHECKING:
    from shared.boards.redis import Leaderboard
    from shared.ledger.messages import EventCodec


# What a newer version tells: something has changed, somewhere. A change of no update is measured by nobody.
_OF_NEWER = ScoresRecorded(0, datetime.fromtimestamp(0, UTC), boards=(EVERY_BOARD,))
_log = get_logger(__name__)


def broadcast_scores(
    changes: Sequence[ScoresRecorded],
    board: Board,
    leaderboard: Leaderboard,
    names: Names,
    viewers: Viewers,
    publisher: EventPublisher,
    clock: Clock,
) -> int:
    """Answer the version that went out, 0 while there is no whole board to show: it is broadcast when it is rebuilt.

    How late viewers see these changes is measured from the first update in them.

    When there was no time for all viewers another broadcast goes on.
    """

    def read_board() -> tuple[Sequence[Standing], datetime]:
        as_of = clock.now()
        return names.of(leaderboard.top(board.top, names.since)), as_of

    try:
        delivery = viewers.broadcast(read_board, min((each.accepted_at for each in changes if each.updates), default=None))
    except LeaderboardRebuilding:
        return 0
    note(version=delivery.version)
    if not delivery.is_complete:
        ask_for_broadcast(publisher, clock)
    return delivery.version


def heed_changes(bodies: Sequence[bytes], codec: EventCodec) -> list[ScoresRecorded]:
    """Those that do; what does not decrypt is logged and tells nothing: there is nothing to keep of it."""
    heard: list[ScoresRecorded] = []
    for body in bodies:
        try:
            heard.append(codec.open_recorded(body))
            note_updates(heard[-1].request_ids)
        except NewerMessage:
            heard.append(_OF_NEWER)
        except BadMessage as error:
            _log.error("message of score_updated_queue ignored", extra={"reason": error.detail})
    return heard
