"""Hide players on a board, or on all of them, and show them again; see what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shared.accounts.find_users import name_users
from shared.accounts.take_effect import LiveAccounts, spread_profiles
from shared.boards.board import MAIN
from shared.boards.moderation import Moderate, ModerationEntry
from shared.boards.settle_places import move_players
from shared.core.cursor import MAX_ID, make_cursor, read_cursor
from shared.core.errors import InvalidParameter
from shared.ledger.ask_for_broadcast import ask_for_every_broadcast
from shared.ledger.events import EVERY_BOARD
from shared.ledger.ports import EventPublisher
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.moderation_postgresql import Moderations
    from shared.boards.redis import Leaderboard


DEFAULT_LIMIT, MAX_LIMIT = 20, 100
SHOWN = 20


class Boards(LiveAccounts, Protocol):
    """Accounts, and where they play."""

    @property
    def moderations(self) -> Moderations:
        """What was decided."""
        ...

    @property
    def board_stores(self) -> BoardStores:
        """Boards beside `main`."""
        ...

    @property
    def every_board_stores(self) -> Sequence[BoardStores]:
        """The same in each shard."""
        ...

    @property
    def leaderboard(self) -> Leaderboard:
        """`main`."""
        ...

    @property
    def publisher(self) -> EventPublisher:
        """To those who watch."""
        ...


def moderate_players(command: Moderate, actor: Actor, boards: Boards, attempt: Attempt = not_kept) -> dict[str, Any]:
    """Write the decision down and have it count at once, on every board that it is about and for all who watch.

    About one player: `{"entry", "changed"}`. About several: `{"preview", "players", "first"}`, how many they are and
    the first 20; with `preview` nobody else learns of it.

    When Redis is away it is committed all the same: sent again it is made known, and players are moved within a minute otherwise.
    Raises UnknownBoard, UnknownUser, UnknownDecision, AlreadyUndone, TooManyPlayers and InvalidParameter.
    """
    see_that_there_is(command.board_id, boards)
    if command.players is not None:
        found = boards.moderations.find(command, command.players)
        told = {"preview": command.preview, "players": len(found), "first": [each.as_json() for each in found[:SHOWN]]}
        if not command.preview:
            user_ids = [each.user_id for each in found]
            _, changed = boards.moderations.decide(command, user_ids, actor, lambda _, __: attempt(told))
            take_moderation(sorted(changed), boards)
        return told
    user_id = command.user_id
    if command.action == "undo":
        undone = boards.moderations.entry(command.board_id, command.entry_id)
        if undone.action not in ("hide", "show"):
            raise InvalidParameter("What is undone must have hidden or shown a player.")
        user_id = undone.user_id

    def answered(entries: Sequence[ModerationEntry], changed: set[str]) -> dict[str, Any]:
        return {"entry": entries[0].as_json(), "changed": bool(changed)}

    entries, changed = boards.moderations.decide(command, [user_id], actor, lambda *made: attempt(answered(*made)))
    take_moderation([user_id], boards)
    return answered(entries, changed)


def take_moderation_again(command: Moderate, boards: Boards) -> None:
    """The same for a decision that was written down: whoever did it may have died before the other stores learnt of it."""
    if command.players is not None and not command.preview:
        take_moderation(sorted(boards.moderations.among(command.players)), boards)
    elif command.entry_id:
        take_moderation([boards.moderations.entry(command.board_id, command.entry_id).user_id], boards)
    elif command.user_id:
        take_moderation([command.user_id], boards)


def take_moderation(user_ids: Sequence[str], boards: Boards) -> None:
    """Have players stand where the decisions about them say, and all who watch see it."""
    if user_ids:
        spread_profiles(user_ids, boards)
        move_players(user_ids, boards.leaderboard, boards.every_board_stores)
        ask_for_every_broadcast(boards.publisher, boards.clock)


def list_moderation(board_id: str, user_id: str, cursor: str, limit: int, boards: Boards) -> dict[str, Any]:
    """`{"data": [...], "nextCursor", "usernames", "hiddenOn"}`, newest first: decisions about a board, or about every one.

    Of one player unless `user_id` is "": then `hiddenOn` is null, otherwise where they are hidden. Raises UnknownBoard and
    InvalidParameter.
    """
    see_that_there_is(board_id, boards)
    before = read_cursor(cursor)
    entries = boards.moderations.page(board_id, user_id, MAX_ID if before is None else before, limit + 1)
    page = entries[:limit]
    return {
        "data": [entry.as_json() for entry in page],
        "nextCursor": make_cursor(page[-1].entry_id) if len(entries) > limit else None,
        "usernames": name_users({name for entry in page for name in (entry.user_id, entry.moderator)}, boards.users),
        "hiddenOn": boards.moderations.hidden_on(user_id) if user_id else None,
    }


def see_that_there_is(board_id: str, boards: Boards) -> None:
    """Raise UnknownBoard for one that nobody has defined."""
    if board_id not in (EVERY_BOARD, MAIN.board_id):
        boards.board_stores.boards.get(board_id)
