"""Have updates numbered in a new epoch, and the board filled again, when Redis may have gone back to an earlier state."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from shared.core.errors import LeaderboardRebuilding, RabbitUnavailable, RedisUnavailable
from shared.core.logs import get_logger
from shared.ledger.ports import EventPublisher

if TYPE_CHECKING:
    from shared.boards.redis import Leaderboard
    from shared.ledger.postgresql import Ledger


MAX_TRIES = 5
_log = get_logger(__name__)


def open_epoch(leaderboard: Leaderboard, ledger: Ledger) -> bool:
    """Open an epoch where none is open; False when there was nothing to do. Raises LeaderboardRebuilding: try again."""
    for _ in range(MAX_TRIES):
        before = leaderboard.newest_epoch()
        if before.is_open:
            return False
        epoch = ledger.open_epoch(before.newest)
        if leaderboard.open_epoch(epoch, before):
            _log.info("updates are numbered in a new epoch", extra={"epoch": epoch, "before": before.newest})
            return True
    raise LeaderboardRebuilding


def ask_for_rebuild(leaderboard: Leaderboard, publisher: EventPublisher) -> None:
    """Wake rebuild_leaderboard, which also looks each minute: the board is not whole, or another Redis serves it now."""
    with suppress(RabbitUnavailable, RedisUnavailable):
        if leaderboard.ask_for_rebuild():
            publisher.publish_rebuild()
