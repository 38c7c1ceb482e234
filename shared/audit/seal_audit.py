"""Seal what was added to the audit log: from then on nobody changes it unnoticed.

A seal holds the hash of up to ROWS_A_SEAL rows and the hash of the seal before it, and is signed with a key that the database
does not have. Of what is personal in a row it covers a salted hash, which stands in for it wherever the clear text is not. The
newest seal is remembered in Redis and told in the log: whoever takes the last seals off the chain is found out by that. The
consumer never waits for any of this: rows are sealed within a minute or two of being written, and until then an edit shows
nowhere.

Seals stand in a table to which the functions' role may add, so what is read there may be of a stranger's making: only what is
signed is gone on from, and a number that another one has taken, or keeps from being known, is passed over.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.audit.entries import NO_HASH, Content, Seal
from shared.audit.settled_horizon import settled_horizon
from shared.core import metrics
from shared.core.clock import Clock
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.audit.archive_postgresql import AuditArchive
    from shared.audit.hmac_seals import SealSigner
    from shared.audit.postgresql import AuditSeals
    from shared.audit.redis import SealAnchor


ROWS_A_SEAL = 500
SEALS_AT_ONCE = 10
WAIT_SECONDS = 60.0  # longer than any transaction of ours
MAX_SECONDS = 240.0
TURN_SECONDS = 120.0  # renewed before each addition: longer than one takes
SEALS_LOOKED_AT = 100
# How far ahead the number after one that cannot be had may lie: a stranger may have a great many of them in hand.
SKIPS = (2**12, 2**24, 2**36)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AuditChain:
    """The ports of the chain."""

    seals: AuditSeals
    signer: SealSigner
    anchor: SealAnchor
    clock: Clock
    archive: AuditArchive

    def is_genuine(self, seal: Seal) -> bool:
        """Whether we made it, as it stands."""
        return seal.is_consistent and self.signer.verify(seal.hash, seal.signature) is True

    def is_signed(self, hash_text: str) -> bool:
        """Whether we signed this about the archive."""
        return self.archive.is_signed(hash_text, self.signer.signatures(hash_text))


def seal_audit(chain: AuditChain) -> dict[str, int]:
    """Answer `{"seals", "rows"}` that were sealed; what time does not suffice for is the next run's.

    A row that shows up late among sealed ones would look like a forgery, so only what is behind a settled horizon is sealed. Of
    several runs at the same time one seals, the others leave it to that one.
    """
    ends_at = chain.clock.monotonic() + MAX_SECONDS
    up_to = settled_horizon(chain.seals, chain.clock, WAIT_SECONDS, ends_lasting=True)
    if up_to is None:
        _log.warning("the audit log is not sealed: a transaction has been writing to it for long")
        return {"seals": 0, "rows": 0}
    run = secrets.token_hex(8)
    try:
        return _seal(up_to, run, ends_at, chain)
    finally:
        chain.anchor.claim(run, 0)


def _seal(up_to: int, run: str, ends_at: float, chain: AuditChain) -> dict[str, int]:
    sealed = {"seals": 0, "rows": 0}
    if not chain.anchor.claim(run, TURN_SECONDS):
        return sealed
    last = _end_of_chain(chain)
    after, skips = last.seq if last else 0, iter(SKIPS)
    while chain.clock.monotonic() < ends_at and chain.anchor.claim(run, TURN_SECONDS):
        after_id = last.content.last_id if last else 0
        if not chain.seals.add_salts(after_id, up_to, ROWS_A_SEAL * SEALS_AT_ONCE):
            _log.error("the audit log is not sealed: salts are withheld")
            break
        contents = chain.seals.unsealed(after_id, up_to, ROWS_A_SEAL, SEALS_AT_ONCE)
        numbers = chain.seals.free_numbers(after)
        seals = _chained(contents, numbers, last, chain)
        if not seals:
            break
        if not chain.seals.add(seals):
            skip = next(skips, None)
            if skip is None:
                _log.error("the audit log is not sealed: numbers of seals are taken or withheld")
                break
            after = numbers.start + secrets.randbelow(skip)
            continue
        last = seals[-1]
        after = last.seq
        chain.anchor.put(last)
        sealed["seals"] += len(seals)
        sealed["rows"] += sum(seal.content.row_count for seal in seals)
    if last and sealed["seals"]:
        _log.info("audit log sealed", extra={**sealed, **head(last)})
    return sealed


def head(seal: Seal) -> dict[str, Any]:
    """What to note of a seal: `seq`, `lastId`, `hash`."""
    return {"seq": seal.seq, "lastId": seal.content.last_id, "hash": seal.hash}


def _end_of_chain(chain: AuditChain) -> Seal | None:
    """The newest seal of ours, from which the chain goes on.

    Where the end of the chain was cut off it is the one that Redis remembers: what is added from now on is sealed, and the hole
    stays for verify_audit to show.
    """
    remembered, newest = chain.anchor.get(), None
    last = remembered if remembered is not None and chain.is_genuine(remembered) else None
    for seal in _newest_first(chain.seals):
        newest = newest or seal
        if last is not None and seal.seq <= last.seq:
            break
        if chain.is_genuine(seal):
            last = seal
            break
    if last != newest:
        metrics.audit_chain_broken.inc()
        _log.error("the end of the audit log's chain is not what it was: run verify_audit", extra=head(last) if last else None)
    return last


def _newest_first(seals: AuditSeals) -> Iterator[Seal]:
    page = seals.newest()
    while page:
        yield from page
        page = seals.newest(SEALS_LOOKED_AT, page[-1].seq)


def _chained(contents: Sequence[Content], numbers: Sequence[int], last: Seal | None, chain: AuditChain) -> list[Seal]:
    seals: list[Seal] = []
    previous_hash = last.hash if last else NO_HASH
    for number, content in zip(numbers, contents, strict=False):
        hash_text = Seal.hash_of(number, content, previous_hash)
        seals.append(Seal(number, content, previous_hash, hash_text, chain.signer.sign(hash_text)))
        previous_hash = hash_text
    return seals
