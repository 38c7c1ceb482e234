"""Refusals that matter, and how many of a kind become one entry of the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

ANYBODY = "anonymous"
SEVERAL = "several"
MAX_ID_LENGTH, MAX_TEXT_LENGTH = 36, 64


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: `action` was refused for the reason `reason` (an error's code).

    `user_id` is whom it was about, or `username` when only a name is known (a log-in); "" for unknown. These come from clients.
    """

    action: str
    reason: str
    actor: str
    user_id: str
    username: str
    source_ip: str
    request_id: str

    def bounded(self) -> Refusal:
        """The same with no field longer than its column or unfit for it."""
        return replace(
            self,
            actor=_fitting(self.actor, MAX_TEXT_LENGTH) or ANYBODY,
            user_id=_fitting(self.user_id, MAX_ID_LENGTH),
            username=_fitting(self.username, MAX_TEXT_LENGTH),
            source_ip=_fitting(self.source_ip, MAX_TEXT_LENGTH),
            request_id=_fitting(self.request_id, MAX_TEXT_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class RefusalGroup:
    """`count` refusals of one kind in one minute; address and request id are those of the first one.

    With `is_left_out` they are those for which there was no room any more, of all actors, users and addresses.
    """

    action: str
    reason: str
    actor: str
    user_id: str
    username: str
    address_prefix: str
    count: int
    first_at: datetime
    last_at: datetime
    source_ip: str
    request_id: str
    is_left_out: bool = False


@dataclass(frozen=True, slots=True)
class RefusalBatch:
    """Groups that are to be recorded together, once: `batch_id` tells whether they were."""

    batch_id: str
    groups: Sequence[RefusalGroup]


def merged(groups: Iterable[RefusalGroup]) -> list[RefusalGroup]:
    """Groups that differ in a name that nobody has are one: what was typed there may well have been a password."""
    found: dict[tuple[object, ...], RefusalGroup] = {}
    for group in groups:
        minute = group.first_at.replace(second=0, microsecond=0)
        kind = (minute, group.action, group.reason, group.actor, group.user_id, group.address_prefix, group.is_left_out)
        known = found.get(kind)
        found[kind] = group if known is None else _joined(known, group)
    return list(found.values())


def _joined(one: RefusalGroup, other: RefusalGroup) -> RefusalGroup:
    first, second = sorted((one, other), key=lambda group: group.first_at)
    return replace(first, count=first.count + second.count, last_at=max(first.last_at, second.last_at))


def _fitting(text: str, length: int) -> str:
    return text if len(text) <= length and text.isascii() and text.isprintable() else ""
