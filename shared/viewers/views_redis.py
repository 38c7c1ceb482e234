"""Views of boards: who watches what, and the rows for that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis

from shared.boards.board_rows import Row, Stale
from shared.boards.scores_redis import ShardOfBoard, rows_of, season_keys
from shared.boards.season import BoardState
from shared.core.errors import LeaderboardRebuilding
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script
from shared.viewers.view import WATCHED_SECONDS, View

if TYPE_CHECKING:
    from shared.viewers.read_views import BoardFrames, MadeViews

    MakeViews = Callable[[str, Sequence[View]], MadeViews]


@dataclass(frozen=True, slots=True)
class ViewRows:
    """The first rows of some seasons of a board at the instant of a `version`; `now` is Redis's clock (ms).

    `changes` are those of `Places`.
    """

    version: int
    now: int
    rows: Sequence[Sequence[Row]]
    since: str
    changes: Sequence[tuple[str, str]]


class BoardViews(ABC):
    """Reads boards for those who watch, and sends them frames (Redis)."""

    max_bytes: int | None = None  # of rows that a frame may have, where the gateway has a limit

    def __init__(
        self, client: redis.Redis, keys: BoardKeys, shard: ShardKeys, watched: str, version_of: Callable[[str], str]
    ) -> None:
        """`keys` are those of `main`, which has the marks of the shard; `watched` and `version_of` a board are the gateway's."""
        self._redis: Any = client
        self._whole = keys.whole
        self._shard = shard
        self._watched = watched
        self._version_of = version_of

    @abstractmethod
    def shown(self, view: View, frames: BoardFrames) -> int:
        """The version under which those who watch the view know these frames, 0 when they have newer ones."""

    @abstractmethod
    def broadcast(self, boards: Mapping[str, Sequence[View]], make: MakeViews) -> bool:
        """Send the views of these boards to those who watch them; `make` may be asked several times for a board.

        False when there was no time for all of them, so that another broadcast must go on. Raises ViewersUnavailable.
        """

    @abstractmethod
    def behind(self) -> list[str]:
        """The ids of boards of which somebody has not got what they should."""

    @translated()
    def read(
        self,
        state: BoardState,
        seasons: Sequence[tuple[str, int, int]],
        since: str,
        watched: View | None = None,
        place: ShardOfBoard | None = None,
    ) -> ViewRows | Stale:
        """Of each season (period and number) so many rows. From now on `watched` has frames made. `place` is where the board
        is, None for the shard in which is noted what is watched.

        Raises LeaderboardRebuilding.
        """
        board = state.definition
        client, shard, whole = self._redis, self._shard, self._whole
        version_of, watched_key = self._version_of, self._watched
        if place is not None and place.client is not client:
            if watched is not None:
                self._note_watched(watched)
                watched = None
            client, shard, whole = place
            version_of, watched_key = shard.views_version, shard.watched_views
        answer = run_script(
            client,
            "read_views",
            (
                shard.defined(board.board_id).board,
                whole,
                shard.changed_profiles,
                version_of(board.board_id),
                watched_key,
                *(season_keys(shard, board, period, number)[0] for period, number, _ in seasons),
            ),
            (
                state.version,
                state.until,
                board.order,
                "1" if board.ties == "shared" else "",
                since or "-",
                "" if watched is None else watched.name,
                WATCHED_SECONDS * 1000,
                *(limit for _, _, limit in seasons),
            ),
        )
        if answer is None:
            raise LeaderboardRebuilding
        if answer[0] == b"board":
            return Stale(answer[1])
        _, now, version, changes, *found = answer
        rows = [list(rows_of(board, values)) for values in found]
        pairs = [(changes[at].decode(), changes[at + 1].decode()) for at in range(0, len(changes), 2)]
        return ViewRows(version, now, rows, since, pairs)

    def _note_watched(self, view: View) -> None:
        seconds, microseconds = self._redis.time()
        until = seconds * 1000 + microseconds // 1000 + WATCHED_SECONDS * 1000
        self._redis.zadd(self._watched, {view.name: until}, gt=True)

    @translated()
    def watched(self) -> list[View]:
        """Those of which frames are to be made."""
        names = run_script(self._redis, "watched_views", (self._watched,), ())
        return [view for name in names if (view := View.parse(name.decode())) is not None]
