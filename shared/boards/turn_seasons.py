"""Close the seasons that have ended, and have the next ones begin."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shared.boards.went_back import went_back
from shared.core.errors import LeaderboardRebuilding, ScoreboardError, UnknownBoard
from shared.core.logs import get_logger
from shared.ledger.catch_up import Pipeline, catch_up

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.known_boards import KnownBoards
    from shared.boards.states_redis import HeldBoard


_log = get_logger(__name__)


def turn_seasons(stores: BoardStores, known: KnownBoards, pipeline: Pipeline) -> dict[str, Any]:
    """Whatever a crash left half done is done; answers `{"boards": n, "closed": n}`. Raises LedgerBehind: try again.

    A season that cannot be closed holds up no other; why the first one could not is raised in the end.

    First every board is as it is now: from then on nothing is accepted in a season that is over. Then its number, start and end
    are written down, the ledger gets everything that was accepted by then, and the final ranks are written. Its keys leave Redis
    last: nobody reads there what is closed.
    """
    if not stores.states.is_whole():
        return {"boards": 0, "closed": 0}
    newest = stores.seasons.newest_open()
    now = stores.states.now()
    board_ids = _bring_up_to_date(stores, known, newest, now)
    held = stores.states.load_all(board_ids)
    stores.seasons.note({board_id: [*board.state.open_seasons, *board.ended] for board_id, board in held.items()})
    closed, failed = _close(stores, pipeline, now)
    _forget(stores, held)
    if failed:
        raise failed
    return {"boards": len(held), "closed": closed}


def _bring_up_to_date(stores: BoardStores, known: KnownBoards, newest: dict[tuple[str, str], int], now: int) -> Iterable[str]:
    """Every board in Redis has the definition that the ledger has, and is rolled to now; answers the ids of all of them."""
    definitions = {definition.board_id: definition for definition in stores.boards.list()}
    held = stores.states.load_all({*definitions, *stores.seasons.gone_boards()})
    for board_id in {*definitions, *held}:
        board = held.get(board_id)
        if board is not None and went_back(board_id, board, newest):
            # The ledger has entries of later seasons: it is filled again.
            _log.warning("Redis went back to an earlier season", extra={"board": board_id})
            stores.states.drop(board_id)
        elif board is not None and board.state.definition != definitions.get(board_id):
            with suppress(LeaderboardRebuilding):
                known.redefined(board_id)
        elif board is None or now >= board.state.until:
            with suppress(LeaderboardRebuilding, UnknownBoard):
                known.renewed(board_id, now)
    return definitions


def _close(stores: BoardStores, pipeline: Pipeline, now: int) -> tuple[int, ScoreboardError | None]:
    due = stores.seasons.due(now)
    if due:
        catch_up(pipeline)
    closed, failed = 0, None
    for season in due:
        told = {"board": season.board_id, "period": season.period, "season": season.number}
        began = pipeline.clock.monotonic()
        try:
            version = stores.seasons.close(season)
        except ScoreboardError as error:
            _log.warning("season not closed yet", extra={**told, "reason": error.code})
            failed = failed or error
            continue
        if version is not None:
            closed += 1
            seconds = round(pipeline.clock.monotonic() - began, 3)
            _log.info("season closed", extra={**told, "version": version, "seconds": seconds})
    return closed, failed


def _forget(stores: BoardStores, held: dict[str, HeldBoard]) -> None:
    for board_id, board in held.items():
        if board.ended:
            stores.states.forget(board_id, stores.seasons.closed(board_id, board.ended))
