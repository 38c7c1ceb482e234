"""GET /api/admin/overview."""

from __future__ import annotations

import pytest
import redis

from shared.container import Container
from shared.ledger.events import RefusedMessage
from shared.ledger.queues import DEAD_LETTERS
from tests.handlers.conftest import Redeploy
from tests.handlers.defined_boards import DefinedBoard
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, consuming, delivered, new_board, new_player
from tests.support.waiting import eventually


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Container:
    return new_board(redeploy)


def overview(admin: Player) -> HandlerReply:
    return call("get_overview", "GET /api/admin/overview", headers=admin.authorization)


def test_totals_follow_what_happens(board: Container) -> None:
    admin, player = new_player(board, "admin"), new_player(board)
    before = overview(admin).data
    assert before["board"]["whole"] is True
    for _ in range(3):
        assert player.score(2).status == 200
    after = overview(admin).data
    assert after["board"]["players"] == board._redis.zcard(board._board_keys.leaderboard)
    assert after["board"]["updatesAccepted"] - before["board"]["updatesAccepted"] == 3
    with consuming(board):
        eventually(
            lambda: overview(admin).data["ledger"]["newestEntry"] >= before["ledger"]["newestEntry"] + 3, 60, "them recorded"
        )
    recorded = overview(admin).data
    assert recorded["lastMinute"]["main"] >= 3
    assert recorded["ledger"]["auditEntries"] >= before["ledger"]["auditEntries"] + 3
    assert recorded["ledger"]["auditUnsealed"] >= 3
    invoke("seal_audit", {})
    assert overview(admin).data["ledger"]["auditSealedAt"] > before["at"]


def test_refusals_and_dead_letters_are_counted(board: Container) -> None:
    admin, player = new_player(board, "admin"), new_player(board)
    before = overview(admin).data
    for _ in range(3):
        assert overview(player).status == 403
    invoke("record_refusals", {})
    assert overview(admin).data["ledger"]["refusals"] >= before["ledger"]["refusals"] + 3
    with delivered(board, DEAD_LETTERS):
        board.topology.park([RefusedMessage(b"nonsense", "malformed", 1)])
        eventually(lambda: overview(admin).data["queues"]["deadLetters"] == 1, 60, "the dead letter")


def test_an_update_that_waits_in_the_outbox_is_seen_with_its_age(board: Container) -> None:
    admin = new_player(board, "admin")
    board._redis.xadd(board._shard.outbox, {"request_id": "1"}, "1000-0")
    seen = overview(admin).data["board"]
    assert seen["outbox"] == 1
    assert seen["outboxSeconds"] > 1_000_000


def test_what_is_down_says_nothing_and_the_rest_does(board: Container, redeploy: Redeploy) -> None:
    admin = new_player(board, "admin")
    redeploy(AMQP_URL="amqp://127.0.0.1:1/%2F", KEY_PREFIX=board.settings.key_prefix)
    seen = overview(admin).data
    assert seen["queues"] is None
    assert seen["board"]["whole"] is True
    assert seen["ledger"]["newestEntry"] >= 0
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/none", KEY_PREFIX=board.settings.key_prefix)
    seen = overview(admin).data
    assert (seen["ledger"], seen["lastMinute"]) == (None, None)


def test_entries_of_the_last_minute_are_counted_by_board(deps: Container, redis_url: str) -> None:
    admin, player = new_player(deps, "admin"), new_player(deps)
    with redis.Redis.from_url(redis_url) as client:
        board = DefinedBoard.make(deps, client)
        assert board.board_id not in overview(admin).data["lastMinute"]
        for _ in range(2):
            board.add(player.user_id, 1)
        board.arrived(2)
    assert overview(admin).data["lastMinute"][board.board_id] == 2
