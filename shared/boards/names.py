"""What players are called: kept by the process, else in the cache, and all that are missing there in PostgreSQL at once."""

from __future__ import annotations

from collections.abc import Sequence

from shared.accounts.ports import Profiles, Users
from shared.boards.ranking import Position, Standing

MAX_KEPT = 50_000  # some 10 MB


class Names:
    """The names of players; a process has one. A name is the one thing of an account that nobody changes."""

    def __init__(self, profiles: Profiles, users: Users) -> None:
        self._profiles = profiles
        self._users = users
        self._known: dict[str, str] = {}

    def of(self, positions: Sequence[Position]) -> list[Standing]:
        """Places with their names; a member whom nobody knows (reconciliation removes its points) shows its id."""
        known = self._known if len(self._known) <= MAX_KEPT else {}
        self._know([position.user_id for position in positions if position.user_id not in known], known)
        return [
            Standing(position.user_id, known.get(position.user_id, position.user_id), position.rank, position.score)
            for position in positions
        ]

    def _know(self, missing: Sequence[str], known: dict[str, str]) -> None:
        if not missing:
            return
        found = self._profiles.get_many(missing)
        uncached = [user_id for user_id in missing if user_id not in found]
        if uncached:
            stored = self._users.profiles(uncached)
            self._profiles.put_many(stored.values())
            found |= stored
        known.update({user_id: profile.username for user_id, profile in found.items()})
        self._known = known
