"""Hold the audit log against its seals: an edit, a row too many or too few, a seal that is missing or not ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.audit import NO_HASH, Content, Seal
from shared.errors import InvalidParameter
from shared.services.seal_audit import AuditChain, head

SEALS_AT_ONCE = 40
MAX_SECONDS = 600.0
MAX_FINDINGS = 100
MAX_SEQ = 2**62


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a seal, or with the rows it covers."""

    seq: int
    first_id: int
    last_id: int
    problem: str

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {"seal": self.seq, "firstId": self.first_id, "lastId": self.last_id, "problem": self.problem}


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A seal of the chain that somebody noted down."""

    seq: int
    hash: str

    @classmethod
    def parse(cls, text: object) -> KnownHead:
        """Read `seq:hash`; raises InvalidParameter."""
        seq, _, hash_text = str(text).partition(":")
        if not (seq.isascii() and seq.isdigit() and hash_text):
            raise InvalidParameter("`head` must be the number of a seal, a colon and its hash.")
        return cls(int(seq), hash_text.lower())


@dataclass(frozen=True, slots=True)
class VerifyAudit:
    """From which seal on, and a seal that must be in the chain."""

    from_seq: int = 1
    known: KnownHead | None = None

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> VerifyAudit:
        """Read `{"fromSeal"?: n, "head"?: "seq:hash"}`; raises InvalidParameter."""
        from_seq, known = event.get("fromSeal", 1), event.get("head")
        if type(from_seq) is not int or not 1 <= from_seq <= MAX_SEQ:
            raise InvalidParameter("`fromSeal` must be the number of a seal, or left out.")
        return cls(from_seq, None if known is None else KnownHead.parse(known))


def verify_audit(command: VerifyAudit, chain: AuditChain) -> dict[str, Any]:
    """Answer `{"seals", "rows", "unsealedRows", "head", "remembered", "intact", "found", "findings", "next"}`.

    `findings` are the first of the `found`, in the order of the chain. `next` is the seal to go on from when time did not suffice
    (its end was not looked at then), else null. What came before the first seal looked at is taken for granted. `remembered` is
    whether Redis had the newest seal to hold the chain's end against.
    """
    remembered = chain.anchor.get()
    walk = _Walk(chain, command.from_seq, [KnownHead(remembered.seq, remembered.hash)] if remembered else [])
    if command.known is not None:
        walk.noted.append(command.known)
    following = walk.run()
    unsealed = 0
    if following is None:
        walk.look_at_the_end(remembered)
        below, unsealed = chain.seals.rows_outside(walk.last_id)
        if below:
            walk.found.append(Finding(0, 0, 0, f"{below} rows have an id that is never given (0 or below)"))
    return {
        "seals": walk.seals,
        "rows": walk.rows,
        "unsealedRows": unsealed,
        "head": head(walk.last) if walk.last else None,
        "remembered": remembered is not None,
        "intact": not walk.found,
        "found": len(walk.found),
        "findings": [finding.as_json() for finding in walk.found[:MAX_FINDINGS]],
        "next": following,
    }


class _Walk:
    """From seal to seal; at most one finding for each, and for each hole between two."""

    def __init__(self, chain: AuditChain, from_seq: int, noted: list[KnownHead]) -> None:
        self._chain = chain
        self._from_seq = from_seq
        self.noted = noted
        before = chain.seals.page(self._from_seq - 1, 1) if self._from_seq > 1 else []
        self.last: Seal | None = before[0] if before and before[0].seq < self._from_seq else None
        self._unsigned: Seal | None = None
        self.found: list[Finding] = []
        self.seals = self.rows = 0

    @property
    def last_id(self) -> int:
        """Where the last seal that was seen ends."""
        return self.last.content.last_id if self.last else 0

    def run(self) -> int | None:
        """Look at all seals; answer the number to go on from when time is up."""
        ends_at, seq = self._chain.clock.monotonic() + MAX_SECONDS, self._from_seq
        while seals := self._chain.seals.page(seq, SEALS_AT_ONCE):
            if self._chain.clock.monotonic() >= ends_at:
                return seq
            # The interval of a seal that was changed could be anything.
            contents = self._chain.seals.contents([seal for seal in seals if seal.is_consistent])
            now = iter(contents)
            for seal in seals:
                self._look_at(seal, now)
            seq = seals[-1].seq + 1
        return None

    def look_at_the_end(self, remembered: Seal | None) -> None:
        """Whether anything was cut off."""
        if self._unsigned is not None:
            self._blame(self._unsigned, "is signed with a key that is not among PAYLOAD_KEYS")
        if remembered is not None and not self._chain.is_genuine(remembered):
            self._blame(remembered, "is remembered in Redis, but was not made by us")
        last_seq = self.last.seq if self.last else 0
        for one in self.noted:
            if one.seq > last_seq:
                up_to = remembered.content.last_id if remembered and remembered.seq == one.seq else self.last_id
                problem = f"seals {last_seq + 1} to {one.seq} are missing at the end"
                self.found.append(Finding(last_seq + 1, self.last_id + 1, max(up_to, self.last_id + 1), problem))

    def _look_at(self, seal: Seal, contents: Iterator[Content]) -> None:
        content = next(contents) if seal.is_consistent else None
        problem = self._problem(seal, content)
        if problem:
            self._blame(seal, problem)
        self.seals += 1
        self.rows += content.row_count if content else 0
        self.last = seal

    def _problem(self, seal: Seal, content: Content | None) -> str:
        """The first that is found, "" for none."""
        signed = self._chain.signer.verify(seal.hash, seal.signature)
        # A later signature covers it; only at the end of the chain is there none.
        self._unsigned = seal if signed is None else None
        expected_seq = self.last.seq + 1 if self.last else self._from_seq
        if content is None:
            return "was changed"
        if signed is False:
            return "was not made by us"
        if seal.seq != expected_seq:
            return f"follows a gap: seals {expected_seq} to {seal.seq - 1} are missing"
        if seal.previous_hash != (self.last.hash if self.last else NO_HASH) or seal.content.first_id != self.last_id + 1:
            return "does not follow the one before it"
        if any(one.seq == seal.seq and one.hash != seal.hash for one in self.noted):
            return "is not the one that was remembered"
        if content.row_count != seal.content.row_count:
            return f"covers {seal.content.row_count} rows, {content.row_count} are there"
        if content.content_hash != seal.content.content_hash:
            return "covers rows that were changed"
        return ""

    def _blame(self, seal: Seal, problem: str) -> None:
        self.found.append(Finding(seal.seq, seal.content.first_id, seal.content.last_id, problem))
