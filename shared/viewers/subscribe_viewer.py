"""Have a connection watch a board."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.boards.read_rows import MAX_TRIES, BoardReading, period_of
from shared.boards.season import BoardState
from shared.core.errors import (
    InvalidParameter,
    LeaderboardRebuilding,
    MissingToken,
    TooManyRequests,
    UnknownBoard,
    ViewersUnavailable,
)
from shared.viewers.frame import compact
from shared.viewers.read_views import ViewsWanted, read_views
from shared.viewers.view import MAX_SUBSCRIPTIONS, MAX_TOP, View

if TYPE_CHECKING:
    from shared.viewers.views_redis import BoardViews


MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Watcher:
    """A connection: whether it came with a token, and the ids under which it watches something."""

    has_token: bool
    subscriptions: Collection[str]


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Watch the first `top` rows of a board; the period is the board's first one unless another is named."""

    message_id: str
    board_id: str
    period: str
    top: int

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> Subscribe:
        """Read `{"id", "board", "period"?, "view": {"top": n}}`, other members are ignored; raises InvalidParameter."""
        board_id, period, view = members.get("board"), members.get("period", ""), members.get("view")
        if not isinstance(board_id, str) or not isinstance(period, str):
            raise InvalidParameter("`board` and `period` must be strings.")
        top = view.get("top") if isinstance(view, dict) else None
        if not isinstance(top, int) or isinstance(top, bool) or not 1 <= top <= MAX_TOP:
            raise InvalidParameter(f'`view` must be {{"top": n}}, with an integer from 1 to {MAX_TOP}.')
        return cls(id_of(members), board_id, period, top)


def id_of(members: Mapping[str, Any]) -> str:
    """By which answers name the message, and `unsubscribe` the subscription; raises InvalidParameter."""
    message_id = members.get("id")
    if not isinstance(message_id, str) or not 1 <= len(message_id) <= MAX_ID:
        raise InvalidParameter(f"`id` must be a string of 1 to {MAX_ID} characters.")
    return message_id


def subscribe_viewer(command: Subscribe, watcher: Watcher, reading: BoardReading, views: BoardViews | None) -> tuple[View, str]:
    """The view that is watched from now on, and the board as it is, to be sent before all frames of the view.

    Raises TooManyRequests, InvalidParameter, UnknownBoard, LeaderboardRebuilding, ViewersUnavailable where boards are not live,
    and MissingToken: a connection without a token watches public boards only, and is not told which others there are.
    """
    if views is None:
        raise ViewersUnavailable("Nothing is subscribed to here: `main` is sent without. Ask GET /api/boards/{board}/scores.")
    if len({*watcher.subscriptions, command.message_id}) > MAX_SUBSCRIPTIONS:
        raise TooManyRequests(f"A connection watches at most {MAX_SUBSCRIPTIONS} boards. Unsubscribe from one before.")
    view = View(command.board_id, command.period, command.top, is_public=False)

    def wanted(state: BoardState) -> ViewsWanted:
        nonlocal view
        is_public = state.definition.is_public
        if not is_public and not watcher.has_token:
            raise MissingToken
        # Whoever has a token goes on watching when it is public no more.
        is_guests = is_public and not watcher.has_token
        view = View(command.board_id, period_of(state, command.period), command.top, is_guests)
        return ViewsWanted({view.period: view.top}, view)

    for _ in range(MAX_TRIES):
        try:
            frames = read_views(command.board_id, wanted, reading, views)
        except UnknownBoard:
            if not watcher.has_token:
                raise MissingToken from None
            raise
        if version := views.shown(view, frames):
            return view, replace(frames, version=version).text(view, command.message_id)
    raise LeaderboardRebuilding


def unsubscribe_viewer(members: Mapping[str, Any], watcher: Watcher) -> tuple[str, str]:
    """The id of the subscription that is over, and what says so; raises InvalidParameter."""
    message_id = id_of(members)
    if message_id not in watcher.subscriptions:
        raise InvalidParameter("Nothing is subscribed under this `id`.")
    return message_id, compact({"type": "unsubscribed", "id": message_id})
