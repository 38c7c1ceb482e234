"""Compare the leaderboard with the ledger at a number, while updates go on, and repair it by differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from shared.boards.board import MAIN
from shared.boards.open_epoch import open_epoch
from shared.boards.settle_places import settle_places
from shared.core import metrics
from shared.core.errors import InvalidParameter, LeaderboardRebuilding, RedisUnavailable
from shared.core.logs import get_logger
from shared.core.redis_shards import FIRST
from shared.ledger.catch_up import Pipeline, catch_up_to
from shared.ledger.events import Number
from shared.reconciliation.model import Discrepancy, Finding, Reading, ReconciliationRun, Sweep
from shared.reconciliation.rebuild_leaderboard import PAGE, rebuild_leaderboard, show_viewers
from shared.reconciliation.reconcile_boards import BoardOutcome, BoardRun, reconcile_boards

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.boards.fill_boards import BoardStores
    from shared.boards.redis import Leaderboard, RateWindows
    from shared.reconciliation.moderation_postgresql import ModeratedScores
    from shared.reconciliation.postgresql import Reconciliations
    from shared.reconciliation.redis import BoardCheck
    from shared.reconciliation.standings_postgresql import SeasonBooks
    from shared.reconciliation.standings_redis import SeasonCheck


SWEPT = 1000
MAX_DETAILS = 100
MAX_TRIES = 5
MAX_LOWERED_PLAYERS, MAX_LOWERED_POINTS = 100, 10_000
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a run needs in a shard: `main` with what is kept beside it, the other boards, the ledger, and the way between them. In
    a further shard there is no `main`: its keys have the marks alone.

    Repairs that would lower the scores of more players than `max_players`, or by more than `max_points` in all, are not made.
    """

    leaderboard: Leaderboard
    board_check: BoardCheck
    reconciliations: Reconciliations
    windows: RateWindows
    pipeline: Pipeline
    users: Users
    boards: BoardStores
    season_check: SeasonCheck
    season_books: SeasonBooks
    moderated_scores: ModeratedScores
    max_players: int = MAX_LOWERED_PLAYERS
    max_points: int = MAX_LOWERED_POINTS
    shard: str = FIRST

    @property
    def has_main(self) -> bool:
        """Whether this is the first shard."""
        return self.shard == FIRST


@dataclass(frozen=True, slots=True)
class ReconciliationOptions:
    """What an admin may choose."""

    dry_run: bool = False
    full: bool = False
    beyond_bounds: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> ReconciliationOptions:
        """Read `{"dryRun"?: bool, "full"?: bool, "beyondBounds"?: bool}`, false if absent; raises InvalidParameter."""
        values = {name: body.get(name, False) for name in ("dryRun", "full", "beyondBounds")}
        wrong = [f"`{name}`" for name, value in values.items() if type(value) is not bool]
        if wrong:
            raise InvalidParameter(f"{' and '.join(wrong)} must be true or false.")
        return cls(values["dryRun"], values["full"], values["beyondBounds"])

    def as_json(self) -> dict[str, Any]:
        """As it was read."""
        return {"dryRun": self.dry_run, "full": self.full, "beyondBounds": self.beyond_bounds}


def reconcile_scores(
    stores: Reconciliation, options: ReconciliationOptions, further: Sequence[Reconciliation] = ()
) -> dict[str, Any]:
    """Find who is out of order, repair them unless it is a dry run, and return a summary; raises ReconciliationRunning.

    The boards of `further` shards are compared in the same run; one that is away, or not whole, is named in the summary.

    Compared are all players whose total changed since the last run, those who are suspected, those who are or should be
    hidden, and a part of all others: the run after goes on where this one stopped, so that a board
    of up to 1,000 players is compared whole each time and a larger one in as many runs as it has thousands. `full` compares
    everybody now.

    Scores are read together with the number of the newest update in them and compared with the ledger up to that number, when it
    has caught up. A repair adds the difference, so it is right whatever came since.

    Points are taken off the board only when it is proved that they were never accepted: every update up to that number is in the
    ledger, or noted there as refused. Otherwise, and beyond the bounds, they stay, and an alarm is raised.
    """
    if not stores.leaderboard.is_whole():
        rebuilt = rebuild_leaderboard(
            stores.leaderboard, stores.reconciliations, stores.windows, stores.pipeline, stores.boards.hidden
        )
        return {**_summary(0, 0, 0, options), **rebuilt, "discrepancies": []}
    with stores.reconciliations.alone() as run_number:
        return _reconcile(stores, options, run_number, further)


def _reconcile(
    stores: Reconciliation, options: ReconciliationOptions, run_number: int, further: Sequence[Reconciliation]
) -> dict[str, Any]:
    open_epoch(stores.leaderboard, stores.pipeline.ledger)
    started_at, mark = stores.pipeline.clock.now(), stores.board_check.mark(run_number)
    span = stores.reconciliations.begin()
    start = Sweep() if options.full else stores.board_check.sweep()
    comparison = _Comparison(stores)
    following = comparison.everybody() if options.full else comparison.sweep(start)
    if start != Sweep() or following != Sweep():
        comparison.changed(span.since)
    comparison.hidden()
    suspects = comparison.suspected()
    found = _with_missing_points(comparison.differing(), stores)
    reason, withheld = _not_lowered(found, comparison, stores, options)
    repairs, left = [entry for entry in found if entry not in withheld], withheld
    board_run = BoardRun(run_number, mark, options.dry_run, options.full, options.beyond_bounds)
    boards = reconcile_boards(stores, board_run, suspects)
    away = _reconcile_further(further, board_run, boards)
    if not options.dry_run:
        repairs = _restored(repairs, stores, run_number)
        _repair(repairs, mark, stores, run_number)
        show_viewers(stores.pipeline, len(repairs))
        show_viewers(stores.pipeline, len(boards.repaired), {entry.season.board.board_id for entry in boards.repaired})
        left = [entry for entry in found if entry not in repairs]
        stores.board_check.clear(suspects.difference(entry.user_id for entry in chain[Finding](left, boards.left)))
        stores.board_check.save_sweep(following)
        stores.leaderboard.suspect(boards.suspects)
    everything: list[Finding] = [*found, *boards.found]
    run = ReconciliationRun(span.opened, started_at, options.dry_run, options.full, comparison.checked, everything)
    repaired = len(repairs) + (0 if options.dry_run else len(boards.repaired))
    summary = _summary(comparison.checked, len(everything), repaired, options)
    summary |= {"runId": stores.reconciliations.save(run), "leftForTheNextRun": len(left) + len(boards.left)}
    if boards.compared:
        summary["boards"] = boards.as_json()
    if away:
        summary["shardsAway"] = away
    metrics.reconciliation_runs.of(_text(options.dry_run)).inc()
    metrics.discrepancies.of(_text(not options.dry_run)).inc(len(everything) - len(left) - len(boards.left))
    metrics.lowerings_withheld.inc(len(withheld) + boards.withheld)
    if withheld:
        summary["leftBecause"] = reason
        _log.error("points stay on the board that the ledger does not have", extra={"players": len(withheld), "reason": reason})
    _log.info("reconciled", extra=summary)
    return {**summary, "discrepancies": [_as_json(entry) for entry in everything[:MAX_DETAILS]]}


def _reconcile_further(shards: Sequence[Reconciliation], run: BoardRun, outcome: BoardOutcome) -> list[str]:
    """Add what is found in further shards to the outcome; answers which of them could not be looked at."""
    away = []
    for shard in shards:
        try:
            open_epoch(shard.leaderboard, shard.pipeline.ledger)
            suspects = shard.board_check.suspects()
            found = reconcile_boards(shard, replace(run, mark=shard.board_check.mark(run.number)), suspects)
            if not run.dry_run:
                shard.board_check.clear(suspects.difference(entry.user_id for entry in found.left))
                shard.leaderboard.suspect(found.suspects)
        except (RedisUnavailable, LeaderboardRebuilding) as error:
            _log.warning("the boards of a shard are not compared", extra={"shard": shard.shard, "reason": error.code})
            away.append(shard.shard)
            continue
        outcome.add(found)
    return away


class _Comparison:
    """Compares both sides a page at a time, each at the number that the page of the board was read at.

    `is_proved` turns false when the ledger did not get as far as such a number.
    """

    def __init__(self, stores: Reconciliation) -> None:
        self._stores = stores
        self._found: dict[str, Discrepancy] = {}
        self.checked = 0
        self.is_proved = True

    def differing(self) -> list[Discrepancy]:
        """What was found, in the order of user ids."""
        return [self._found[user_id] for user_id in sorted(self._found)]

    def suspected(self) -> set[str]:
        """Compare the players who are suspected; returns them."""
        suspects = self._stores.board_check.suspects()
        self._compare(sorted(suspects))
        return suspects

    def changed(self, since: int) -> None:
        """Those whose total changed in the epoch `since` or later."""
        for user_ids in self._stores.reconciliations.changed(since):
            self._compare(user_ids)
            self.checked += len(user_ids)

    def hidden(self) -> None:
        """Who is to be hidden, and who is hidden, whatever the ledger says."""
        for user_ids in self._stores.boards.hidden.pages_of_main():
            self._compare(user_ids)
        for names in self._stores.board_check.hidden():
            self._compare(names)

    def sweep(self, start: Sweep) -> Sweep:
        """A part of everybody: through the ledger, and through the board for whom the ledger does not know."""
        return Sweep(self._ledger_step(start.ledger_after, SWEPT), self._board_step(start.board_cursor, SWEPT))

    def everybody(self) -> Sweep:
        """The same from the beginning to the end."""
        after = self._ledger_step("", PAGE)
        while after:
            after = self._ledger_step(after, PAGE)
        cursor = self._board_step(0, PAGE)
        while cursor:
            cursor = self._board_step(cursor, PAGE)
        return Sweep()

    def _ledger_step(self, after: str, limit: int) -> str:
        user_ids = self._stores.reconciliations.users_after(after, limit)
        self._compare(user_ids)
        self.checked += len(user_ids)
        return user_ids[-1] if len(user_ids) == limit else ""

    def _board_step(self, cursor: int, count: int) -> int:
        following, names = self._stores.board_check.scan(cursor, count)
        self._compare(self._stores.reconciliations.unknown(names))
        return following

    def _compare(self, user_ids: Sequence[str]) -> None:
        found = self._differing(user_ids)
        # An account is made, or changed, before its place on the board: one that has none yet may just be registering.
        early = {entry.user_id for entry in found if entry.board_score is None or entry.is_misplaced}
        if early:
            found = [entry for entry in found if entry.user_id not in early] + self._differing(sorted(early))
        for user_id in user_ids:
            self._found.pop(user_id, None)
        self._found |= {entry.user_id: entry for entry in found}

    def _differing(self, user_ids: Sequence[str]) -> list[Discrepancy]:
        if not user_ids:
            return []
        board, number = self._read(user_ids)
        patience = self._stores.pipeline if self.is_proved else replace(self._stores.pipeline, catch_up_seconds=0)
        self.is_proved = catch_up_to(number, patience) and self.is_proved
        ledger = self._stores.reconciliations.points_at(user_ids, number)
        hidden = self._stores.boards.hidden.on_main(list(ledger))
        compared = [
            Discrepancy(
                user_id,
                ledger.get(user_id),
                board.score(user_id),
                is_misplaced=board.is_misplaced(user_id, is_hidden=user_id in hidden),
            )
            for user_id in user_ids
        ]
        return [entry for entry in compared if entry.ledger_total != entry.board_score or entry.is_misplaced]

    def _read(self, user_ids: Sequence[str]) -> tuple[Reading, Number]:
        for _ in range(MAX_TRIES):
            reading: Reading = self._stores.board_check.read(user_ids)
            if reading.number is not None:
                return reading, reading.number
            open_epoch(self._stores.leaderboard, self._stores.pipeline.ledger)
        raise LeaderboardRebuilding


def _with_missing_points(entries: Sequence[Discrepancy], stores: Reconciliation) -> list[Discrepancy]:
    """Where the board says more than the ledger, the audit log may know what the ledger lost."""
    poorer = [entry.user_id for entry in entries if entry.difference < 0 and not entry.is_invented]
    missing = stores.reconciliations.missing(poorer) if poorer else {}
    return [replace(entry, missing_points=missing.get(entry.user_id, 0)) for entry in entries]


def _not_lowered(
    found: Sequence[Discrepancy], comparison: _Comparison, stores: Reconciliation, options: ReconciliationOptions
) -> tuple[str, list[Discrepancy]]:
    """Whose points may not be taken off the board, and why; what a moderator decided is proved by that."""
    lowered = [entry for entry in found if entry.is_lowering]
    if not lowered:
        return "", []
    if not comparison.is_proved:
        return "accepted updates are not accounted for yet: see `balance`", lowered
    decided = {each.user_id for each in stores.moderated_scores.unsettled() if each.board_id == MAIN.board_id}
    lowered = [entry for entry in lowered if entry.user_id not in decided]
    points = -sum(entry.difference for entry in lowered)
    if not options.beyond_bounds and (len(lowered) > stores.max_players or points > stores.max_points):
        reason = f"{points} points of {len(lowered)} players are beyond the bounds: look at them, then run it with beyondBounds"
        return reason, lowered
    return "", []


def _restored(found: Sequence[Discrepancy], stores: Reconciliation, run_number: int) -> list[Discrepancy]:
    """All whose repair is right once the ledger has its own updates back; those whose updates it refuses are left as they are."""
    incomplete = [entry.user_id for entry in found if entry.missing_points]
    restored = stores.reconciliations.restore(incomplete, run_number) if incomplete else {}
    return [entry for entry in found if not entry.missing_points or entry.user_id in restored]


def _repair(found: Sequence[Discrepancy], mark: str, stores: Reconciliation, run_number: int) -> None:
    """Audited before it is done. Each step sees that no other run has begun: the same difference must not be added twice."""
    if not found:
        return
    stores.reconciliations.audit_repairs(found, run_number)
    misplaced = [entry.user_id for entry in found if entry.is_misplaced and not entry.is_invented]
    settle_places(misplaced, stores.leaderboard, stores.boards.hidden, enters=False)
    changes = {entry.user_id: None if entry.is_invented else entry.difference for entry in found}
    stores.board_check.repair(changes, mark, run_number, hidden=stores.boards.hidden.on_main(list(changes)))


def _summary(checked: int, found: int, repaired: int, options: ReconciliationOptions) -> dict[str, Any]:
    return {
        "dryRun": options.dry_run,
        "checked": checked,
        "found": found,
        "repaired": 0 if options.dry_run else repaired,
        "rebuilt": False,
    }


def _as_json(entry: Finding) -> dict[str, Any]:
    return {"userId": entry.user_id, **entry.as_json()}


def _text(flag: bool) -> str:
    return "true" if flag else "false"
