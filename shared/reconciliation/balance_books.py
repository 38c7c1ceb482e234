"""Account for every accepted update by its number: in the ledger, in the outbox, refused, or in flight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.ledger.balance import Balance
from shared.ledger.events import Number

if TYPE_CHECKING:
    from shared.boards.redis import Leaderboard
    from shared.ledger.postgresql import Ledger
    from shared.ledger.redis import Outbox


BATCH = 5000
MAX_GAPS = 100


def balance_books(leaderboard: Leaderboard, ledger: Ledger, outbox: Outbox) -> Balance | None:
    """None before the first update. A union by number, never a sum; no queue is looked into.

    The ledger is asked again for what was not found: an update may be recorded, and leave the outbox, in between.
    """
    newest = leaderboard.newest_epoch().newest
    if newest is None:
        return None
    gaps = ledger.missing(newest)
    waiting = _waiting(outbox, newest) if gaps else {}
    found = [rest for gap in gaps for rest in gap.without(waiting.get(gap.epoch, ()))]
    if found:
        missing = ledger.missing(newest)
        found = [overlap for gap in found for overlap in gap.common(missing)]
    return Balance(newest, sum(map(len, waiting.values())), found, ledger.lost())


def all_as_json(balances: Mapping[str, Balance | None]) -> dict[str, Any]:
    """By shard, the first one first: `number` is that one's, all else is of all of them together. Where there are several
    `shards` has each.
    """
    told = {shard: as_json(balance) for shard, balance in balances.items()}
    first, *further = told.values()
    if not further:
        return first
    together = {name: sum(each[name] for each in told.values()) for name in ("outbox", "inFlight", "lost")}
    gaps = [gap for each in told.values() for gap in each["gaps"]]
    return {**first, **together, "gaps": gaps[:MAX_GAPS], "shards": told}


def as_json(balance: Balance | None) -> dict[str, Any]:
    """With the first gaps, each `{"epoch", "first", "last"}`."""
    if balance is None:
        return {"number": None, "outbox": 0, "inFlight": 0, "gaps": [], "lost": 0}
    return {
        "number": balance.number._asdict(),
        "outbox": balance.outbox,
        "inFlight": balance.updates_in_flight,
        "gaps": [gap._asdict() for gap in balance.in_flight[:MAX_GAPS]],
        "lost": balance.lost,
    }


def _waiting(outbox: Outbox, up_to: Number) -> dict[int, list[int]]:
    """By epoch, the sequences in the outbox; they rise, as the entries do."""
    sequences: dict[int, list[int]] = {}
    newest, after = outbox.newest_id(), ""
    while events := outbox.waiting(after, newest, BATCH):
        for event in events:
            if event.number is not None and event.number <= up_to:
                sequences.setdefault(event.number.epoch, []).append(event.number.sequence)
        after = events[-1].outbox_id
    return sequences
