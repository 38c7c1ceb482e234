"""Fill a leaderboard that Redis lost from the ledger, exactly, and open it again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shared.boards.open_epoch import open_epoch
from shared.core.errors import RabbitUnavailable
from shared.core.logs import get_logger
from shared.ledger.catch_up import Pipeline, catch_up
from shared.ledger.events import ScoresRecorded
from shared.reconciliation.restore_windows import restore_windows

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.redis import Leaderboard, RateWindows
    from shared.reconciliation.postgresql import Reconciliations


STRAGGLER_SECONDS = 1.0
PAGE = 5000
_log = get_logger(__name__)


def rebuild_leaderboard(
    leaderboard: Leaderboard, reconciliations: Reconciliations, windows: RateWindows, pipeline: Pipeline, hidden: HiddenPlayers
) -> dict[str, Any]:
    """Once the ledger has everything that was accepted; a whole board is left alone. Raises LedgerBehind.

    An update that was accepted just before may still be on its way to the broker, in a process that will have its confirm in a
    moment: that moment is waited for, and the marker is sent after it.
    """
    if leaderboard.is_whole():
        return {"rebuilt": False, "players": 0}
    pipeline.clock.sleep(STRAGGLER_SECONDS)
    catch_up(pipeline)
    restore_windows(windows, pipeline.ledger, pipeline.clock)
    players = leaderboard.rebuild(pages(reconciliations), hidden.pages_of_main())
    windows.windows_restored()
    open_epoch(leaderboard, pipeline.ledger)
    show_viewers(pipeline, players)
    _log.warning("leaderboard rebuilt from the ledger", extra={"players": players})
    return {"rebuilt": True, "players": players}


def rebuild_shard(leaderboard: Leaderboard, windows: RateWindows, pipeline: Pipeline, boards: BoardStores) -> bool:
    """The same for a further shard, which has no leaderboard: its boards are filled afterwards. False for one that is whole."""
    if leaderboard.is_whole():
        return False
    pipeline.clock.sleep(STRAGGLER_SECONDS)
    catch_up(pipeline)
    restore_windows(windows, pipeline.ledger, pipeline.clock, windows_of(boards))
    leaderboard.open()
    windows.windows_restored()
    open_epoch(leaderboard, pipeline.ledger)
    _log.warning("a shard is open for boards", extra={"shard": pipeline.ledger.shard})
    return True


def windows_of(boards: BoardStores) -> Callable[[str], bool]:
    """Whether a rate window is one of these boards."""
    here = {board.board_id for board in boards.boards.list()}
    return lambda window: window.partition(" ")[2] in here


def pages(reconciliations: Reconciliations) -> Iterator[dict[str, int]]:
    """What the whole board should say, page by page, hidden players included."""
    page, after = reconciliations.points_after("", PAGE)
    yield page
    while after:
        page, after = reconciliations.points_after(after, PAGE)
        yield page


def show_viewers(pipeline: Pipeline, players: int, boards: Collection[str] = ()) -> None:
    """Have boards broadcast on which so many places were repaired, `main` unless others are named."""
    if players:
        with suppress(RabbitUnavailable):
            pipeline.publisher.publish_recorded(ScoresRecorded(players, pipeline.clock.now(), boards=tuple(sorted(boards))))
