"""Hold the seals in a file of the audit log against our keys: whoever reads the file hashes its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.audit.entries import Content, Seal, Signature
from shared.core.errors import InvalidParameter

if TYPE_CHECKING:
    from shared.audit.seal_audit import AuditChain

SEALS_AT_ONCE = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_seals(wanted: Mapping[str, Any], chain: AuditChain) -> dict[str, Any]:
    """Read `{"seals", "contents"?}`: seals as a file has them, up to SEALS_AT_ONCE, and the hash (format 2) of the rows of each.

    Answer `{"ours": [whether it is of our chain, for each], "covers": [whether it covers these rows] or null}`. A seal of a key
    that was given up is of our chain when the database has it. Raises InvalidParameter.
    """
    given, contents = wanted.get("seals"), wanted.get("contents")
    if not isinstance(given, list) or len(given) > SEALS_AT_ONCE:
        raise InvalidParameter(f"`seals` must be up to {SEALS_AT_ONCE} seals of a file.")
    seals = [_seal(fields) for fields in given]
    if contents is not None and not (isinstance(contents, list) and len(contents) == len(seals)):
        raise InvalidParameter("`contents` must be a hash for each seal.")
    return {
        "ours": [_is_ours(seal, chain) for seal in seals],
        "covers": contents and [_covers(seal, str(content), chain) for seal, content in zip(seals, contents, strict=True)],
    }


def _seal(fields: Any) -> Seal:
    try:
        seq, first_id, last_id, rows, content_hash, sealed_us, previous_hash, hash_text, key_id, mac = fields
        content = Content(first_id, last_id, rows, content_hash, _EPOCH + timedelta(microseconds=sealed_us))
        return Seal(int(seq), content, previous_hash, hash_text, Signature(str(key_id), str(mac)))
    except (TypeError, ValueError, OverflowError):
        raise InvalidParameter("`seals` must be seals as `scoreboard archive export` wrote them.") from None


def _is_ours(seal: Seal, chain: AuditChain) -> bool:
    signed = chain.signer.verify(seal.hash, seal.signature) if seal.is_consistent else False
    return signed if signed is not None else seal in chain.seals.page(seal.seq, 1)


def _covers(seal: Seal, content_hash: str, chain: AuditChain) -> bool:
    return content_hash == seal.content.content_hash or (
        seal.content.format == 1 and chain.is_signed(seal.restated(content_hash))
    )
