"""The audit log as it grows: in the order of its ids, each entry once and none left out, whatever is being written meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.accounts.find_users import name_users
from shared.audit.entries import AuditEntry, AuditFilter
from shared.audit.get_audit_log import entry_as_json, fitting, parse_id, parse_name
from shared.audit.settled_horizon import settled_horizon
from shared.core.clock import Clock
from shared.core.errors import InvalidParameter

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.audit.postgresql import AuditLog, AuditSeals


ENTRIES_AT_ONCE = 1000
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FollowAuditLog:
    """Entries after the id `after`, or, when that is None, the `last` ones.

    `user` is the id or the name of whom they are about, or who did it.
    """

    after: int | None
    last: int
    user: str | None
    action: str | None
    request_id: str | None

    @classmethod
    def parse(cls, wanted: Mapping[str, Any]) -> FollowAuditLog:
        """Read `{"after"?, "last"?, "user"?, "action"?, "requestId"?}`; raises InvalidParameter."""
        after, last = wanted.get("after"), wanted.get("last", 0)
        if after is not None and (type(after) is not int or after < 0):
            raise InvalidParameter("`after` must be the `after` of the answer before, or left out.")
        if type(last) is not int or not 0 <= last <= ENTRIES_AT_ONCE:
            raise InvalidParameter(f"`last` must be an integer from 0 to {ENTRIES_AT_ONCE}.")
        return cls(after, last, parse_id(wanted, "user"), parse_name(wanted, "action"), parse_id(wanted, "requestId"))


def follow_audit_log(
    command: FollowAuditLog, audit_log: AuditLog, seals: AuditSeals, users: Users, clock: Clock
) -> dict[str, Any]:
    """Answer `{"entries": [...], "usernames": {...}, "after": id to go on from, "more": whether there are more already}`.

    While somebody who was writing does not come to an end nothing is answered: their entries come before those after them.
    Raises InvalidParameter for an `after` beyond the end, which is that of another log.
    """
    up_to = settled_horizon(seals, clock, PATIENCE_SECONDS)
    if up_to is None:
        return _answer([], command.after, users)
    wanted = AuditFilter(_user_id(command.user, users), command.action, request_id=command.request_id)
    if command.after is None:
        return _answer(_last(wanted, command.last, up_to, audit_log), up_to, users)
    if command.after > up_to:
        raise InvalidParameter(f"The audit log ends with entry {up_to}, before {command.after}: that one is of another log.")
    entries = audit_log.additions(wanted, command.after, up_to, ENTRIES_AT_ONCE)
    part = fitting(entries)
    more = len(entries) == ENTRIES_AT_ONCE or len(part) < len(entries)
    return _answer(part, part[-1].id if more else up_to, users, more=more)


def _user_id(user: str | None, users: Users) -> str | None:
    account = users.by_username(user) if user is not None else None
    return user if account is None else account.user_id


def _last(wanted: AuditFilter, count: int, up_to: int, audit_log: AuditLog) -> Sequence[AuditEntry]:
    if not count:
        return []
    filters = [wanted] if wanted.user_id is None else [wanted, replace(wanted, user_id=None, actor=wanted.user_id)]
    found = {entry.id: entry for one in filters for entry in audit_log.newest(one, count, up_to + 1)}
    newest_first = [found[number] for number in sorted(found, reverse=True)[:count]]
    return fitting(newest_first)[::-1]


def _answer(entries: Sequence[AuditEntry], after: int | None, users: Users, *, more: bool = False) -> dict[str, Any]:
    usernames = name_users((user_id for entry in entries for user_id in (entry.actor, entry.user_id)), users)
    return {"entries": [entry_as_json(entry) for entry in entries], "usernames": usernames, "after": after, "more": more}
