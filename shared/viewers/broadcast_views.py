"""Boards go to those who subscribed to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.boards.board import MAIN
from shared.boards.board_shards import Named
from shared.boards.read_rows import BoardReading, period_of
from shared.boards.season import BoardState
from shared.core.clock import Clock
from shared.core.errors import LeaderboardRebuilding, MissingToken, RedisUnavailable, ScoreboardError, UnknownBoard
from shared.core.invocation import note
from shared.ledger.ask_for_broadcast import ask_for_broadcast
from shared.ledger.events import EVERY_BOARD, ScoresRecorded
from shared.ledger.ports import EventPublisher
from shared.viewers.frame import compact
from shared.viewers.read_views import BoardFrames, MadeViews, ViewsWanted, read_views
from shared.viewers.view import View

if TYPE_CHECKING:
    from shared.boards.board_shards import BoardShards
    from shared.viewers.views_redis import BoardViews


class Readable(Named, Protocol):
    """A shard, and the reading of its boards."""

    @property
    def board_reading(self) -> BoardReading:
        """Places, and who may see them."""
        ...


R = TypeVar("R", bound=Readable)


def of_main(changes: Sequence[ScoresRecorded]) -> list[ScoresRecorded]:
    """Those that concern `main`."""
    return [each for each in changes if not each.boards or not {MAIN.board_id, EVERY_BOARD}.isdisjoint(each.boards)]


def boards_of(changes: Sequence[ScoresRecorded]) -> set[str]:
    """The ids of all boards that they concern, or EVERY_BOARD."""
    return {board_id for each in changes for board_id in each.boards or (MAIN.board_id,)}


def broadcast_views(
    changed: Collection[str], shards: BoardShards[R], views: BoardViews | None, publisher: EventPublisher, clock: Clock
) -> None:
    """Send the frames of all views of changed boards that somebody watches; where there was no time, another broadcast does.

    A board that is being filled, or moved, is left out: whoever does it says so. So is one in a further shard that is away.
    `views` is None where boards are not live.
    """
    if views is None:
        return
    watched = sorted(view for view in views.watched() if EVERY_BOARD in changed or view.board_id in changed)
    if not watched:
        return
    note(views=len(watched))
    boards = {board_id: list(its) for board_id, its in groupby(watched, lambda view: view.board_id)}
    if not views.broadcast(boards, lambda board_id, its: _make(board_id, its, shards, views)):
        ask_for_broadcast(publisher, clock, list(boards))


def _make(board_id: str, watched: Sequence[View], shards: BoardShards[R], views: BoardViews) -> MadeViews:
    ended: dict[View, ScoreboardError] = {}

    def wanted(state: BoardState) -> ViewsWanted:
        ended.clear()
        tops: dict[str, int] = {}
        for view in watched:
            try:
                _check(view, state)
                tops[view.period] = max(view.top, tops.get(view.period, 0))
            except ScoreboardError as error:
                ended[view] = error
        return ViewsWanted(tops)

    frames, is_first = None, True

    def read(shard: R) -> BoardFrames:
        nonlocal is_first
        is_first = shard is shards.first
        return read_views(board_id, wanted, shard.board_reading, views)

    try:
        frames = shards.at(board_id, read)
    except UnknownBoard as error:
        ended = dict.fromkeys(watched, error)
    except LeaderboardRebuilding:
        return MadeViews(None, (), {})
    except RedisUnavailable:
        if is_first:
            raise
        return MadeViews(None, (), {})
    told = {view: compact(error.as_message(board=board_id, period=view.period)) for view, error in ended.items()}
    return MadeViews(frames, [view for view in watched if view not in ended], told)


def _check(view: View, state: BoardState) -> None:
    """Whether it may still be watched; raises MissingToken, or InvalidParameter for a period that is no more."""
    if view.is_public and not state.definition.is_public:
        raise MissingToken
    period_of(state, view.period)
