"""Change what accounts may do, several at once; for operators (`simulate`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.accounts.change_account import change_user
from shared.accounts.player import AccountChange, checked_user_ids
from shared.boards.settle_places import take_places
from shared.container import container
from shared.stores.actor import OPERATOR
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, int]:
    """`{"userIds": [...], "role"?, "disabled"?, "simulated"?}` becomes `{"changed"}`; errors escape, and what was
    changed before stays changed.
    """
    deps = container()
    user_ids, change = checked_user_ids(event.get("userIds")), AccountChange.parse(event)
    accounts = [change_user(user_id, change, OPERATOR, deps.account_changes, deps) for user_id in user_ids]
    take_places(accounts, deps.leaderboard, deps.every_board_stores, deps.publisher, deps.clock)
    return {"changed": len(accounts)}
