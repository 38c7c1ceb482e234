"""What a season of a board should say of a player, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.boards.definition import BoardDefinition
from shared.boards.member import member_of, parse_member
from shared.ledger.events import Number


class BoardSeason(NamedTuple):
    """A season whose keys Redis may have."""

    board: BoardDefinition
    period: str
    number: int
    is_open: bool


class Expected(NamedTuple):
    """What the ledger says of a player at a number; `made_by` is the entry that made the score.

    It says None for the score of one without entries. With `waits` it does not know: an entry was refused and may come later.
    """

    score: int | None
    second: int
    made_by: Number
    waits: bool = False
    is_hidden: bool = False


NOTHING = Expected(None, 0, Number(0, 0))


class Seen(NamedTuple):
    """What Redis says of a player: the member by the hash, its scores where it is shown and where it is hidden, and a `stray`
    that the hash does not name, with its score. As Redis wrote them, empty for what is not there.
    """

    user_id: str
    member: bytes
    shown: bytes
    hidden: bytes
    stray: bytes = b""
    stray_score: bytes = b""


class SeasonReading(NamedTuple):
    """Players of a season at one instant; `number` is that of the newest update of all boards, None while no epoch is open."""

    version: str
    number: Number | None
    players: Sequence[Seen]


class Sizes(NamedTuple):
    """How many members a season has at one instant: shown, hidden, and in the hash."""

    shown: int
    hidden: int
    members: int

    @property
    def agree(self) -> bool:
        """The hash names everybody once."""
        return self.shown + self.hidden == self.members


class SeasonSweep(NamedTuple):
    """How far the rolling comparison of a season has come: in the ledger by user id, in sorted set and hash by cursor."""

    after: str = ""
    scores_cursor: int = 0
    members_cursor: int = 0


Key = tuple[str, str, int, str, bytes]


@dataclass(frozen=True, slots=True)
class BoardDiscrepancy:
    """A player who does not stand in a season where the ledger says, in a board of this version; or a stray member alone."""

    season: BoardSeason
    version: str
    seen: Seen
    expected: Expected

    @classmethod
    def compared(cls, season: BoardSeason, version: str, seen: Seen, expected: Expected) -> list[BoardDiscrepancy]:
        """What is to be repaired: where the player stands, and what else is theirs. Nothing while the ledger does not know."""
        if expected.waits:
            return []
        standing = cls(season, version, seen._replace(stray=b"", stray_score=b""), expected)
        stray = cls(season, version, Seen(seen.user_id, b"", b"", b"", *seen[4:]), NOTHING)
        is_named_so = seen.stray == standing.member.encode()
        return [*([] if standing.is_right else [standing]), *([] if stray.is_right or is_named_so else [stray])]

    @property
    def key(self) -> Key:
        """Of which player and stray this tells."""
        return (self.season.board.board_id, *self.season[1:3], self.seen.user_id, self.seen.stray)

    @property
    def user_id(self) -> str:
        """Whoever it is, in the words of Redis."""
        return self.seen.user_id

    @property
    def member(self) -> str:
        """The name under which the player is to stand, "" for one who is to stand nowhere."""
        if self.expected.score is None:
            return ""
        return member_of(self.season.board, self.user_id, self.expected.second, self.expected.made_by)

    @property
    def is_misplaced(self) -> bool:
        """Shown and should be hidden, or the other way round."""
        if self.expected.score is None:
            return False
        return bool(self.seen.shown) if self.expected.is_hidden else bool(self.seen.hidden)

    @property
    def is_right(self) -> bool:
        """Nothing is to be repaired."""
        seen, expected = self.seen, self.expected
        if expected.score is None:
            return not (seen.member or seen.stray)
        is_named = seen.member == self.member.encode()
        return is_named and not self.is_misplaced and _whole(seen.hidden or seen.shown) == expected.score

    @property
    def board_score(self) -> int | None:
        """None for one who is not there, or has a score that none can have."""
        return _whole(self.seen.shown or self.seen.hidden or self.seen.stray_score)

    @property
    def is_absent(self) -> bool:
        """Nothing is seen of the player."""
        return not (self.seen.shown or self.seen.hidden or self.seen.stray)

    @property
    def difference(self) -> int:
        """What the score is to be changed by."""
        return (self.expected.score or 0) - (self.board_score or 0)

    @property
    def is_lowering(self) -> bool:
        """Whether the repair takes a player off the board, or makes them stand worse."""
        if self.is_absent:
            return False
        if self.expected.score is None or self.board_score is None:
            return True
        sign = 1 if self.season.board.order == "descending" else -1
        before = (sign * self.board_score, sign * (self._second(self.seen.member) or 0))
        return (sign * self.expected.score, sign * self.expected.second) < before

    @property
    def differences(self) -> tuple[int, int] | None:
        """What to add to score and second column of one who has entered since; None where what was there cannot be read, or where
        entries do not add up.
        """
        if self.season.board.operator != "add":
            return None
        if not self.seen.member:
            return self.expected.score or 0, self.expected.second
        score, second = _whole(self.seen.shown or self.seen.hidden), self._second(self.seen.member)
        if score is None or second is None or (self.seen.shown and self.seen.hidden):
            return None
        return (self.expected.score or 0) - score, self.expected.second - second

    def as_json(self) -> dict[str, Any]:
        """In the words of the API."""
        return {
            "board": self.season.board.board_id,
            "period": self.season.period,
            "season": self.season.number,
            "ledgerTotal": self.expected.score,
            "boardBefore": self.board_score,
            "boardAfter": self.board_score,
            "missingPoints": 0,
            "difference": self.difference,
            "misplaced": self.is_misplaced,
            **({"member": ascii(self.seen.stray.decode("latin-1"))[1:-1]} if self.seen.stray else {}),
        }

    def _second(self, member: bytes) -> int | None:
        try:
            return parse_member(self.season.board, member.decode()).second
        except (ValueError, IndexError):
            return None


def _whole(score: bytes) -> int | None:
    try:
        number = float(score)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
