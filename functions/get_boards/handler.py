"""GET /api/boards: the boards there are."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from shared.audit.note_refusal import audited
from shared.boards.read_boards import list_boards, seen_with
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("board_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Those that are public, all with a token, and with a server key also those that it is good for."""
    deps = container()
    is_seen: Callable[[dict[str, Any]], bool] = itemgetter("public")
    if "authorization" in request.headers:
        is_seen = seen_with(request.bearer_token, deps.authenticate, deps)
    return Reply.ok(list_boards(deps.main_board, deps.boards, deps.shards, is_seen))
