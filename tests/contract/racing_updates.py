"""Run by a test in a process of its own: many threads that raise one player's score as fast as they can."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from shared.boards.board import MAIN
from shared.boards.redis import Leaderboard
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.core.errors import RateLimited
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect

THREADS = 8

if __name__ == "__main__":
    arguments = json.loads(sys.stdin.readline())
    client = connect(arguments["redis_url"])
    shard = ShardKeys(arguments["prefix"])
    board = Leaderboard(client, MAIN, MAIN.keys(shard), shard, rate_limit_requests=100, rate_window_seconds=60)

    def attempt(request_id: str) -> tuple[str, int, float]:
        """What came of it, what remains, and in how many seconds the window moves on."""
        try:
            answer = board.apply(ScoreUpdate(request_id, arguments["user_id"], 1, "198.51.100.7"))
        except RateLimited as refused:
            return "refused", 0, refused.retry_after_seconds or 0.0
        assert isinstance(answer, AcceptedUpdate)
        return "accepted", answer.rate_window.remaining, answer.rate_window.reset_seconds

    client.ping()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    with ThreadPoolExecutor(THREADS) as threads:
        print(json.dumps(list(threads.map(attempt, arguments["request_ids"]))))  # noqa: T201
