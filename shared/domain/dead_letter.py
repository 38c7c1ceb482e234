"""An update that could not be recorded and was parked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked message: what its plain fields say, as far as they can be read, and what its headers say of its fate.

    `parked_at` is ISO 8601 in UTC; `size` is the length of the body in bytes.
    """

    request_id: str | None
    user_id: str | None
    increment: int | None
    reason: str
    parked_at: str
    attempts: int
    origin: str
    size: int


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many dead letters were moved back to where they came from, and how many lie there after that."""

    moved: int
    left: int
