"""Send the top of the board to everybody who watches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.boards.names import Names
from shared.boards.ports import Leaderboard
from shared.boards.ranking import Standing
from shared.core.errors import LeaderboardRebuilding
from shared.core.invocation import note
from shared.core.platform import Clock
from shared.ledger.events import ScoresRecorded
from shared.ledger.messages import EventPublisher
from shared.viewers.ask_for_broadcast import ask_for_broadcast
from shared.viewers.ports import Viewers

TOP = 10


def broadcast_scores(
    changes: Sequence[ScoresRecorded],
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
        return names.of(leaderboard.top(TOP)), as_of

    try:
        delivery = viewers.broadcast(read_board, min((each.accepted_at for each in changes if each.updates), default=None))
    except LeaderboardRebuilding:
        return 0
    note(version=delivery.version)
    if not delivery.is_complete:
        ask_for_broadcast(publisher, clock)
    return delivery.version
