"""What may be watched of boards."""

from __future__ import annotations

from typing import NamedTuple

MAX_TOP, MAX_SUBSCRIPTIONS = 100, 10
# For so long frames are made of a view that somebody has asked for, and is about to watch.
WATCHED_SECONDS = 60
_KINDS = {"public": True, "private": False}
_NAMES = {is_public: name for name, is_public in _KINDS.items()}


class View(NamedTuple):
    """The first rows of a period's present season; `is_public` while anybody may watch them.

    It is part of the name: what was public is no longer made for those who came without a token.
    """

    board_id: str
    period: str
    top: int
    is_public: bool

    @property
    def name(self) -> str:
        """As gateways know it."""
        return f"view:{_NAMES[self.is_public]}:{self.board_id}:{self.period}:{self.top}"

    @classmethod
    def parse(cls, name: str) -> View | None:
        """The other direction; None of what is none."""
        kind, _, rest = name.removeprefix("view:").partition(":")
        board_id, _, rest = rest.partition(":")
        period, _, top = rest.partition(":")
        return cls(board_id, period, int(top), _KINDS[kind]) if kind in _KINDS and top.isdecimal() else None
