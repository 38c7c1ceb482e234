"""Months of ledger and audit log as files: written, signed, checked, taken out of the database and put back.

A file is JSON lines, compressed: a line for each row, as the database writes it, and a last one that names the part and is signed
with a key that neither the file nor the database has. Whoever calls these reads and writes the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.audit.entries import Signature, part_hash
from shared.core.clock import utc_text
from shared.core.errors import InvalidParameter, PartNotReady
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.audit.hmac_seals import SealSigner
    from shared.operations.archive_postgresql import ArchiveParts

LINES_AT_ONCE = 5000
MAX_ANSWER_BYTES = 2_000_000
KINDS = ("audit_log", "score_history")
_ATTEMPT = re.compile(r"[0-9a-f]{0,32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """A month of a table. It is being moved until it is `filled`, and `dropped` when it is in its file alone.

    `recorded_until` (UTC): everything in it was recorded before. `digest`: SHA-256 (hex) of its file's lines, "" without one.
    """

    kind: str
    name: str
    first_id: int
    last_id: int
    recorded_until: datetime
    rows: int
    filled: bool
    dropped: bool
    digest: str = ""

    @property
    def state(self) -> str:
        """`moving`, `kept`, `filed` (kept, and in a file) or `dropped`."""
        if self.dropped:
            return "dropped"
        return ("filed" if self.digest else "kept") if self.filled else "moving"

    def as_json(self) -> dict[str, Any]:
        """For operators."""
        return {
            "kind": self.kind,
            "part": self.name,
            "state": self.state,
            "rows": self.rows if self.filled else None,
            "firstId": self.first_id,
            "lastId": self.last_id,
            "recordedUntil": utc_text(self.recorded_until),
            "digest": self.digest or None,
        }


@dataclass(frozen=True, slots=True)
class PartFile:
    """The last line of a file."""

    kind: str
    part: str
    first_id: int
    last_id: int
    recorded_until: str
    rows: int
    digest: str
    signature: Signature

    @staticmethod
    def hash_of(part: Part, digest: str) -> str:
        """What is signed: SHA-256 (hex) of everything the line says."""
        return part_hash(part.kind, part.name, part.first_id, part.last_id, part.recorded_until, part.rows, digest)

    @classmethod
    def parse(cls, given: object) -> PartFile:
        """Read it; raises InvalidParameter."""
        try:
            line: Mapping[str, Any] = given["archive"]  # type: ignore[index]  # whatever it is, the error is the same
            found = cls(
                str(line["kind"]),
                str(line["part"]),
                int(line["firstId"]),
                int(line["lastId"]),
                str(line["recordedUntil"]),
                int(line["rows"]),
                str(line["digest"]),
                Signature(str(line["keyId"]), str(line["mac"])),
            )
            datetime.fromisoformat(found.recorded_until)
        except (KeyError, TypeError, ValueError):
            raise InvalidParameter("`file` must be the last line of a file that `scoreboard archive export` wrote.") from None
        return found

    @property
    def as_part(self) -> Part:
        """What it says of its part."""
        until = datetime.fromisoformat(self.recorded_until).astimezone(UTC)
        return Part(self.kind, self.part, self.first_id, self.last_id, until, self.rows, True, True, self.digest)

    def as_json(self) -> dict[str, Any]:
        """As it is in the file."""
        return {
            "archive": {
                "kind": self.kind,
                "part": self.part,
                "firstId": self.first_id,
                "lastId": self.last_id,
                "recordedUntil": self.recorded_until,
                "rows": self.rows,
                "digest": self.digest,
                "keyId": self.signature.key_id,
                "mac": self.signature.mac,
            }
        }


def list_parts(parts: ArchiveParts) -> dict[str, Any]:
    """Answer `{"data": [...]}`, by kind, the oldest first."""
    return {"data": [part.as_json() for part in parts.all()]}


def read_part(wanted: Mapping[str, Any], parts: ArchiveParts) -> dict[str, Any]:
    """Read `{"kind", "part", "after"?}`; answer `{"lines": [...], "after": where to go on from, null at the end}`.

    Raises InvalidParameter, UnknownPart, PartNotReady.
    """
    part = _part(wanted, parts)
    if part.state not in ("kept", "filed"):
        raise PartNotReady(f"{part.kind} {part.name} is {part.state}: nothing can be read of it.")
    after = wanted.get("after", 0)
    if type(after) is not int or after < 0:
        raise InvalidParameter("`after` must be the `after` of the lines before, or left out.")
    found = parts.lines(part, after, LINES_AT_ONCE)
    rows = _fitting(found)
    more = len(found) >= LINES_AT_ONCE or len(rows) < len(found)
    return {"lines": [line for _, line in rows], "after": rows[-1][0] if more else None}


def _fitting(rows: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """The first of these lines that fit into one answer, all of a place or none: rows of the audit log may be long."""
    size = 0
    for number, (place, line) in enumerate(rows):
        size += len(json.dumps(line))
        if size > MAX_ANSWER_BYTES and number and place != rows[number - 1][0]:
            return rows[:number]
    return rows


def sign_part(wanted: Mapping[str, Any], parts: ArchiveParts, signer: SealSigner) -> dict[str, Any]:
    """Read `{"kind", "part", "rows", "digest"}` of lines that were written; answer the last line, signed.

    Raises InvalidParameter, UnknownPart, PartNotReady when the lines are not as many as the part has.
    """
    part, digest = _part(wanted, parts), str(wanted.get("digest"))
    if not _DIGEST.fullmatch(digest):
        raise InvalidParameter("`digest` must be the SHA-256 of the lines, in hex.")
    if not part.filled or part.dropped or wanted.get("rows") != part.rows:
        raise PartNotReady(f"{part.kind} {part.name} is {part.state} and has {part.rows} rows: export it again.")
    signature = signer.sign(PartFile.hash_of(part, digest))
    parts.note_file(part, digest, signature)
    until = utc_text(part.recorded_until)
    file = PartFile(part.kind, part.name, part.first_id, part.last_id, until, part.rows, digest, signature)
    return file.as_json()


def check_file(wanted: Mapping[str, Any], parts: ArchiveParts, signer: SealSigner) -> dict[str, Any]:
    """Read `{"file"}`; answer `{"genuine", "state"}`: whether we signed it, null without its key; its part's, null if unknown."""
    file = PartFile.parse(wanted.get("file"))
    known = parts.find(file.kind, file.part)
    return {"genuine": _is_genuine(file, parts, signer), "state": known.state if known else None}


def drop_part(wanted: Mapping[str, Any], parts: ArchiveParts, signer: SealSigner) -> dict[str, Any]:
    """Read `{"file"}`, whose lines the caller has read once more; take the part out of the database; answer it.

    Raises InvalidParameter, UnknownPart, PartNotReady: the file is not that of the part as it stands, or messages of that time
    may still be redriven.
    """
    file = PartFile.parse(wanted.get("file"))
    part = _of_file(file, parts, signer)
    if part.dropped:
        raise PartNotReady(f"{part.kind} {part.name} is not in the database any more.")
    if part.digest != file.digest:
        raise PartNotReady(f"{part.kind} {part.name} is not what this file says: export it again.")
    waiting = parts.letters_until(part.recorded_until) if part.kind == "score_history" else 0
    if waiting:
        raise PartNotReady(
            f"{waiting} messages may be of that time, and whether they count is known while the part is here:"
            " redrive or discard them first (`scoreboard dead-letters list`)."
        )
    parts.drop(part)
    _log.warning("a part of the archive is in its file alone", extra={"kind": part.kind, "part": part.name, "rows": part.rows})
    return parts.get(part.kind, part.name).as_json()


def restore_part(wanted: Mapping[str, Any], parts: ArchiveParts, signer: SealSigner) -> dict[str, Any]:
    """Read `{"file", "lines", "begins"?, "ends"?, "attempt"?}`, the lines a page after the other; with the last ones the part is
    there again. `attempt`, hex digits, is the same for all pages: of several at once the one that began last goes on.

    Answer it. Raises InvalidParameter, UnknownPart, PartNotReady.
    """
    file = PartFile.parse(wanted.get("file"))
    part = _of_file(file, parts, signer)
    if not part.dropped:
        raise PartNotReady(f"{part.kind} {part.name} is in the database.")
    lines = wanted.get("lines")
    if not isinstance(lines, Sequence) or len(lines) > LINES_AT_ONCE or not all(isinstance(line, str) for line in lines):
        raise InvalidParameter(f"`lines` must be up to {LINES_AT_ONCE} lines of the file.")
    attempt = wanted.get("attempt", "")
    if not isinstance(attempt, str) or not _ATTEMPT.fullmatch(attempt):
        raise InvalidParameter("`attempt` must be up to 32 hex digits, or left out.")
    parts.load(part, lines, attempt, anew=wanted.get("begins") is True)
    if wanted.get("ends") is True:
        parts.attach(part, attempt)
        _log.warning("a part of the archive is back", extra={"kind": part.kind, "part": part.name, "rows": part.rows})
    return parts.get(part.kind, part.name).as_json()


def _part(wanted: Mapping[str, Any], parts: ArchiveParts) -> Part:
    kind, name = str(wanted.get("kind")), str(wanted.get("part"))
    if kind not in KINDS:
        raise InvalidParameter(f"`kind` must be one of {', '.join(KINDS)}.")
    return parts.get(kind, name)


def _of_file(file: PartFile, parts: ArchiveParts, signer: SealSigner) -> Part:
    """What the database knows of its part; raises UnknownPart, PartNotReady when the file is not one of ours."""
    part = parts.get(file.kind, file.part)
    if not _is_genuine(file, parts, signer):
        raise PartNotReady("The file was not signed with a key of this installation, or its last line was changed.")
    return part


def _is_genuine(file: PartFile, parts: ArchiveParts, signer: SealSigner) -> bool | None:
    """Of a file whose key was given up: whether what it says was signed anew meanwhile, or nobody can tell."""
    said = PartFile.hash_of(file.as_part, file.digest)
    verified = signer.verify(said, file.signature)
    return verified if verified is not None else parts.is_signed(said, signer.signatures(said)) or None
