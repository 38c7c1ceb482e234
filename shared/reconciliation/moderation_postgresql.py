"""What moderators decide about scores, in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from shared.boards.board import MAIN
from shared.boards.definition import BoardDefinition
from shared.core.errors import AlreadyStruck, AlreadyUndone, BoardScoreOutOfBounds, ScoreOutOfBounds, UnknownBoard, WithoutEffect
from shared.core.ids import new_request_id
from shared.core.limits import LARGEST
from shared.reconciliation.score_decision import Decided, Decision, LedgerEntry, PastDecision, Season, SeasonScore, Unsettled
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, int_array, text_array
from shared.stores.postgresql.statements import statement

UNSETTLED_AT_ONCE = 1000


class ModeratedScores:
    """Decisions about scores (PostgreSQL). Each is an entry of its own, and an entry of the ledger is never changed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def entry(self, board_id: str, request_id: str) -> LedgerEntry | None:
        """The entry with this request id, None where the board has none."""
        rows = self._run("find_ledger_entry", board_id=board_id, request_id=request_id)
        return LedgerEntry(rows[0][0], _seasons(rows[0][1]), *rows[0][2:]) if rows else None

    def decision(self, board_id: str, moderation_id: int) -> PastDecision | None:
        """The decision with this id, None where the board has none. Those that are not about scores have no seasons."""
        rows = self._run("find_decision", board_id=board_id, id=moderation_id)
        if not rows:
            return None
        user_id, action, places, value, is_undone = rows[0]
        return PastDecision(user_id, action, _seasons(places or ""), value or 0, is_undone)

    def decide(self, decision: Decision, actor: Actor, answer: Callable[[Decided], KeptAnswer | None]) -> Decided:
        """Write a decision down, with what the player has then, in one transaction; `answer` is asked for the answer to be kept.

        Seasons that are closed are to be closed once more. What is decided at the same time, and entries that come to the
        ledger meanwhile, are waited for, or wait.

        Raises UnknownBoard, AlreadyStruck, AlreadyUndone, ScoreOutOfBounds, WithoutEffect, and RequestInProgress where there is
        an answer already.
        """
        with self._pool.transaction("moderate_score") as session:
            decide = _on_main if decision.board_id == MAIN.board_id else _on_board
            moderation_id, at, scores, has_second = decide(session, decision, actor)
            decided = Decided(moderation_id, at, scores)
            keep_answer(session, answer(decided))
            detail = _detail(decision, decided, has_second=has_second)
            add_audit_row(session, _AUDITED[decision.action], actor, decision.user_id, detail)
        return decided

    def unsettled(self, user_id: str = "") -> list[Unsettled]:
        """The oldest decisions, of one player or of all, whose player Redis may not show as the ledger has it."""
        return [Unsettled(*row) for row in self._run("unsettled_moderation", user_id=user_id, limit=UNSETTLED_AT_ONCE)]

    def settle(self, moderation_ids: Sequence[int]) -> None:
        """Redis shows what came of these."""
        self._run("settle_moderation", ids=int_array(moderation_ids))

    def _run(self, name: str, **parameters: Any) -> list[list[Any]]:
        with self._pool.connection() as session:
            return session.run(statement(name), **parameters)


Written = tuple[int, datetime, Sequence[SeasonScore], bool]
_AUDITED = {"strike": "score_struck", "adjust": "score_adjusted", "undo": "moderation_undone"}


def _on_main(session: Session, decision: Decision, actor: Actor) -> Written:
    [[total]] = session.run(statement("move_total"), user_id=decision.user_id, points=decision.points)
    _see_that_it_counts(session, decision)
    if not 0 <= total <= MAIN.max_score:
        raise ScoreOutOfBounds(f"The score would not be 0 to {MAIN.max_score} any more. Nothing was changed.")
    [(period, season)] = decision.seasons
    return *_add(session, decision, actor), [SeasonScore(period, season, total, 0)], False


def _on_board(session: Session, decision: Decision, actor: Actor) -> Written:
    board = _board(session, decision.board_id)
    where = {
        "board_id": decision.board_id,
        "periods": text_array([period for period, _ in decision.seasons]),
        "seasons": int_array([season for _, season in decision.seasons]),
    }
    session.run(statement("touch_seasons"), **where)
    held = session.run(statement("hold_standings"), **where, user_id=decision.user_id)
    before = [SeasonScore(*(row[:6] if row[6] else (*row[:2], None, None, None, None))) for row in held]
    _see_that_it_counts(session, decision)
    moderation_id, at = _add(session, decision, actor)
    rows = session.run(
        statement("count_standings"),
        **where,
        user_id=decision.user_id,
        operator=board.operator,
        sign=1 if board.order == "descending" else -1,
    )
    scores = [SeasonScore(*row) for row in rows]
    if any(abs(part or 0) > LARGEST for each in scores for part in (each.score, each.second)):
        raise BoardScoreOutOfBounds
    if decision.action == "adjust" and board.operator == "best" and sorted(scores) == sorted(before):
        raise WithoutEffect
    return moderation_id, at, scores, board.has_second


def _board(session: Session, board_id: str) -> BoardDefinition:
    """As it stays until the transaction ends; raises UnknownBoard."""
    rows = session.run(
        "SELECT definition FROM boards WHERE board_id = :board_id AND deleted_at IS NULL FOR KEY SHARE", board_id=board_id
    )
    if not rows:
        raise UnknownBoard
    return BoardDefinition.from_json(board_id, rows[0][0])


def _see_that_it_counts(session: Session, decision: Decision) -> None:
    """What is struck or undone still counts, now that nobody else decides about the player."""
    if decision.action == "strike":
        [[*_, counts]] = session.run(statement("find_ledger_entry"), board_id=decision.board_id, request_id=decision.struck)
        if not counts:
            raise AlreadyStruck
    if decision.action == "undo":
        [[*_, is_undone]] = session.run(statement("find_decision"), board_id=decision.board_id, id=decision.undoes)
        if is_undone:
            raise AlreadyUndone


def _add(session: Session, decision: Decision, actor: Actor) -> tuple[int, datetime]:
    [[moderation_id, at]] = session.run(
        statement("add_decision"),
        request_id=new_request_id(),
        board_id=decision.board_id,
        user_id=decision.user_id,
        action=decision.action,
        reason=decision.reason,
        moderator=actor.name,
        struck=decision.struck,
        undoes=decision.undoes,
        value=decision.value,
        second=decision.second,
        places="|".join(f"{period}:{season}" for period, season in decision.seasons),
        epoch=decision.number.epoch,
        sequence=decision.number.sequence,
    )
    return moderation_id, at


def _detail(decision: Decision, decided: Decided, *, has_second: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"board": decision.board_id, "entry": decided.moderation_id, "reason": decision.reason}
    match decision.action:
        case "strike":
            told["struck"] = decision.struck
        case "adjust":
            told |= {"value": decision.value, **({"second": decision.second} if has_second else {})}
        case _:
            told["undoes"] = decision.undoes
    return {**told, "scores": [each.as_json(has_second=has_second) for each in decided.scores]}


def _seasons(places: str) -> list[Season]:
    parts = [place.split(":") for place in places.split("|") if place]
    return [(part[0], int(part[1])) for part in parts]
