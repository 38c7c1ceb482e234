"""Compare the boards beside `main` with the ledger, each player at a number, and repair them while entries go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.boards.open_epoch import open_epoch
from shared.core.errors import LeaderboardRebuilding
from shared.core.logs import get_logger
from shared.ledger.catch_up import catch_up_to
from shared.ledger.events import Number
from shared.reconciliation.model import is_possible
from shared.reconciliation.standings import NOTHING, BoardDiscrepancy, BoardSeason, Key, SeasonReading, SeasonSweep

if TYPE_CHECKING:
    from shared.reconciliation.reconcile_scores import Reconciliation


SWEPT, READ_AT_ONCE, HELD_AT_ONCE = 1000, 1000, 20_000
MAX_TRIES, ROUNDS = 5, 3
Player = tuple[str, bytes]
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BoardRun:
    """The run of which this is a part: its number, the mark of the shard when it began, and what was chosen."""

    number: int
    mark: str
    dry_run: bool
    full: bool
    beyond_bounds: bool


@dataclass(slots=True)
class BoardOutcome:
    """What a run found; those `left` are not repaired: for `reasons` by board, or, as `suspects`, because they changed with each
    look.
    """

    found: list[BoardDiscrepancy] = field(default_factory=list)
    repaired: list[BoardDiscrepancy] = field(default_factory=list)
    left: list[BoardDiscrepancy] = field(default_factory=list)
    suspects: set[str] = field(default_factory=set)
    withheld: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    compared: Counter[str] = field(default_factory=Counter)

    def add(self, other: BoardOutcome) -> None:
        """With what was found in another shard, whose suspects are noted there."""
        self.found += other.found
        self.repaired += other.repaired
        self.left += other.left
        self.withheld += other.withheld
        self.reasons |= other.reasons
        self.compared += other.compared

    def as_json(self) -> list[dict[str, Any]]:
        """A line for each board that was looked at."""
        found, repaired = (Counter(entry.season.board.board_id for entry in some) for some in (self.found, self.repaired))
        return [
            {"board": board, "compared": compared, "found": found[board], "repaired": repaired[board]}
            | ({"leftBecause": self.reasons[board]} if board in self.reasons else {})
            for board, compared in sorted(self.compared.items())
        ]


def reconcile_boards(stores: Reconciliation, run: BoardRun, suspects: Iterable[str]) -> BoardOutcome:
    """Every board that Redis holds, in each season whose keys it has.

    Compared are players who entered since the last run, suspects, those who are or should be hidden, and a part of all others,
    as on `main`; everybody in a season whose keys do not agree with each other, or lack players. Members and scores are read
    together with the number of the newest update, and held against what the ledger comes to at that number.

    A player who is found twice is repaired: by setting what the ledger says where nothing has changed since, by adding the
    difference where entries add up. Whom neither suits is looked at once more.
    """
    seasons = held_seasons(stores)
    comparison = Comparison(stores)
    newest_entry = stores.season_books.newest_entry()
    seen = stores.season_check.entries_seen() or (newest_entry, newest_entry)
    sweeps, compared_whole = {}, set()
    for season in seasons:
        following, is_whole = comparison.sweep(season, full=run.full)
        sweeps[season] = following
        if is_whole:
            compared_whole.add(season)
    rest = [season for season in seasons if season not in compared_whole]
    if rest:
        comparison.entered(rest, seen[0])
    comparison.each(seasons, sorted(suspects))
    outcome = BoardOutcome(found=comparison.confirmed(), compared=comparison.compared)
    allowed = _allowed(outcome, comparison, stores, run)
    if run.dry_run:
        return outcome
    _repair(allowed, outcome, comparison, stores, run)
    stores.season_check.save_sweeps(sweeps)
    stores.season_check.save_entries_seen(min(seen[1], newest_entry), newest_entry)
    return outcome


def has_lost_members(stores: Reconciliation) -> bool:
    """Whether the keys of a season do not agree with each other, or an open season is empty that has players in the ledger."""
    seasons = held_seasons(stores)
    found = list(zip(seasons, stores.season_check.sizes(seasons), strict=True))
    empty = [season for season, sizes in found if season.is_open and not sizes.members]
    return not all(sizes.agree for _, sizes in found) or any(stores.season_books.players_after(season, "", 1) for season in empty)


def held_seasons(stores: Reconciliation) -> list[BoardSeason]:
    """The seasons of all boards that Redis holds."""
    definitions = stores.boards.boards.list()
    held = stores.boards.states.load_all([definition.board_id for definition in definitions]) if definitions else {}
    return [
        BoardSeason(board.state.definition, season.period, season.number, is_open)
        for board in held.values()
        for seasons, is_open in ((board.state.open_seasons, True), (board.ended, False))
        for season in seasons
    ]


class Comparison:
    """Reads players of many seasons, each at an instant, then has the ledger catch up to the newest of them once.

    `is_proved` turns false when the ledger did not get as far. Of those who are `waiting` (board and user id) an entry was
    refused and may come later.
    """

    def __init__(self, stores: Reconciliation) -> None:
        self._stores = stores
        self._found: dict[Key, BoardDiscrepancy] = {}
        self._read: list[tuple[BoardSeason, SeasonReading, Number]] = []
        self._held = 0
        self.compared: Counter[str] = Counter()
        self.is_proved = True
        self.waiting: set[tuple[str, str]] = set()

    def sweep(self, season: BoardSeason, *, full: bool) -> tuple[SeasonSweep, bool]:
        """A part of a season, or all of it; returns where the next part begins, and whether all of the ledger was compared."""
        check, books, name = self._stores.season_check, self._stores.season_books, season.board.board_id
        players, [sizes] = books.count(season), check.sizes([season])  # in this order: there the ledger is never ahead
        self.compared[name] += 0
        if not season.is_open and not any(sizes):
            return SeasonSweep(), True  # it is closed from the ledger in a moment
        is_whole = full or not sizes.agree or sizes.members < players
        start = SeasonSweep() if is_whole else check.sweep(season)
        after, scores_cursor, members_cursor = start
        while True:
            user_ids = books.players_after(season, after, SWEPT)
            self.compare(season, [(user_id, b"") for user_id in user_ids])
            self.compared[name] += len(user_ids)
            after = user_ids[-1] if len(user_ids) == SWEPT else ""
            if not (is_whole and after):
                break
        while True:
            scores_cursor, members = check.scan_scores(season, scores_cursor, SWEPT)
            self._compare_seen(season, members)
            if not (is_whole and scores_cursor):
                break
        while True:
            members_cursor, names = check.scan_members(season, members_cursor, SWEPT)
            self.compare(season, [(name, b"") for name in sorted(books.unknown(season, names))])
            if not (is_whole and members_cursor):
                break
        self.compare(season, check.hidden(season))
        for hidden in books.hidden(season):
            self.compare(season, [(user_id, b"") for user_id in hidden])
        return SeasonSweep(after, scores_cursor, members_cursor), not (start.after or after)

    def _compare_seen(self, season: BoardSeason, members: Sequence[Player]) -> None:
        """Of members that are shown those which the hash does not name, and those of whom the ledger does not know."""
        unknown = self._stores.season_books.unknown(season, [user_id for user_id, _ in members])
        for some in _chunks(members):
            reading = self._stores.season_check.read(season, some)
            strays = {seen.stray for seen in reading.players if seen.stray} if reading else set()
            self.compare(season, [(user_id, member) for user_id, member in some if member in strays or user_id in unknown])

    def entered(self, seasons: Sequence[BoardSeason], entry_id: int) -> None:
        """Who has entered after this entry."""
        for by_board in self._stores.season_books.entered_since(entry_id):
            for season in seasons:
                user_ids = by_board.get(season.board.board_id, ())
                self.compare(season, [(user_id, b"") for user_id in user_ids])
                self.compared[season.board.board_id] += len(user_ids)

    def each(self, seasons: Sequence[BoardSeason], user_ids: Sequence[str]) -> None:
        """These players in all of the seasons."""
        for season in seasons:
            self.compare(season, [(user_id, b"") for user_id in user_ids])

    def confirmed(self) -> list[BoardDiscrepancy]:
        """What was found and is found again: an account is changed before its places are."""
        self._finish()
        return self.again(list(self._found.values()))

    def again(self, found: Sequence[BoardDiscrepancy]) -> list[BoardDiscrepancy]:
        """What is left of it, in the order of boards, seasons and players."""
        self._found.clear()
        by_season: dict[BoardSeason, list[Player]] = {}
        for entry in found:
            by_season.setdefault(entry.season, []).append((entry.user_id, entry.seen.stray))
        for season, players in by_season.items():
            self.compare(season, players)
        self._finish()
        return [self._found[key] for key in sorted(self._found)]

    def compare(self, season: BoardSeason, players: Sequence[Player]) -> None:
        """To be found in `confirmed` or `again`."""
        for some in _chunks(players):
            read = self._reading(season, some)
            if read is not None:
                self._read.append((season, *read))
                self._held += len(some)
        if self._held >= HELD_AT_ONCE:
            self._finish()

    def _reading(self, season: BoardSeason, players: Sequence[Player]) -> tuple[SeasonReading, Number] | None:
        for _ in range(MAX_TRIES):
            reading = self._stores.season_check.read(season, players)
            if reading is None:
                return None
            if reading.number is not None:
                return reading, reading.number
            open_epoch(self._stores.leaderboard, self._stores.pipeline.ledger)
        raise LeaderboardRebuilding

    def _finish(self) -> None:
        if not self._read:
            return
        pipeline = self._stores.pipeline
        patience = pipeline if self.is_proved else replace(pipeline, catch_up_seconds=0)
        self.is_proved = catch_up_to(max(number for _, _, number in self._read), patience) and self.is_proved
        for season, reading, number in self._read:
            ledger = self._stores.season_books.standings_at(season, list({seen.user_id for seen in reading.players}), number)
            for seen in reading.players:
                self._found.pop(BoardDiscrepancy(season, "", seen._replace(stray=b""), NOTHING).key, None)
                expected = ledger.get(seen.user_id, NOTHING)
                if expected.waits:
                    self.waiting.add((season.board.board_id, seen.user_id))
                found = BoardDiscrepancy.compared(season, reading.version, seen, expected)
                self._found |= {entry.key: entry for entry in found}
        self._read, self._held = [], 0


def _allowed(outcome: BoardOutcome, comparison: Comparison, stores: Reconciliation, run: BoardRun) -> list[BoardDiscrepancy]:
    """Whom to repair. What the board lacks is given back in any case; all the rest only when every update is accounted for, and
    what would lower scores within the bounds. What a moderator decided is proved by that.
    """
    allowed: list[BoardDiscrepancy] = []
    decided = {each[1:] for each in stores.moderated_scores.unsettled()} if outcome.found else set()
    for board in {entry.season.board: None for entry in outcome.found}:
        found = [entry for entry in outcome.found if entry.season.board == board]
        lowered = [entry for entry in found if entry.is_lowering and (board.board_id, entry.user_id) not in decided]
        points = sum(abs(entry.difference) for entry in lowered)
        withheld: list[BoardDiscrepancy] = []
        if not comparison.is_proved:
            withheld = [entry for entry in found if not entry.is_absent]
            reason = "accepted updates are not accounted for yet: see `balance`"
        elif not run.beyond_bounds and (len(lowered) > stores.max_players or points > stores.max_points):
            withheld = lowered
            reason = f"{points} points of {len(lowered)} players are beyond the bounds: look, then run it with beyondBounds"
        if withheld:
            outcome.reasons[board.board_id] = reason
            outcome.withheld += len(withheld)
            told = {"board": board.board_id, "players": len(withheld), "reason": reason}
            _log.error("a board is not repaired where it differs from the ledger", extra=told)
        outcome.left += withheld
        keys = {entry.key for entry in withheld}
        allowed += [entry for entry in found if entry.key not in keys]
    return allowed


def _repair(
    allowed: Sequence[BoardDiscrepancy],
    outcome: BoardOutcome,
    comparison: Comparison,
    stores: Reconciliation,
    run: BoardRun,
) -> None:
    """Audited before it is done. Whoever is repaired is compared again: others may have entered in between."""
    pending = list(allowed)
    for _ in range(ROUNDS):
        if not pending:
            break
        stores.reconciliations.audit_repairs(pending, run.number)
        stores.season_check.repair(pending, run.mark, run.number)
        pending = comparison.again(pending)
    keys = {entry.key for entry in pending}
    outcome.repaired = [entry for entry in allowed if entry.key not in keys]
    outcome.left += pending
    outcome.suspects = {entry.user_id for entry in pending if is_possible(entry.user_id)}


def _chunks(players: Sequence[Player]) -> Iterable[Sequence[Player]]:
    return (players[first : first + READ_AT_ONCE] for first in range(0, len(players), READ_AT_ONCE))
