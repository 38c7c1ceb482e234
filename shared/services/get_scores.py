"""The top of the board, prepared at most every 5 s."""

from __future__ import annotations

import json

from shared.domain.player import Caller
from shared.domain.ranking import utc_text
from shared.ports import BoardCache, Clock, Leaderboard
from shared.services.check_access import Accounts, check_access_to_board
from shared.services.know_players import name_positions

TOP, MAX_TOP = 10, 100


def get_scores(
    limit: int, caller: Caller | None, leaderboard: Leaderboard, cache: BoardCache, accounts: Accounts, clock: Clock
) -> bytes:
    """The JSON document `{"data": [...], "cache_time": "...Z"}` with at most `limit` places; None is a caller whom nobody asks.

    Raises what check_access raises.
    """
    prepared = TOP if limit <= TOP else MAX_TOP
    document = cache.get(prepared) if caller is None else check_access_to_board(caller, prepared, accounts)
    if document is None:
        as_of = clock.now()
        board = name_positions(leaderboard.top(prepared), accounts.profiles, accounts.users)
        document = _encoded({"data": [line.as_json() for line in board], "cache_time": utc_text(as_of)})
        cache.put(prepared, document)
    if limit == prepared:
        return document
    whole = json.loads(document)
    return _encoded({**whole, "data": whole["data"][:limit]})


def _encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
