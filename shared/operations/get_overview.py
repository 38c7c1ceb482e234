"""How things stand, store by store; what is down says nothing and keeps nobody else from answering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from shared.core.ask_at_once import ask_at_once
from shared.core.clock import Clock, utc_text
from shared.core.errors import Unavailable
from shared.ledger.ports import QueueGauge, QueueState
from shared.operations.overview import BoardState, LedgerState

if TYPE_CHECKING:
    from shared.operations.postgresql import LedgerGauge
    from shared.operations.redis import BoardGauge


PATIENCE_SECONDS = 3.0
SHARD = "shard "
State = BoardState | QueueState | LedgerState | dict[str, int]


def get_overview(
    board: BoardGauge, queues: QueueGauge, ledger: LedgerGauge, clock: Clock, further: Sequence[BoardGauge] = ()
) -> dict[str, Any]:
    """`{"at", "board", "queues", "ledger", "lastMinute"}`; one of a store that is down, or slow, is None. What is said of updates
    is of all shards that answer.
    """
    gauges: dict[str, Callable[[], State]] = {
        "board": board.read,
        "queues": queues.read,
        "ledger": ledger.read,
        "lastMinute": ledger.entries_by_board,
    }
    gauges |= {f"{SHARD}{number}": shard.read for number, shard in enumerate(further)}
    answers = ask_at_once(gauges, PATIENCE_SECONDS)
    for answer in answers.values():
        if isinstance(answer, BaseException) and not isinstance(answer, Unavailable | TimeoutError):
            raise answer
    shards = [answer for name, answer in answers.items() if name.startswith(SHARD) and isinstance(answer, BoardState)]
    if isinstance(first := answers["board"], BoardState):
        answers["board"] = first.together(shards)
    parts = {name: _as_json(answer) for name, answer in answers.items() if not name.startswith(SHARD)}
    return {"at": utc_text(clock.now()), **parts}


def _as_json(state: object) -> dict[str, Any] | None:
    match state:
        case dict():
            return state
        case BoardState():
            return {
                "players": state.players,
                "whole": state.is_whole,
                "updatesAccepted": state.accepted,
                "outbox": state.outbox,
                "outboxSeconds": round(state.outbox_seconds, 3),
            }
        case QueueState():
            return {"updates": state.updates, "deadLetters": state.dead_letters, "messages": dict(state.messages)}
        case LedgerState():
            return {
                "newestEntry": state.newest_entry,
                "unrecorded": state.unrecorded,
                "deadLetters": state.dead_letters,
                "refusals": state.refusals,
                "auditEntries": state.audit_entries,
                "auditUnsealed": state.unsealed,
                "auditSealedAt": None if state.sealed_at is None else utc_text(state.sealed_at),
            }
    return None
