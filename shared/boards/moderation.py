"""Decisions of moderators: who is hidden on a board, or on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal, NamedTuple, cast

from shared.accounts.player import checked_user_id, checked_user_ids
from shared.core.clock import utc_text
from shared.core.cursor import MAX_ID
from shared.core.errors import InvalidParameter
from shared.core.text import is_readable

MAX_PLAYERS, MAX_REASON = 10_000, 500
ACTIONS, ABOUT_SCORES = ("hide", "show", "undo"), ("strike", "adjust")
Action = Literal["hide", "show", "undo"]


class ModerationEntry(NamedTuple):
    """A decision that was written down; `undone_by` is the one that took it back, None while it holds.

    `struck`, `value` and `second` are those of decisions about scores.
    """

    entry_id: int
    board_id: str
    user_id: str
    action: str
    reason: str
    moderator: str
    moderated_at: datetime
    undoes: int | None = None
    undone_by: int | None = None
    struck: str | None = None
    value: int | None = None
    second: int | None = None

    def as_json(self) -> dict[str, Any]:
        """In the words of the API."""
        told = {"undoes": self.undoes, "struck": self.struck, "value": self.value, "second": self.second}
        return {
            "id": self.entry_id,
            "board": self.board_id,
            "userId": self.user_id,
            "action": self.action,
            "reason": self.reason,
            "moderator": self.moderator,
            "moderatedAt": utc_text(self.moderated_at),
            "undoneBy": self.undone_by,
            **{name: value for name, value in told.items() if value is not None},
        }


class FoundPlayer(NamedTuple):
    """Somebody about whom a decision would be."""

    user_id: str
    username: str
    display_name: str | None

    def as_json(self) -> dict[str, str]:
        """In the words of the API."""
        return {"userId": self.user_id, "username": self.username, "displayName": self.display_name or self.username}


@dataclass(frozen=True, slots=True)
class Players:
    """Several players: those of a simulation; or who registered, updated or entered from a network within a time; or by ids."""

    is_simulated: bool = False
    network: IPv4Network | IPv6Network | None = None
    since: datetime | None = None
    until: datetime | None = None
    user_ids: Sequence[str] = ()

    @classmethod
    def parse(cls, told: object) -> Players:
        """Read `{"simulated": true}`, `{"network", "since"?, "until"?}` or `{"userIds"}`; raises InvalidParameter."""
        if isinstance(told, dict):
            names = set(told)
            if names == {"simulated"} and told["simulated"] is True:
                return cls(is_simulated=True)
            if names == {"userIds"}:
                user_ids = sorted(set(checked_user_ids(told["userIds"])))
                if len(user_ids) > MAX_PLAYERS:
                    raise InvalidParameter(f"`userIds` must be at most {MAX_PLAYERS} ids. Send several requests.")
                return cls(user_ids=user_ids)
            if "network" in names and names <= {"network", "since", "until"}:
                return cls(network=_network(told["network"]), since=_instant(told, "since"), until=_instant(told, "until"))
        raise InvalidParameter(
            '`players` must be {"simulated": true}, {"network": "203.0.113.0/24", "since": …, "until": …} or {"userIds": […]}.'
        )

    def has(self, source_ip: str) -> bool:
        """Whether an address, as it was written down, is one of the network's."""
        try:
            address = ip_address(source_ip)
        except ValueError:
            return False
        return self.network is not None and address in self.network


@dataclass(frozen=True, slots=True)
class Moderate:
    """A moderator's command: about one player, or about `players`, where `preview` decides nothing.

    An `undo` is about the player of the entry that it takes back.
    """

    board_id: str
    action: Action
    reason: str
    user_id: str = ""
    entry_id: int = 0
    players: Players | None = None
    preview: bool = False

    @classmethod
    def parse(cls, board_id: str, body: Mapping[str, Any]) -> Moderate:
        """Read `{"action", "reason", "userId"}`, with `"players"` in the place of the player and `"preview"?`, or `{"action":
        "undo", "reason", "entryId"}`; raises InvalidParameter.
        """
        action = body.get("action")
        if action not in ACTIONS:
            raise InvalidParameter(f"`action` must be one of {', '.join((*ACTIONS, *ABOUT_SCORES))}.")
        made = cls(board_id, cast("Action", action), checked_reason(body))
        about = [name for name in ("userId", "players", "entryId") if body.get(name) is not None]
        if action == "undo":
            return replace(made, entry_id=checked_entry_id(body))
        if about == ["userId"]:
            return replace(made, user_id=checked_user_id(body["userId"]))
        if about != ["players"]:
            raise InvalidParameter("Send `userId` for one player, or `players` for several.")
        preview = body.get("preview", False)
        if type(preview) is not bool:
            raise InvalidParameter("`preview` must be true or false.")
        return replace(made, players=Players.parse(body["players"]), preview=preview)


def checked_reason(body: Mapping[str, Any]) -> str:
    """The reason of a decision; raises InvalidParameter."""
    reason = body.get("reason")
    if not isinstance(reason, str) or not is_readable(reason) or len(reason.strip()) > MAX_REASON:
        raise InvalidParameter(f"`reason` must be a text of 1 to {MAX_REASON} characters, on one line, that says why.")
    return reason.strip()


def checked_entry_id(body: Mapping[str, Any]) -> int:
    """The id of the decision that is undone; raises InvalidParameter."""
    about = [name for name in ("userId", "players", "entryId") if body.get(name) is not None]
    if about != ["entryId"] or type(body["entryId"]) is not int or not 0 < body["entryId"] <= MAX_ID:
        raise InvalidParameter("Send `entryId`, the id of the entry to be undone, and neither `userId` nor `players`.")
    return int(body["entryId"])


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(value) if isinstance(value, str) else ip_network("")
    except ValueError:
        raise InvalidParameter("`network` must be a network or an address, such as 203.0.113.0/24 or 2001:db8::/48.") from None


def _instant(told: Mapping[str, Any], name: str) -> datetime | None:
    value = told.get(name)
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        found = at.astimezone(UTC) if at.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None:
        raise InvalidParameter(f"`{name}` must be an instant with an offset, such as 2026-12-01T18:00:00+01:00.")
    return found
