"""What a moderator sends, about places or about scores: which of the two it is, and having it done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from shared.boards.moderate_players import Boards, moderate_players, take_moderation_again
from shared.boards.moderation import Moderate
from shared.reconciliation.score_decision import ModerateScore
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.boards.board_shards import BoardShards
    from shared.reconciliation.moderate_scores import ScoreModeration


class ModeratedBoards(Boards, Protocol):
    """Where players play, and what corrects their scores."""

    @property
    def shards(self) -> BoardShards[Any]:
        """Each with strikes, adjustments, and undoing them on its boards."""
        ...

    @property
    def score_moderation(self) -> ScoreModeration:
        """That of the first one."""
        ...


def parse_moderation(board_id: str, body: Mapping[str, Any], boards: ModeratedBoards) -> Moderate | ModerateScore:
    """Read `{"action", "reason", …}`; an `undo` is about what it takes back. Raises InvalidParameter."""
    if boards.score_moderation.is_about_scores(board_id, body):
        return ModerateScore.parse(board_id, body)
    return Moderate.parse(board_id, body)


def moderate(
    command: Moderate | ModerateScore, actor: Actor, boards: ModeratedBoards, attempt: Attempt = not_kept
) -> dict[str, Any]:
    """Write the decision down and have it count; answers and raises as moderate_players or ScoreModeration.moderate."""
    if isinstance(command, ModerateScore):
        asked = command

        def correct(shard: Any) -> dict[str, Any]:
            moderation: ScoreModeration = shard.score_moderation
            return moderation.moderate(asked, actor, attempt)

        return boards.shards.at(command.board_id, correct)
    return moderate_players(command, actor, boards, attempt)


def moderate_again(command: Moderate | ModerateScore, first: Mapping[str, Any], boards: ModeratedBoards) -> None:
    """Make known what was decided and answered with `first`: whoever did it may have died before other stores learnt of it."""
    if isinstance(command, ModerateScore):
        boards.shards.at(command.board_id, lambda shard: shard.score_moderation.settle(first["entry"]["userId"]))
    else:
        take_moderation_again(command, boards)
