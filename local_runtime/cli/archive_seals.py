"""The rows in a file of the audit log, held against the seals in it: no row of the database is needed for that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_runtime.cli.archive_file import Verified, foreign, is_row, lines_of

SEALS_AT_ONCE = 1000
_FIELDS = [int, int, int, int, str, int, str, str, str, str]
Call = Callable[[object], Any]


@dataclass(slots=True)
class Seal:
    """A seal as it is in the file (`fields`), and what was found of the rows that it covers."""

    fields: Sequence[Any]
    rows: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def take(self, line: str) -> None:
        """The next of its rows."""
        self.digest.update(f"\n{line}".encode() if self.rows else line.encode())
        self.rows += 1

    @property
    def number(self) -> int:
        """Its number."""
        return int(self.fields[0])

    @property
    def first_id(self) -> int:
        """Of the ids that it covers."""
        return int(self.fields[1])

    @property
    def last_id(self) -> int:
        """Of the ids that it covers."""
        return int(self.fields[2])

    @property
    def said_rows(self) -> int:
        """How many rows it says that it covers."""
        return int(self.fields[3])

    @property
    def previous_hash(self) -> str:
        """Of the seal before it."""
        return str(self.fields[6])

    @property
    def hash(self) -> str:
        """Its own."""
        return str(self.fields[7])


def problems_with_seals(call: Call, file: Verified) -> list[str]:
    """What is wrong with them; nothing for a file of another kind. `call` asks the running instance, which has the keys."""
    if file.about["kind"] != "audit_log":
        return []
    seals = list(_ours(call, file))
    problems = [*_misplaced(seals, int(file.about["firstId"]), int(file.about["lastId"])), *_read_rows(seals, file)]
    for page in _pages(seals):
        contents = [f"2:{seal.digest.hexdigest()}" for seal in page]
        told = call({"action": "seals", "seals": [seal.fields for seal in page], "contents": contents})
        for seal, covers in zip(page, told["covers"], strict=True):
            if seal.rows != seal.said_rows:
                problems.append(f"seal {seal.number} covers {seal.said_rows} rows, {seal.rows} are there")
            elif not covers:
                problems.append(f"seal {seal.number} covers rows that were changed")
    return problems


def _ours(call: Call, file: Verified) -> Iterator[Seal]:
    """Seals of our chain: others may have been written beside them, and mean nothing."""
    found = [_seal(file, line) for line in lines_of(file.path) if not is_row(line)]
    for page in _pages(found):
        told = call({"action": "seals", "seals": [seal.fields for seal in page]})
        yield from (seal for seal, is_ours in zip(page, told["ours"], strict=True) if is_ours)


def _seal(file: Verified, line: str) -> Seal:
    try:
        fields = json.loads(line)["seal"]
        is_one = [type(value) for value in fields] == _FIELDS
    except (ValueError, TypeError, LookupError, RecursionError):
        raise foreign(file.path) from None
    if not is_one:
        raise foreign(file.path)
    return Seal(fields)


def _misplaced(seals: Sequence[Seal], first_id: int, last_id: int) -> Iterator[str]:
    """Whether one follows the other, from the part's first row to its last."""
    expected = first_id
    for place, seal in enumerate(seals):
        follows = not place or seal.previous_hash == seals[place - 1].hash
        if seal.first_id != expected or not follows:
            yield f"seal {seal.number} does not follow the one before it"
        expected = seal.last_id + 1
    if expected != last_id + 1:
        yield f"no seal covers rows {expected} to {last_id}"


def _read_rows(seals: Sequence[Seal], file: Verified) -> Iterator[str]:
    """Give each row to its seal; tell of those that have none."""
    place, outside = 0, 0
    for line in filter(is_row, lines_of(file.path)):
        row_id = _row_id(file, line)
        while place < len(seals) and seals[place].last_id < row_id:
            place += 1
        if place < len(seals) and seals[place].first_id <= row_id:
            seals[place].take(line)
        else:
            outside += 1
    if outside:
        yield f"{outside} rows are under no seal"


def _row_id(file: Verified, line: str) -> int:
    try:
        return int(line[1 : line.index(",")])
    except ValueError:
        raise foreign(file.path) from None


def _pages(seals: Sequence[Seal]) -> Iterator[Sequence[Seal]]:
    return (seals[place : place + SEALS_AT_ONCE] for place in range(0, len(seals), SEALS_AT_ONCE))
