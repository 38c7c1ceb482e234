"""Move a board to another shard while players enter, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shared.boards.board import MAIN
from shared.boards.board_shards import Named
from shared.boards.fill_boards import put_from_ledger
from shared.boards.open_epoch import open_epoch
from shared.boards.settle_places import settle_board_places
from shared.core.errors import BoardBusy, InvalidBoard, LeaderboardRebuilding, Unavailable, UnknownBoard
from shared.core.logs import get_logger
from shared.ledger.catch_up import Pipeline, catch_up
from shared.reconciliation.rebuild_leaderboard import show_viewers
from shared.reconciliation.restore_windows import restore_windows
from shared.stores.actor import Actor

if TYPE_CHECKING:
    from shared.boards.board_shards import BoardShards
    from shared.boards.fill_boards import BoardStores
    from shared.boards.postgresql import Boards, Turn
    from shared.boards.redis import Leaderboard, RateWindows
    from shared.boards.states_redis import BoardStates, Left
    from shared.ledger.postgresql import Ledger
    from shared.reconciliation.reconcile_scores import Reconciliation


MAX_TRIES = 5
SCOREBOARD = Actor("scoreboard")
_log = get_logger(__name__)


class Movable(Named, Protocol):
    """A shard, with what a move needs there."""

    @property
    def leaderboard(self) -> Leaderboard:
        """The marks."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What was recorded."""
        ...

    @property
    def rate_windows(self) -> RateWindows:
        """What is kept of the latest entries."""
        ...

    @property
    def board_stores(self) -> BoardStores:
        """The boards."""
        ...

    @property
    def pipeline(self) -> Pipeline:
        """To the ledger."""
        ...

    @property
    def reconciliation(self) -> Reconciliation:
        """Whose places may have changed."""
        ...


S = TypeVar("S", bound=Movable)


def move_board(board_id: str, to: str, actor: Actor, shards: BoardShards[S], boards: Boards) -> dict[str, Any]:
    """`{"board", "shard", "moved"}`: the board is in that shard, and was moved there unless it was there before.

    First nobody is let in: the database says that the board is on its way, and the shard that it leaves knows it, in one step
    with its last entry. Then the ledger gets everything that was accepted there, and the board is filled from it where it goes,
    with rate windows, spent tickets and the first results of idempotency keys; what is entered there is numbered in a new epoch,
    above all that the board has. Last the database says that it is there. Until then entries and readers are answered 503.

    Whatever dies on the way, the same again goes on from where it was, or to another shard, or back; go_on_moving does it, too.

    Raises UnknownBoard, InvalidBoard for `main` and for a shard that there is not, BoardBusy, LeaderboardRebuilding while the
    other shard is not whole, LedgerBehind, and RedisUnavailable when one of the two shards is away.
    """
    if board_id == MAIN.board_id:
        raise InvalidBoard(f"`{MAIN.board_id}` is the specification's board, which stays in the first shard.")
    target = shards.named(to)
    with boards.turn_to_move(board_id) as turn:
        placed = boards.placed(board_id)
        if (placed.shard, placed.moving_to) == (to, None):
            return {"board": board_id, "shard": to, "moved": False}
        source = shards.named(placed.shard)
        began = target.pipeline.clock.monotonic()
        mark = target.board_stores.states.mark()
        catch_up(source.pipeline)  # so that there is little left to wait for when nobody is let in
        boards.begin_move(board_id, to)
        left = _leave(source.board_stores.states, board_id, to, turn, boards)
        there = left if source is target else _leave(target.board_stores.states, board_id, to, turn, boards)
        if left.held is not None:
            seasons = [*left.held.state.open_seasons, *left.held.ended]
            source.board_stores.seasons.note({board_id: seasons})
        catch_up(source.pipeline)
        _restore_kept(board_id, target)
        target.leaderboard.close_epoch()
        open_epoch(target.leaderboard, target.ledger)
        definition = boards.placed(board_id).definition
        if not put_from_ledger(definition, target.board_stores, there.version, mark, left.resets):
            raise LeaderboardRebuilding
        if not boards.finish_move(board_id, placed.shard, to, actor, turn):
            raise BoardBusy
    shards.found_again(board_id)
    changed = [profile.user_id for profile in target.reconciliation.users.changed_of_late()]
    settle_board_places(changed, target.board_stores)
    show_viewers(target.pipeline, 1, [board_id])
    seconds = round(target.pipeline.clock.monotonic() - began, 3)
    _log.warning("a board was moved", extra={"board": board_id, "from": placed.shard, "to": to, "seconds": seconds})
    return {"board": board_id, "shard": to, "moved": True}


def go_on_moving(shards: BoardShards[S], boards: Boards) -> None:
    """Have boards come to the shards that they are on their way to, where whoever began it has died."""
    for board_id, shard in boards.moving():
        try:
            move_board(board_id, shard, SCOREBOARD, shards, boards)
        except BoardBusy:
            continue
        except (Unavailable, UnknownBoard, InvalidBoard) as error:
            _log.warning("a board is still on its way", extra={"board": board_id, "to": shard, "reason": error.detail})


def _leave(states: BoardStates, board_id: str, to: str, turn: Turn, boards: Boards) -> Left:
    """What the shard knew. Only while nobody else moves the board: it may have come back meanwhile."""
    for _ in range(MAX_TRIES):
        version = states.version(board_id)
        if not boards.lasts(turn):
            raise BoardBusy
        left = states.leave(board_id, version, to)
        if left is not None:
            return left
    raise LeaderboardRebuilding


def _restore_kept(board_id: str, target: Movable) -> None:
    """What the other shard kept of the latest entries on the board."""

    def is_of_the_board(window: str) -> bool:
        return window.partition(" ")[2] == board_id

    restore_windows(target.rate_windows, target.ledger, target.pipeline.clock, is_of_the_board)
    for results in target.ledger.first_results(board_id):
        target.leaderboard.remember(results)
