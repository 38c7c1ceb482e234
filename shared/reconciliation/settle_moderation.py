"""Have Redis show what moderators decided about scores, as the ledger has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.boards.board import MAIN
from shared.boards.open_epoch import open_epoch
from shared.core.errors import LeaderboardRebuilding, ReconciliationRunning
from shared.core.logs import get_logger
from shared.ledger.catch_up import catch_up_to
from shared.reconciliation.rebuild_leaderboard import show_viewers
from shared.reconciliation.reconcile_boards import Comparison, held_seasons

if TYPE_CHECKING:
    from shared.boards.postgresql import PlacedBoard
    from shared.reconciliation.reconcile_scores import Reconciliation
    from shared.reconciliation.score_decision import Unsettled


TRIES = 10
TURN_SECONDS = 2.0  # for so long a run that is at work is waited for
_log = get_logger(__name__)


def settle_moderation(stores: Reconciliation, user_id: str = "") -> bool:
    """What was decided about a player, or about all, on boards of the shard, and what Redis does not show yet; answers whether it
    shows all of it now.

    The player is set to what the ledger says at a number, when it has caught up, if nothing has changed since: an entry that
    comes meanwhile makes it another try. That may be done by several at the same time, and beside a reconciliation. On `main`
    the difference is added, as a reconciliation does it, and never beside one.

    What is left over is tried again each minute: of a board that is being filled, of a player with an entry that the ledger
    refused and may still take, and while accepted entries are not accounted for. Whom each try met changed is left to a
    reconciliation, which adds differences.
    """
    unsettled = stores.moderated_scores.unsettled(user_id)
    if unsettled:
        places = stores.boards.boards.places()
        unsettled = [each for each in unsettled if _is_here(places.get(each.board_id), stores)]
    if not unsettled:
        return True
    on_main = sorted({each.user_id for each in unsettled if each.board_id == MAIN.board_id})
    on_boards = [each for each in unsettled if each.board_id != MAIN.board_id]
    try:
        left = {(MAIN.board_id, user_id) for user_id in _add_on_main(stores, on_main)} if on_main else set()
        left |= _set_on_boards(stores, on_boards) if on_boards else set()
    except LeaderboardRebuilding:
        return False
    settled = [each.moderation_id for each in unsettled if each[1:] not in left]
    if settled:
        stores.moderated_scores.settle(settled)
    if left:
        _log.warning("a decision about a score is not shown yet", extra={"players": len(left)})
    return not left


def _is_here(placed: PlacedBoard | None, stores: Reconciliation) -> bool:
    """In the first shard are `main` and, as far as anybody is concerned, deleted boards."""
    return stores.has_main if placed is None else stores.boards.boards.holds(placed)


def _add_on_main(stores: Reconciliation, user_ids: Sequence[str]) -> Sequence[str]:
    """Whose decisions are still not shown: of all while a reconciliation is at work, which may also do it."""
    clock = stores.pipeline.clock
    deadline = clock.monotonic() + TURN_SECONDS
    while True:
        try:
            with stores.reconciliations.alone() as run_number:
                return _add_differences(stores, user_ids, run_number)
        except ReconciliationRunning:
            if clock.monotonic() > deadline:
                return user_ids
            clock.sleep(TURN_SECONDS / 10)


def _add_differences(stores: Reconciliation, user_ids: Sequence[str], run_number: int) -> Sequence[str]:
    mark = stores.board_check.mark(run_number)
    open_epoch(stores.leaderboard, stores.pipeline.ledger)
    reading = stores.board_check.read(user_ids)
    if reading.number is None or not catch_up_to(reading.number, stores.pipeline):
        return user_ids
    expected = stores.reconciliations.points_at(user_ids, reading.number)
    differences = {}
    for user_id in user_ids:
        score = reading.score(user_id)
        if score is not None and user_id in expected:
            differences[user_id] = expected[user_id] - score
    changed = {user_id: difference for user_id, difference in differences.items() if difference}
    if changed:
        stores.board_check.repair(changed, mark, run_number)
        show_viewers(stores.pipeline, len(changed))
    return [user_id for user_id in user_ids if user_id not in differences]


def _set_on_boards(stores: Reconciliation, unsettled: Sequence[Unsettled]) -> set[tuple[str, str]]:
    """Of which board and player the decisions are still not shown."""
    wanted = {each[1:] for each in unsettled}
    mark = stores.board_check.present_mark()
    comparison = Comparison(stores)
    seasons = held_seasons(stores)
    for season in seasons:
        players = sorted(user_id for board_id, user_id in wanted if board_id == season.board.board_id)
        comparison.each([season], players)
    pending = comparison.confirmed()
    moved: set[str] = set()
    for _ in range(TRIES):
        if not pending or not comparison.is_proved:
            break
        stores.season_check.repair(pending, mark, None)
        moved.update(entry.season.board.board_id for entry in pending)
        pending = comparison.again(pending)
    show_viewers(stores.pipeline, len(moved), moved)
    if not comparison.is_proved:
        return wanted
    stores.leaderboard.suspect({entry.user_id for entry in pending})
    held = {season.board.board_id for season in seasons}
    lacking = {board.board_id for board in stores.boards.boards.list()} - held
    left = {(entry.season.board.board_id, entry.user_id) for entry in pending} | comparison.waiting
    return {each for each in wanted if each in left or each[0] in lacking}
