"""Give Redis back what it lost of the latest updates: rate windows, spent tickets, and first results of idempotency keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.core.clock import Clock
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.boards.redis import Leaderboard, RateWindows
    from shared.ledger.postgresql import Ledger


_log = get_logger(__name__)


def restore_windows(
    windows: RateWindows, ledger: Ledger, clock: Clock, is_kept: Callable[[str], bool] = lambda _: True
) -> set[str]:
    """What was accepted of late, as the ledger has it, and whose that is: call it when the ledger has caught up.

    `is_kept` chooses by the names of windows: those of `main` are user ids, others `<user id> <board id>`.
    """
    accepted = {name: each for name, each in ledger.accepted_since(clock.now() - windows.reach).items() if is_kept(name)}
    windows.restore(accepted)
    if accepted:
        _log.warning("rate windows restored from the ledger", extra={"players": len(accepted)})
    return {name.partition(" ")[0] for name in accepted}


def restore_results(windows: RateWindows, leaderboard: Leaderboard, ledger: Ledger) -> None:
    """The day's first results. Until all of them are here, and for a day after an upgrade, the ledger is asked for each key."""
    losses = windows.losses()
    if not losses.results or not ledger.knows_all_keys():
        return
    restored = 0
    for page in ledger.first_results():
        leaderboard.remember(page)
        restored += len(page)
    windows.results_restored(losses)
    _log.info("first results restored from the ledger", extra={"results": restored})
