"""A message of score_history_queue that the ledger did not take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

WAITING, PARKED, REDRIVEN, DISCARDED = "waiting", "parked", "redriven", "discarded"
STANDING = (WAITING, PARKED, REDRIVEN)
STATES = (*STANDING, DISCARDED)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What PostgreSQL keeps of it.

    `state`: `waiting` for another try, `parked`, `redriven` (published again, its outcome is not known yet) or `discarded`, since
    `changed_at`. `request_id`, `user_id` and `increment` are None where the message cannot be opened; `epoch` and `sequence` are
    its number, None without one. `size` is the length of the message in bytes. `noted_at` is when it was first refused.
    """

    id: int
    state: str
    request_id: str | None
    user_id: str | None
    increment: int | None
    epoch: int | None
    sequence: int | None
    reason: str
    attempts: int
    noted_at: datetime
    changed_at: datetime
    size: int
    digest: str | None


@dataclass(frozen=True, slots=True)
class WholeLetter:
    """A message with its content: `body` is None where a version before this one did not keep it.

    `headers` go along when it is published again. `history` are its newest steps, oldest first. `points` are what the ledger has
    of the player.
    """

    letter: DeadLetter
    headers: Mapping[str, str]
    body: bytes | None
    history: Sequence[Mapping[str, Any]]
    points: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was cut off: what is longer than any message of ours is kept in part."""
        return self.body is None or len(self.body) == self.letter.size


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant: those with these ids or request ids, all if there are none; at most `limit`, oldest first."""

    limit: int
    ids: Sequence[int] = ()
    request_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What was done with chosen messages: `letters` went on, the ledger has those with the ids `recorded` already."""

    letters: Sequence[WholeLetter] = field(default=())
    recorded: Sequence[int] = field(default=())
