"""What happens when another Redis than before is found to serve the board."""

from __future__ import annotations

import redis

from shared.container import Container
from shared.ledger.queues import REBUILD
from tests.handlers.conftest import Redeploy
from tests.handlers.consumer import Bench
from tests.handlers.events import call
from tests.handlers.players import new_board
from tests.support.waiting import eventually


def forget_server(board: Container, redis_url: str) -> None:
    """As if the board had been numbered in another one."""
    with redis.Redis.from_url(redis_url) as client:
        client.hset(board._board_keys.numbers, "server", "another run/another replication")
        client.delete(board._board_keys.rebuild_asked)


def asked(bench: Bench) -> int:
    return len(bench.drain(REBUILD))


def test_the_first_connection_to_it_has_the_board_compared_at_once(
    bench: Bench, deployed: Container, redeploy: Redeploy, redis_url: str
) -> None:
    board = new_board(redeploy)
    asked(bench)
    forget_server(board, redis_url)
    again = redeploy(KEY_PREFIX=board.settings.key_prefix)
    assert again.leaderboard.is_whole(), "a read is enough"
    eventually(lambda: asked(bench) == 1, 60, "the message that wakes rebuild_leaderboard")
    assert again.leaderboard.is_whole()
    assert asked(bench) == 0, "once"


def test_readiness_asks_for_a_board_that_is_not_there(
    bench: Bench, deployed: Container, redeploy: Redeploy, redis_url: str
) -> None:
    board = new_board(redeploy)
    asked(bench)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(board._board_keys.whole, board._board_keys.rebuild_asked)
    assert call("check_health", "GET /readyz").status == 503
    eventually(lambda: asked(bench) == 1, 60, "the message that wakes rebuild_leaderboard")
