"""What a moderator may say, and whom it is about."""

from __future__ import annotations

import pytest

from shared.boards.moderation import MAX_PLAYERS, Moderate, Players
from shared.core.errors import InvalidParameter


def test_at_most_ten_thousand_ids_are_named() -> None:
    ids = [f"u-{n}" for n in range(MAX_PLAYERS)]
    assert len(Players.parse({"userIds": [*ids, ids[0]]}).user_ids) == MAX_PLAYERS
    with pytest.raises(InvalidParameter, match="at most 10000"):
        Players.parse({"userIds": [*ids, "one more"]})


def test_a_reason_is_kept_without_the_spaces_around_it() -> None:
    assert Moderate.parse("main", {"action": "hide", "userId": "u", "reason": " bots  "}).reason == "bots"


@pytest.mark.parametrize(
    ("network", "source_ip", "has"),
    [
        ("203.0.113.0/24", "203.0.113.9", True),
        ("203.0.113.0/24", "203.0.114.9", False),
        ("203.0.113.9", "203.0.113.9", True),
        ("2001:db8::/32", "2001:db8::9", True),
        ("203.0.113.0/24", "2001:db8::9", False),
        ("0.0.0.0/0", "unknown", False),
        ("0.0.0.0/0", "", False),
    ],
)
def test_a_network_has_addresses_of_its_kind(network: str, source_ip: str, has: bool) -> None:
    assert Players.parse({"network": network}).has(source_ip) is has
