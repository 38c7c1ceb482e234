"""Players stand on the boards, or hidden beside them: while their accounts are disabled, or a moderator has hidden them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from shared.boards.enter_board import E, enter_board
from shared.core.clock import Clock
from shared.ledger.ask_for_broadcast import ask_for_every_broadcast
from shared.ledger.ports import EventPublisher
from shared.stores.everywhere import everywhere

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.redis import Leaderboard
    from shared.boards.states_redis import HeldBoard


T = TypeVar("T")


def settle_places(user_ids: Sequence[str], leaderboard: Leaderboard, hidden: HiddenPlayers, *, enters: bool = True) -> int:
    """Show or hide each of these players on `main` as the ledger says; returns how many moved, each in one step with their score.

    Hidden players who are nowhere enter beside the board with its first score, unless `enters` is false.
    """

    def move(found: set[str]) -> int:
        return leaderboard.hide(list(found), enters=enters) + leaderboard.show(list(set(user_ids) - found))

    return settle(lambda: hidden.on_main(user_ids), move) if user_ids else 0


def settle_board_places(user_ids: Sequence[str], boards: BoardStores) -> int:
    """The same in the seasons of all other boards that the shard holds; returns how often somebody moved."""
    return _settle_on(_held(boards), user_ids, boards) if user_ids else 0


def settle_hidden(boards: BoardStores) -> int:
    """The same for all who are hidden on a board, whatever the ledger says."""
    held = _held(boards)
    return _settle_on(held, [name for name in boards.states.hidden(held) if name.isprintable()], boards)


def _held(boards: BoardStores) -> list[HeldBoard]:
    return list(boards.states.load_all([board.board_id for board in boards.boards.list()]).values())


def _settle_on(held: Sequence[HeldBoard], user_ids: Sequence[str], boards: BoardStores) -> int:
    board_ids = [board.state.definition.board_id for board in held]

    def move(found: Mapping[str, set[str]]) -> int:
        moved = 0
        for board_id, board in zip(board_ids, held, strict=True):
            moved += boards.states.place("hide", [board], list(found[board_id]))
            moved += boards.states.place("show", [board], list(set(user_ids) - found[board_id]))
        return moved

    return settle(lambda: boards.hidden.on(board_ids, user_ids), move) if held and user_ids else 0


def settle(find_hidden: Callable[[], T], move: Callable[[T], int]) -> int:
    """Move players until what says who is hidden stays as it was read; returns what `move` counted.

    Of two changes at the same time the earlier one may come to the board last; so whoever moved somebody looks again whether
    that was the last word, and moves once more if it was not.
    """
    moved, settled = 0, None
    while (found := find_hidden()) != settled:
        moved += move(found)
        settled = found
    return moved


def take_places(
    accounts: Sequence[E], leaderboard: Leaderboard, boards: Sequence[BoardStores], publisher: EventPublisher, clock: Clock
) -> Sequence[E]:
    """Have accounts that were changed stand where they belong, and all who watch see it; returns the accounts.

    While the broker is away they see it with the next change.
    """
    move_players([account.user_id for account in accounts], leaderboard, boards)
    for account in accounts:
        enter_board(account, leaderboard)
    ask_for_every_broadcast(publisher, clock)
    return accounts


def move_players(user_ids: Sequence[str], leaderboard: Leaderboard, boards: Sequence[BoardStores]) -> None:
    """Have players stand where they belong, on every board: `boards` are those of each shard."""
    settle_places(user_ids, leaderboard, boards[0].hidden)
    everywhere(boards, lambda shard: settle_board_places(user_ids, shard))
