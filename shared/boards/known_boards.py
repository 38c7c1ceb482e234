"""The boards that a process knows: from Redis, and from PostgreSQL where Redis does not have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from shared.boards.definition import BoardDefinition, Change, changes_meaning
from shared.boards.season import BoardState, begun, ended, overtaken, redefined, rolled
from shared.core.errors import BoardElsewhere, LeaderboardRebuilding, ScoreboardError, UnknownBoard
from shared.core.ids import BOARD_NAME

if TYPE_CHECKING:
    from shared.boards.postgresql import Boards
    from shared.boards.seasons_postgresql import BoardSeasons
    from shared.boards.states_redis import BoardStates


MAX_TRIES = 8
T = TypeVar("T")


class KnownBoards:
    """Definitions and open seasons of the boards of a shard, as this process knows them. Scripts tell when they are out of date.
    BoardElsewhere says of a board that it is in another shard, or on its way to one.

    Reading a board that Redis holds asks nobody else. Any process may put what follows when a season has ended, and a board that
    has no entries yet; one with entries is filled from the ledger by fill_boards, which `ask_for_rebuild` wakes.
    """

    def __init__(self, states: BoardStates, boards: Boards, seasons: BoardSeasons, ask_for_rebuild: Callable[[], object]) -> None:
        self._states, self._boards, self._seasons = states, boards, seasons
        self._ask_for_rebuild = ask_for_rebuild
        self._known: dict[str, BoardState] = {}

    def get(self, board_id: str) -> BoardState:
        """As it was last known, or as `renewed` says; raises what that raises."""
        return self._known.get(board_id) or self.current(board_id)

    def current(self, board_id: str) -> BoardState:
        """As it is now, for those who ask no script; raises what `renewed` raises."""
        return self.renewed(board_id, self._states.now())

    def judged(self, board_id: str, judge: Callable[[BoardDefinition], T]) -> T:
        """What `judge` makes of a request by the board's rules; nothing is refused by rules that are over.

        Raises what `judge` and `current` raise.
        """
        definition = self.get(board_id).definition
        try:
            found = judge(definition)
        except ScoreboardError:
            now = self.current(board_id).definition
            if now == definition:
                raise
            return judge(now)
        if isinstance(found, list) and any(isinstance(each, ScoreboardError) for each in found):
            now = self.current(board_id).definition
            return found if now == definition else judge(now)
        return found

    def all(self, boards: Sequence[BoardDefinition]) -> list[BoardState]:
        """These boards of the shard as they are now, in their order; those that are being rebuilt without seasons."""
        if not boards:
            return []
        definitions = {definition.board_id: definition for definition in boards}
        held, now = self._states.load_all(list(definitions)), self._states.now()
        found = []
        for board_id, definition in definitions.items():
            state = held[board_id].state if board_id in held else None
            with suppress(UnknownBoard):  # deleted meanwhile
                try:
                    found.append(state if state is not None and rolled(state, now) is state else self.renewed(board_id, now))
                except LeaderboardRebuilding:
                    found.append(BoardState("", definition, ()))
        return found

    def played_periods(self, board_id: str) -> set[str]:
        """In which players stand, in a season that is open or may still get entries; those that the ledger does not have yet are
        here.
        """
        held = self._states.load(board_id)
        seasons = [] if held is None else [*held.state.open_seasons, *held.ended]
        found = self._states.has_players(board_id, seasons)
        return {season.period for season, is_played in zip(seasons, found, strict=True) if is_played}

    def renewed(self, board_id: str, now: int) -> BoardState:
        """As it is at Redis's clock (ms), its seasons rolled; raises UnknownBoard, and LeaderboardRebuilding while Redis does not
        hold what the ledger has of it.
        """
        try:
            self._known[board_id] = state = self._renewed(board_id, now)
        except (UnknownBoard, BoardElsewhere):
            self._known.pop(board_id, None)
            raise
        except LeaderboardRebuilding:
            self._ask_for_rebuild()
            raise
        return state

    def redefined(self, board_id: str) -> None:
        """Have Redis know what the ledger says of a board by now: another definition, or that it was deleted, or is elsewhere,
        which BoardElsewhere says, too.

        Of several at the same time the last one to read the ledger counts, whichever order they come to Redis in.
        """
        for _ in range(MAX_TRIES):
            held = self._states.load(board_id)
            try:
                placed = self._boards.placed(board_id)
            except UnknownBoard:
                self._known.pop(board_id, None)
                self._states.drop(board_id)
                return
            definition = placed.definition
            if not self._boards.holds(placed):
                self._known.pop(board_id, None)
                if held is not None and placed.moving_to is None:
                    self._states.leave(board_id, held.state.version, placed.shard)
                raise BoardElsewhere
            now = self._states.now()
            if held is None:
                try:
                    self.renewed(board_id, now)
                except BoardElsewhere:
                    raise
                except LeaderboardRebuilding:
                    pass  # somebody fills it
                return
            open_now = rolled(held.state, now)
            if open_now.definition == definition and open_now is held.state:
                return
            changed = redefined(open_now, definition, now, [*self._seasons.newest(board_id), *held.ended])
            over = [*ended(held.state, open_now, now), *ended(open_now, changed, now)]
            if (put := self._states.put(held.state.version, changed, over)) is not None:
                self._known[board_id] = put
                if self._has_other_meaning(changes_meaning(held.state.definition, definition), board_id):
                    # Entries by the old definition came between the question whether there are any and now.
                    self._states.drop(board_id)
                    self._ask_for_rebuild()
                return
        raise LeaderboardRebuilding

    def _has_other_meaning(self, changes: Sequence[Change], board_id: str) -> bool:
        """Whether anybody stands where such changes concern them."""
        played = self.played_periods(board_id) if changes else set()
        return any(period in played if period else played for _, period in changes)

    def _renewed(self, board_id: str, now: int) -> BoardState:
        if not BOARD_NAME.fullmatch(board_id):  # Redis may have something else under its key
            raise UnknownBoard
        for _ in range(MAX_TRIES):
            held = self._states.load(board_id)
            if held is None:
                put = self._begin(board_id, now)
            else:
                state = rolled(held.state, now)
                if state is held.state:
                    return state
                put = self._states.put(state.version, state, ended(held.state, state, now))
            if put is not None:
                return put
        raise LeaderboardRebuilding

    def _begin(self, board_id: str, now: int) -> BoardState | None:
        mark = self._states.mark()
        definition, newest = self._boards.here(board_id), self._seasons.newest(board_id)
        state = begun(definition, now, newest)
        if self._seasons.have_entries(board_id, state.open_seasons):
            if self._states.load(board_id) is None:
                raise LeaderboardRebuilding
            return None  # another process has put it meanwhile, and somebody has played
        return self._states.put("", state, overtaken(state, newest), mark)
