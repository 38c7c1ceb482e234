"""One of several instances on the same stores: who it is, and which settings it must share with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Where two differ in these, a player's updates come through several queues, or each has a part of the board.
MUST_AGREE = ("HISTORY_QUEUES", "KEY_PREFIX")
MESSAGES = "MESSAGES"


@dataclass(frozen=True, slots=True)
class Instance:
    """`instance_id` is made at each start; `former_id` is the one that used its data directory before, and has ended.

    `settings` by the names of their variables: MUST_AGREE, and those in which instances only differ while they are changed.
    `schema` is the newest migration that its version has, `messages` the newest form of messages.
    """

    instance_id: str
    former_id: str
    settings: Mapping[str, Any]
    schema: int
    messages: int

    @property
    def detail(self) -> dict[str, Any]:
        """What it says of itself to the others."""
        return {**self.settings, "SCHEMA": self.schema, MESSAGES: self.messages}

    @property
    def presence(self) -> str:
        """The lease that says that it is there."""
        return f"instance:{self.instance_id}"

    def differences(self, others: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """By setting, the values that other instances have instead of this one's; what one does not tell is no difference."""
        found: dict[str, list[Any]] = {}
        for other in others:
            for name, value in self.settings.items():
                if name in other and other[name] != value and other[name] not in found.setdefault(name, []):
                    found[name].append(other[name])
        return {name: values for name, values in found.items() if values}
