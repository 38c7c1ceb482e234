"""Look players up: in the cache first, then all that are missing in PostgreSQL at once."""

from __future__ import annotations

from collections.abc import Sequence

from shared.domain.player import Profile
from shared.domain.ranking import Position, Standing
from shared.ports import Profiles, Users


def know_players(user_ids: Sequence[str], profiles: Profiles, users: Users) -> dict[str, Profile]:
    """Profiles of those of the players that exist; found ones are cached."""
    if not user_ids:
        return {}
    known = profiles.get_many(user_ids)
    missing = [user_id for user_id in user_ids if user_id not in known]
    if missing:
        found = users.profiles(missing)
        profiles.put_many(found.values())
        known |= found
    return known


def name_positions(positions: Sequence[Position], profiles: Profiles, users: Users) -> list[Standing]:
    """Give places their names; a member whom nobody knows (reconciliation removes its points) shows its id."""
    known = know_players([position.user_id for position in positions], profiles, users)
    return [
        Standing(
            position.user_id,
            known[position.user_id].username if position.user_id in known else position.user_id,
            position.rank,
            position.score,
        )
        for position in positions
    ]
