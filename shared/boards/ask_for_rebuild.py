"""Have the leaderboard filled again."""

from __future__ import annotations

from contextlib import suppress

from shared.boards.ports import Leaderboard
from shared.core.errors import RabbitUnavailable, RedisUnavailable
from shared.ledger.messages import EventPublisher


def ask_for_rebuild(leaderboard: Leaderboard, publisher: EventPublisher) -> None:
    """Wake rebuild_leaderboard, which also looks each minute: the board is not whole, or another Redis serves it now."""
    with suppress(RabbitUnavailable, RedisUnavailable):
        if leaderboard.ask_for_rebuild():
            publisher.publish_rebuild()
