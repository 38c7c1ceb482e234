"""Move sealed rows that are older than AUDIT_MONTHS out of `audit_log`, into the months beside it.

What is personal stands there as the salted hash that its seal covers. A seal of format 1 covers clear texts: before its rows
move, it is held against them, and what stands in for it is signed.
"""

from __future__ import annotations

from shared.audit.entries import Seal, Signature, Signed, Span
from shared.audit.seal_audit import AuditChain, head
from shared.core import metrics
from shared.core.logs import get_logger

SEALS_AT_ONCE = 4
ROWS_AT_ONCE = 2000
SIGNATURES_AT_ONCE = 1000
MAX_SECONDS = 140.0  # half of what a run may take: the ledger has the other
_log = get_logger(__name__)


def archive_audit(months: int, chain: AuditChain) -> int:
    """Move what was sealed more than so many whole months ago; answer how many rows. What time does not suffice for is the next
    run's.

    A transaction for every few seals, and as long a pause behind each: updates that are recorded meanwhile do not notice.
    """
    ends_at, moved, after_id = chain.clock.monotonic() + MAX_SECONDS, 0, 0
    _renew_signatures(chain, ends_at)
    while (began := chain.clock.monotonic()) < ends_at and (span := chain.archive.begin(months)):
        seals = chain.archive.seals(Span(max(after_id, span.after_id), span.up_to), SEALS_AT_ONCE)
        for seal in seals:
            if seal.content.format == 1:
                _restate(seal, chain)
        after_id = max((seal.content.last_id for seal in seals), default=span.up_to)
        moved += chain.archive.move(after_id, ROWS_AT_ONCE)
        chain.clock.sleep(chain.clock.monotonic() - began)
    if moved:
        _log.info("old rows were moved out of audit_log", extra={"rows": moved})
    return moved


def _restate(seal: Seal, chain: AuditChain) -> None:
    """Sign what stands in for it, if it covers what is there; otherwise verify_audit tells of it, as before."""
    content = seal.content
    [now] = chain.seals.contents([seal])
    if (now.row_count, now.content_hash) != (content.row_count, content.content_hash):
        metrics.audit_chain_broken.inc()
        _log.error("rows that are to be archived are not what was sealed: run verify_audit", extra=head(seal))
        return
    if not chain.seals.add_salts(content.first_id - 1, content.last_id, content.row_count):
        _log.error("a seal is not restated: salts are withheld", extra=head(seal))
        return
    [hashed] = chain.seals.contents([seal], hashed=True)
    restated = seal.restated(hashed.content_hash)
    chain.archive.sign(Signed(restated, chain.signer.sign(restated)))


def _renew_signatures(chain: AuditChain, ends_at: float) -> None:
    """Sign with the current key what was signed with one that may be given up."""
    after, renewed = Signed("", Signature("", "")), 0
    current, former = chain.signer.key_ids[0], chain.signer.key_ids[1:]
    while former and chain.clock.monotonic() < ends_at:
        page = chain.archive.signed_before(former, current, after, SIGNATURES_AT_ONCE)
        if not page:
            break
        for signed in page:
            if chain.signer.verify(signed.hash, signed.signature):
                chain.archive.sign(Signed(signed.hash, chain.signer.sign(signed.hash)))
                renewed += 1
        after = page[-1]
    if renewed:
        _log.info("signatures of the archive were renewed", extra={"signatures": renewed})
