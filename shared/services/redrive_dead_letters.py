"""Move dead letters back to where they came from, after the cause is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidParameter
from shared.ids import canonical_id
from shared.ports import DeadLetters, Ledger

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
MAX_REQUEST_IDS = 1000


@dataclass(frozen=True, slots=True)
class Redrive:
    """At most `limit`, and only these request ids unless None; `actor` wants it, by the request `request_id` from `source_ip`."""

    actor: str
    limit: int = DEFAULT_LIMIT
    request_ids: tuple[str, ...] | None = None
    source_ip: str | None = None
    request_id: str | None = None

    @classmethod
    def parse(
        cls, body: Mapping[str, Any], *, actor: str, source_ip: str | None = None, request_id: str | None = None
    ) -> Redrive:
        """Read `{"limit"?: n, "requestIds"?: [...]}`; raises InvalidParameter."""
        limit = body.get("limit", DEFAULT_LIMIT)
        if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
            raise InvalidParameter(f"`limit` must be an integer from 1 to {MAX_LIMIT}.")
        if "requestIds" not in body:  # null is no list: whoever lost theirs does not mean all
            return cls(actor, limit, None, source_ip, request_id)
        request_ids = body["requestIds"]
        if (
            not isinstance(request_ids, list)
            or not 1 <= len(request_ids) <= MAX_REQUEST_IDS
            or not all(isinstance(request_id, str) for request_id in request_ids)
        ):
            raise InvalidParameter(f"`requestIds` must be a list of 1 to {MAX_REQUEST_IDS} request ids, or left out.")
        return cls(actor, limit, tuple(map(canonical_id, request_ids)), source_ip, request_id)


def redrive_dead_letters(command: Redrive, dead_letters: DeadLetters, ledger: Ledger) -> dict[str, int]:
    """`{"redriven": n, "left": n}`, audited.

    What the ledger has already counts no second time, and what fails again is parked again.
    """
    redriven = dead_letters.redrive(command.limit, command.request_ids)
    detail = {"redriven": redriven.moved, "left": redriven.left}
    ledger.audit(
        "dead_letters_redriven",
        actor=command.actor,
        user_id=None,
        detail=detail,
        source_ip=command.source_ip,
        request_id=command.request_id,
    )
    return detail
