"""Seal what was added to the audit log: from then on nobody changes it unnoticed.

A seal holds the hash of up to ROWS_A_SEAL rows and the hash of the seal before it, and is signed with a key that the database
does not have. The newest one is remembered in Redis and told in the log: whoever takes the last seals off the chain is found out
by that. The consumer never waits for any of this: rows are sealed within a minute or two of being written, and until then an edit
shows nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared import metrics
from shared.domain.audit import NO_HASH, Content, Seal
from shared.logs import get_logger
from shared.ports import AuditSeals, Clock, SealAnchor, SealSigner
from shared.services.settled_horizon import settled_horizon

ROWS_A_SEAL = 500
SEALS_AT_ONCE = 40
WAIT_SECONDS = 20.0
MAX_SECONDS = 240.0
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AuditChain:
    """The ports of the chain."""

    seals: AuditSeals
    signer: SealSigner
    anchor: SealAnchor
    clock: Clock

    def is_genuine(self, seal: Seal) -> bool:
        """Whether we made it, as it stands."""
        return seal.is_consistent and self.signer.verify(seal.hash, seal.signature) is True


def seal_audit(chain: AuditChain) -> dict[str, int]:
    """Answer `{"seals", "rows"}` that were sealed; what time does not suffice for is the next run's.

    A row that shows up late among sealed ones would look like a forgery, so only what is behind a settled horizon is sealed. Of
    several runs at the same time one seals, the others find its seals and stop.
    """
    ends_at = chain.clock.monotonic() + MAX_SECONDS
    up_to = settled_horizon(chain.seals, chain.clock, WAIT_SECONDS)
    sealed = {"seals": 0, "rows": 0}
    if up_to is None:
        _log.warning("the audit log is not sealed: a transaction has been writing to it for long")
        return sealed
    last, seq = _end_of_chain(chain)
    while chain.clock.monotonic() < ends_at:
        after_id = last.content.last_id if last else 0
        contents = chain.seals.unsealed(after_id, up_to, ROWS_A_SEAL, SEALS_AT_ONCE)
        seals = _chained(contents, last, seq, chain)
        if not seals or not chain.seals.add(seals):
            break
        last, seq = seals[-1], seals[-1].seq
        chain.anchor.put(last)
        sealed["seals"] += len(seals)
        sealed["rows"] += sum(content.row_count for content in contents)
    if last and sealed["seals"]:
        _log.info("audit log sealed", extra={**sealed, **head(last)})
    return sealed


def head(seal: Seal) -> dict[str, Any]:
    """What to note of a seal: `seq`, `lastId`, `hash`."""
    return {"seq": seal.seq, "lastId": seal.content.last_id, "hash": seal.hash}


def _end_of_chain(chain: AuditChain) -> tuple[Seal | None, int]:
    """The seal to go on from, and the highest number there was.

    Where the end of the chain was cut off or forged it goes on from what Redis remembers, under a new number: what is added from
    now on is sealed, and the hole stays for verify_audit to show.
    """
    stored, remembered = chain.seals.newest(), chain.anchor.get()
    ends = [seal for seal in (stored, remembered) if seal is not None]
    genuine = [seal for seal in ends if chain.is_genuine(seal)]
    last = max(genuine, key=lambda seal: seal.seq, default=None)
    if last != stored:
        metrics.audit_chain_broken.inc()
        _log.error("the end of the audit log's chain is not what it was: run verify_audit", extra=head(last) if last else None)
    return last, max((seal.seq for seal in ends), default=0)


def _chained(contents: Sequence[Content], last: Seal | None, seq: int, chain: AuditChain) -> list[Seal]:
    seals: list[Seal] = []
    previous_hash = last.hash if last else NO_HASH
    for number, content in enumerate(contents, seq + 1):
        hash_text = Seal.hash_of(number, content, previous_hash)
        seals.append(Seal(number, content, previous_hash, hash_text, chain.signer.sign(hash_text)))
        previous_hash = hash_text
    return seals
