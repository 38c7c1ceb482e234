"""How things stand: what each store can say at an instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.ledger.dead_letter import PARKED, STANDING


@dataclass(frozen=True, slots=True)
class BoardState:
    """The board and what leaves it.

    `accepted` counts the updates accepted since this Redis has kept the outbox, None where Redis is too old to say;
    `outbox_seconds` is how long the oldest update has waited for the ledger.
    """

    players: int
    is_whole: bool
    accepted: int | None
    outbox: int
    outbox_seconds: float

    def together(self, others: Sequence[BoardState]) -> BoardState:
        """With what was accepted, and waits, in other shards."""
        if not others:
            return self
        every = (self, *others)
        accepted = [each.accepted for each in every if each.accepted is not None]
        return replace(
            self,
            accepted=sum(accepted) if len(accepted) == len(every) else None,
            outbox=sum(each.outbox for each in every),
            outbox_seconds=max(each.outbox_seconds for each in every),
        )


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The history of record and the audit log.

    `newest_entry` adds the ids of the newest rows of the ledger, of `main` and of the other boards: it rises with every update
    recorded, by a little more where copies came. `letters` are the messages that the ledger did not take, by state. `unsealed`
    rows of the audit log are younger than the newest seal, made at `sealed_at`. `refusals` were noted in the last five minutes.
    """

    newest_entry: int
    letters: Mapping[str, int]
    audit_entries: int
    unsealed: int
    sealed_at: datetime | None
    refusals: int

    @property
    def unrecorded(self) -> int:
        """How many of the messages may still be recorded."""
        return sum(self.letters.get(state, 0) for state in STANDING)

    @property
    def dead_letters(self) -> int:
        """How many of them an operator must see to."""
        return self.letters.get(PARKED, 0)
