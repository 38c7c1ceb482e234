"""Moderate the score of a player: strike an entry out, adjust the score, or undo either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.boards.board import MAIN
from shared.boards.definition import ALL_TIME, BoardDefinition
from shared.boards.entry import parse_values, whole_number
from shared.boards.moderation import ABOUT_SCORES, ModerationEntry
from shared.boards.open_epoch import open_epoch
from shared.core.cursor import MAX_ID
from shared.core.errors import (
    InvalidParameter,
    LeaderboardRebuilding,
    LedgerBehind,
    NoOpenSeason,
    RedisUnavailable,
    UnknownDecision,
    UnknownEntry,
    UnknownSeason,
    UnknownUser,
)
from shared.ledger.catch_up import catch_up_to
from shared.ledger.events import Number
from shared.reconciliation.score_decision import Decided, Decision, ModerateScore
from shared.reconciliation.settle_moderation import settle_moderation
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.boards.known_boards import KnownBoards
    from shared.reconciliation.reconcile_scores import Reconciliation


PATIENCE_SECONDS = 5.0
MAIN_DEFINITION = BoardDefinition(MAIN.board_id, MAIN.board_id)  # in as far as scores are adjusted: they add up in one period


@dataclass(frozen=True, slots=True)
class Moderation:
    """Who decides, for what reason, and where the answer is kept."""

    actor: Actor
    reason: str
    attempt: Attempt = not_kept


class ScoreModeration:
    """Decisions about scores. The ledger has each with what the player comes to; Redis follows at once,
    or, when it cannot, within a minute after it can.
    """

    def __init__(self, known: KnownBoards, stores: Reconciliation) -> None:
        self._known = known
        self._stores = replace(stores, pipeline=replace(stores.pipeline, catch_up_seconds=PATIENCE_SECONDS))

    def is_about_scores(self, board_id: str, body: Mapping[str, Any]) -> bool:
        """Whether a request to moderate is about scores: by what it does, or by what it undoes."""
        action, entry_id = body.get("action"), body.get("entryId")
        if action != "undo":
            return action in ABOUT_SCORES
        if type(entry_id) is not int or not 0 < entry_id <= MAX_ID:
            return False
        found = self._stores.moderated_scores.decision(board_id, entry_id)
        return found is not None and found.action in ABOUT_SCORES

    def moderate(self, command: ModerateScore, actor: Actor, attempt: Attempt = not_kept) -> dict[str, Any]:
        """`{"entry", "changed", "scores"}`; raises what `strike`, `adjust` and `undo` raise."""
        if command.board_id != MAIN.board_id:
            self._stores.boards.boards.get(command.board_id)
        by = Moderation(actor, command.reason, attempt)
        match command.action:
            case "strike":
                return self.strike(command.board_id, command.user_id, command.request_id, by)
            case "adjust":
                return self.adjust(command.board_id, command.user_id, command.said, by)
        return self.undo(command.board_id, command.entry_id, by)

    def strike(self, board_id: str, user_id: str, request_id: str, by: Moderation) -> dict[str, Any]:
        """Take an entry out: the score is what the player's other entries come to.

        Raises UnknownEntry, AlreadyStruck, UnknownBoard and LedgerBehind.
        """
        decisions = self._stores.moderated_scores
        entry = decisions.entry(board_id, request_id)
        if entry is None:
            self._catch_up()
            entry = decisions.entry(board_id, request_id)
        if entry is None or entry.user_id != user_id:
            raise UnknownEntry
        decision = Decision(board_id, user_id, "strike", entry.seasons, by.reason, struck=request_id, points=-entry.value)
        return self._decide(decision, by)

    def adjust(self, board_id: str, user_id: str, body: Mapping[str, Any], by: Moderation) -> dict[str, Any]:
        """`{"value", "second"?, "period"?, "season"?}`: an entry that the moderator makes, in the open seasons of all periods, or
        in one season.

        On `add` boards it is an amount of either sign; on others a value that the board takes, which counts if it is better, or
        until a later one comes.

        Raises InvalidParameter, ValueOutOfBounds, UnknownUser, UnknownSeason, NoOpenSeason, ScoreOutOfBounds, WithoutEffect,
        UnknownBoard and LedgerBehind.
        """
        board = MAIN_DEFINITION if board_id == MAIN.board_id else self._stores.boards.boards.get(board_id)
        value, second = _amounts(body, board)
        seasons = self._seasons(board, body)
        profile = self._stores.users.profiles([user_id]).get(user_id)
        if profile is None or profile.role != "player":
            raise UnknownUser
        about = Decision(board_id, user_id, "adjust", seasons, by.reason, value=value, second=second, points=value)
        return self._decide(about._replace(number=self._catch_up()), by)

    def undo(self, board_id: str, moderation_id: int, by: Moderation) -> dict[str, Any]:
        """Take back what a strike or an adjustment did; raises UnknownDecision, InvalidParameter, AlreadyUndone, ScoreOutOfBounds
        and UnknownBoard.
        """
        found = self._stores.moderated_scores.decision(board_id, moderation_id)
        if found is None:
            raise UnknownDecision
        if found.action not in ABOUT_SCORES:
            raise InvalidParameter("Only a strike or an adjustment can be undone.")
        decision = Decision(board_id, found.user_id, "undo", found.seasons, by.reason, undoes=moderation_id, points=-found.points)
        return self._decide(decision, by)

    def settle(self, user_id: str) -> None:
        """Have Redis show what was decided about a player. What it cannot show now it shows within a minute."""
        with suppress(RedisUnavailable, LeaderboardRebuilding):
            settle_moderation(self._stores, user_id)

    def _decide(self, decision: Decision, by: Moderation) -> dict[str, Any]:
        is_main = decision.board_id == MAIN.board_id
        has_second = not is_main and self._stores.boards.boards.get(decision.board_id).has_second

        def told(decided: Decided) -> dict[str, Any]:
            entry = ModerationEntry(
                decided.moderation_id,
                decision.board_id,
                decision.user_id,
                decision.action,
                decision.reason,
                by.actor.name,
                decided.at,
                undoes=decision.undoes or None,
                struck=decision.struck or None,
                value=decision.value if decision.action == "adjust" else None,
                second=decision.second if decision.action == "adjust" else None,
            )
            scores = [score.as_json(has_second=has_second) for score in decided.scores]
            return {"entry": entry.as_json(), "changed": True, "scores": scores}

        decided = self._stores.moderated_scores.decide(decision, by.actor, lambda decided: by.attempt(told(decided)))
        self.settle(decision.user_id)
        return told(decided)

    def _catch_up(self) -> Number:
        """The number of the newest entry of all boards, once the ledger has as far as that; raises LedgerBehind."""
        open_epoch(self._stores.leaderboard, self._stores.pipeline.ledger)
        number = self._stores.leaderboard.newest_epoch().newest
        if number is None:
            raise LeaderboardRebuilding
        if not catch_up_to(number, self._stores.pipeline):
            raise LedgerBehind
        return number

    def _seasons(self, board: BoardDefinition, body: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
        period, season = body.get("period"), body.get("season")
        if period is None and season is not None:
            raise InvalidParameter("`season` is that of a `period`: name it, too.")
        names = [each.name for each in board.periods]
        if period is not None and period not in names:
            raise InvalidParameter(f"`period` must be one of this board's: {', '.join(names)}.")
        open_seasons = [(ALL_TIME, 1)]
        if board.board_id != MAIN.board_id:
            open_seasons = [(each.period, each.number) for each in self._known.current(board.board_id).open_seasons]
        if season is None:
            found = [each for each in open_seasons if period in (None, each[0])]
            if not found:
                raise NoOpenSeason
            return found
        if type(season) is not int or not 0 < season < 2**31:
            raise InvalidParameter("`season` must be the number of a season.")
        wanted = str(period), season
        if wanted not in open_seasons and not self._stores.boards.seasons.is_known(board.board_id, *wanted):
            raise UnknownSeason
        return [wanted]


def _amounts(body: Mapping[str, Any], board: BoardDefinition) -> tuple[int, int]:
    if board.operator != "add":
        value, second, _ = parse_values({name: body.get(name) for name in ("value", "second")}, board)
        return value, second
    value, second = whole_number(body, "value"), 0
    if board.has_second:
        second = whole_number({"second": 0, **body}, "second")
    elif body.get("second") is not None:
        raise InvalidParameter("This board has no second column: leave `second` out.")
    if not value and not second:
        raise InvalidParameter("`value` must be an amount other than 0.")
    return value, second
