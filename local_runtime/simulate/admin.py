"""What an admin of an instance elsewhere does for its simulated players."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from scoreboard_client import Scoreboard, ScoreboardError

from local_runtime.simulate.crew import Change
from local_runtime.simulate.player import Unreachable


def admins_changes(base_url: str, tls: ssl.SSLContext | None, admin: str, password: str) -> Change:
    """Log the admin in, who then sets flags of accounts; raises Unreachable when that is no admin there, as the changes do."""
    try:
        scoreboard = Scoreboard(base_url, tls=tls)
        scoreboard.log_in(admin, password)
        scoreboard.call("GET", "/api/admin/users?limit=1")
    except (ValueError, ScoreboardError) as error:
        raise Unreachable(f"{admin} cannot end simulated players: {error}") from None

    def change(user_ids: Sequence[str], flag: str) -> None:
        for user_id in user_ids:
            try:
                scoreboard.call("PATCH", f"/api/admin/users/{user_id}", {flag: True})
            except ScoreboardError as error:
                raise Unreachable(f"{admin} could not have {user_id} {flag}: {error}") from None

    return change
