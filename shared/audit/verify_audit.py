"""Hold the audit log against its seals: an edit, a row too many or too few, a seal that is missing or not ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.audit.entries import MAX_SEQ, NO_HASH, Content, DetachedPart, Seal
from shared.audit.seal_audit import AuditChain, head
from shared.core.errors import InvalidParameter

SEALS_AT_ONCE = 10
MAX_SECONDS = 600.0
MAX_FINDINGS = 100
MAX_PENDING = 50_000
_LAST_SEQ = 2**63 - 1  # that a row could have


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
        if not (seq.isascii() and seq.isdigit() and int(seq[:20]) <= MAX_SEQ and hash_text):
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
    """Answer `{"seals", "rows", "unsealedRows", "detached", "head", "remembered", "intact", "found", "findings", "next"}`.

    `detached` are parts of the archive that are in files alone, as we signed, each `{"part", "firstSeal", "lastSeal", "rows",
    "digest"}`: their rows are in no other place, and `digest` is that of the lines of the file they are in.
    `findings` are the first of the `found`, in the order of the chain. `next` is the seal to go on from when time did not suffice
    (its end was not looked at then), else null. What came before the first seal looked at is taken for granted. `remembered` is
    whether Redis had the newest seal to hold the chain's end against. Raises InvalidParameter for a first seal that is to come.
    """
    remembered = chain.anchor.get()
    newest = max((seal.seq for seal in (*chain.seals.newest(), remembered, command.known) if seal), default=0)
    if command.from_seq > newest + 1:
        raise InvalidParameter(f"`fromSeal` must be at most {newest + 1}: there are {newest} seals.")
    walk = _Walk(chain, command.from_seq, [KnownHead(remembered.seq, remembered.hash)] if remembered else [])
    if command.known is not None:
        walk.noted.append(command.known)
    following = walk.run()
    unsealed = 0
    if following is None:
        walk.look_at_the_end(remembered)
        below, unsealed = chain.seals.rows_outside(walk.last_id)
        if below:
            walk.findings.add(Finding(0, 0, 0, f"{below} rows have an id that is never given (0 or below)"))
    return {
        "seals": walk.seals,
        "rows": walk.rows,
        "unsealedRows": unsealed,
        "detached": walk.detached_as_json(),
        "head": head(walk.last) if walk.last else None,
        "remembered": remembered is not None,
        "intact": not walk.findings.count,
        "found": walk.findings.count,
        "findings": [finding.as_json() for finding in walk.findings.first],
        "next": following,
    }


class _Findings:
    """All are counted, the first MAX_FINDINGS kept."""

    def __init__(self) -> None:
        self.first: list[Finding] = []
        self.count = 0

    def add(self, finding: Finding) -> None:
        self.count += 1
        if len(self.first) < MAX_FINDINGS:
            self.first.append(finding)

    def blame(self, seal: Seal, problem: str) -> None:
        self.add(Finding(seal.seq, seal.content.first_id, seal.content.last_id, problem))


class _Walk:
    """From seal to seal of ours; at most one finding for each, and for each hole between two.

    Seals stand in a table to which a stranger may have added, so each row is one of these:

    - signed by us: part of the chain, which goes on from it;
    - signed under a key that we do not have (any more): pending, until a later seal that is signed by us turns out to be made
      after it. One that none was made after is a stranger's, or the end of a chain whose key was given up too early;
    - anything else is not ours, is told of, and otherwise passed over: the chain goes on from the one before.
    """

    def __init__(self, chain: AuditChain, from_seq: int, noted: list[KnownHead]) -> None:
        self._chain = chain
        self._from_seq = from_seq
        self.noted = noted
        before = chain.seals.newest(below=from_seq)
        self.last: Seal | None = before[0] if before and chain.is_genuine(before[0]) else None
        # What came before is taken for granted: where it is not a seal of ours, so is what the first one follows.
        self._is_at_start = from_seq > 1 and self.last is None
        self._pending: dict[str, Seal] = {}
        self._passed_over = False  # since the last one of ours: what is missing has been told
        self._replaced: set[int] = set()  # numbers of noted ones, in whose place another one stands
        self._detached = [part for part in chain.archive.detached() if chain.is_signed(part.hash)]
        self._seals_of: dict[DetachedPart, tuple[int, int]] = {}
        self.findings = _Findings()
        self.seals = self.rows = 0

    @property
    def last_id(self) -> int:
        """Where the last seal of ours that was seen ends."""
        return self.last.content.last_id if self.last else 0

    def detached_as_json(self) -> list[dict[str, Any]]:
        """The parts that seals of ours were found of, for the report."""
        return [
            {"part": part.part, "firstSeal": first, "lastSeal": last, "rows": part.rows, "digest": part.digest}
            for part, (first, last) in self._seals_of.items()
        ]

    def run(self) -> int | None:
        """Look at all seals; answer the number to go on from when time is up."""
        ends_at, seq = self._chain.clock.monotonic() + MAX_SECONDS, self._from_seq
        while seq <= _LAST_SEQ and (seals := self._chain.seals.page(seq, SEALS_AT_ONCE)):
            if self._chain.clock.monotonic() >= ends_at:
                self._take_pending()
                return seq
            self._look_at([taken for seal in seals for taken in self._sorted(seal)])
            seq = seals[-1].seq + 1
        return None

    def look_at_the_end(self, remembered: Seal | None) -> None:
        """Whether anything was cut off."""
        for seal in self._take_pending():
            self.findings.blame(seal, "is signed with a key that is not among PAYLOAD_KEYS")
        if remembered is not None and not self._chain.is_genuine(remembered):
            self.findings.blame(remembered, "is remembered in Redis, but was not made by us")
        last_seq = self.last.seq if self.last else 0
        for one in self.noted:
            if one.seq > last_seq and one.seq not in self._replaced:
                up_to = remembered.content.last_id if remembered and remembered.seq == one.seq else self.last_id
                problem = f"seals {last_seq + 1} to {one.seq} are missing at the end"
                self.findings.add(Finding(last_seq + 1, self.last_id + 1, max(up_to, self.last_id + 1), problem))

    def _sorted(self, seal: Seal) -> list[tuple[Seal, str]]:
        """Those that this one shows to be of the chain, itself the last, each with what is wrong with its place, or ""."""
        self.seals += 1
        signed = self._chain.signer.verify(seal.hash, seal.signature) if seal.is_consistent else False
        if signed is None:
            self._pending[seal.hash] = seal
            if len(self._pending) > MAX_PENDING:
                return self._accepted(self._chain_of_pending())
            return []
        if not signed:
            self.findings.blame(seal, "is not one of ours" if seal.is_consistent else "was changed, or is not one of ours")
            self._passed_over = True
            self._replaced.update(one.seq for one in self.noted if one.seq == seal.seq)
            return []
        path = [seal]
        while (before := self._pending.pop(path[-1].previous_hash, None)) is not None:
            path.append(before)
        strangers, self._pending = list(self._pending.values()), {}
        for stranger in strangers:
            self.findings.blame(stranger, "is not one of ours, and no seal of ours follows it")
        self._passed_over = self._passed_over or bool(strangers)
        return self._accepted(path[::-1])

    def _chain_of_pending(self) -> list[Seal]:
        """Those that follow the last one of ours, one another's successors; all others are forgotten."""
        following = {seal.previous_hash: seal for seal in reversed(self._pending.values())}
        self._pending = {}
        path: list[Seal] = []
        root = min(following.values(), key=lambda seal: seal.seq).previous_hash if self._is_at_start and following else ""
        seal = following.get(root or (self.last.hash if self.last else NO_HASH))
        while seal is not None and len(path) <= len(following):
            path.append(seal)
            seal = following.get(seal.hash)
        return path

    def _accepted(self, path: list[Seal]) -> list[tuple[Seal, str]]:
        taken = []
        for seal in path:
            taken.append((seal, self._misplaced(seal)))
            self.last, self._is_at_start, self._passed_over = seal, False, False
        return taken

    def _misplaced(self, seal: Seal) -> str:
        if self._is_at_start:
            return ""
        if seal.previous_hash != (self.last.hash if self.last else NO_HASH):
            expected_seq = self.last.seq + 1 if self.last else self._from_seq
            if self._passed_over:
                return ""
            if seal.seq > expected_seq:
                return f"follows a gap: seals {expected_seq} to {seal.seq - 1} are missing"
            return "does not follow the one before it"
        return "" if seal.content.first_id == self.last_id + 1 else "does not follow the one before it"

    def _take_pending(self) -> list[Seal]:
        """Go through those that may be ours as if they were; answer the last of them, and all others."""
        pending = list(self._pending.values())
        path = self._chain_of_pending()
        self._look_at(self._accepted(path))
        known = {seal.hash for seal in path[:-1]}
        return [seal for seal in pending if seal.hash not in known]

    def _look_at(self, taken: list[tuple[Seal, str]]) -> None:
        """Hold the rows against what the seals say of them."""
        for place in range(0, len(taken), SEALS_AT_ONCE):
            part = taken[place : place + SEALS_AT_ONCE]
            seals = [seal for seal, _ in part]
            contents, clear_texts = self._chain.seals.contents(seals), self._chain.seals.clear_texts(seals)
            for (seal, misplaced), content, (missing, changed) in zip(part, contents, clear_texts, strict=True):
                self.rows += content.row_count
                problem = misplaced or self._problem(seal, content)
                if not problem and missing + changed:
                    problem = f"covers rows of which {missing} clear texts are missing, and {changed} were changed"
                if problem:
                    self.findings.blame(seal, problem)

    def _problem(self, seal: Seal, content: Content) -> str:
        if any(one.seq == seal.seq and one.hash != seal.hash for one in self.noted):
            return "is not the one that was remembered"
        if seal.content.format is None:
            return "was made by a newer version: verify with that"
        if (part := next((part for part in self._detached if part.covers(seal.content)), None)) is not None:
            first, _ = self._seals_of.get(part, (seal.seq, seal.seq))
            self._seals_of[part] = first, seal.seq
            return f"covers rows of the detached part {part.part}, {content.row_count} are there" if content.row_count else ""
        if content.row_count != seal.content.row_count:
            return f"covers {seal.content.row_count} rows, {content.row_count} are there"
        if content.content_hash != seal.content.content_hash and not self._is_restated(seal):
            return "covers rows that were changed"
        return ""

    def _is_restated(self, seal: Seal) -> bool:
        """Whether hashes stand in for the clear texts that it covers."""
        if seal.content.format != 1:
            return False
        [hashed] = self._chain.seals.contents([seal], hashed=True)
        return self._chain.is_signed(seal.restated(hashed.content_hash))
