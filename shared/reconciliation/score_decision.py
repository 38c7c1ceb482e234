"""What a moderator decides about the score of a player, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from shared.accounts.player import checked_user_id
from shared.boards.moderation import checked_entry_id, checked_reason
from shared.core.errors import InvalidParameter
from shared.core.ids import canonical_id
from shared.ledger.events import EVERY_BOARD, Number

MAX_REQUEST_ID = 36

Season = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ModerateScore:
    """A moderator's command: `strike` the entry with a request id, `adjust` as `said`, or `undo` the decision `entry_id`."""

    board_id: str
    action: str
    reason: str
    user_id: str = ""
    request_id: str = ""
    entry_id: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, board_id: str, body: Mapping[str, Any]) -> ModerateScore:
        """Read `{"action": "strike", "reason", "userId", "requestId"}`, `{"action": "adjust", "reason", "userId", "value", …}` or
        `{"action": "undo", "reason", "entryId"}`; raises InvalidParameter.
        """
        action, reason = str(body.get("action")), checked_reason(body)
        if action == "undo":
            return cls(board_id, action, reason, entry_id=checked_entry_id(body))
        if body.get("players") is not None or body.get("entryId") is not None or body.get("userId") is None:
            raise InvalidParameter("A decision about scores is about one player: send `userId`.")
        if board_id == EVERY_BOARD:
            raise InvalidParameter("A score is corrected on one board: send its id in the place of `*`.")
        user_id = checked_user_id(body["userId"])
        if action == "adjust":
            return cls(board_id, action, reason, user_id, said=body)
        request_id = body.get("requestId")
        if not isinstance(request_id, str) or not request_id.isprintable() or not 0 < len(request_id) <= MAX_REQUEST_ID:
            raise InvalidParameter("Send `requestId`, that of the entry to be struck out.")
        return cls(board_id, action, reason, user_id, canonical_id(request_id))


class LedgerEntry(NamedTuple):
    """An accepted entry; it does not count when it is struck out."""

    user_id: str
    seasons: Sequence[Season]
    value: int
    counts: bool


class PastDecision(NamedTuple):
    """A decision that was written down; `seasons` and `value` are those of an adjustment, or of the entry that was struck."""

    user_id: str
    action: str
    seasons: Sequence[Season]
    value: int
    is_undone: bool

    @property
    def points(self) -> int:
        """What it added to a sum."""
        return -self.value if self.action == "strike" else self.value


class Decision(NamedTuple):
    """About the score of a player in some seasons: `strike` an entry (`struck`, its request id), `adjust` the score by a `value`
    and a `second` one, or `undo` one of these (`undoes`). An adjustment stands right after the entry with the `number`.

    `points` are what it adds on `main`.
    """

    board_id: str
    user_id: str
    action: str
    seasons: Sequence[Season]
    reason: str
    struck: str = ""
    undoes: int = 0
    value: int = 0
    second: int = 0
    number: Number = Number(0, 0)
    points: int = 0


class SeasonScore(NamedTuple):
    """What a player has in a season; the score is None for one who has nothing."""

    period: str
    season: int
    score: int | None
    second: int | None
    epoch: int | None = None
    sequence: int | None = None

    def as_json(self, *, has_second: bool) -> dict[str, Any]:
        """In the words of the API."""
        told = {"period": self.period, "season": self.season, "score": self.score}
        return {**told, "second": self.second} if has_second else told


class Decided(NamedTuple):
    """A decision that was written down, and what the player has since."""

    moderation_id: int
    at: datetime
    scores: Sequence[SeasonScore]


class Unsettled(NamedTuple):
    """A decision whose player Redis may not show as the ledger has it."""

    moderation_id: int
    board_id: str
    user_id: str
