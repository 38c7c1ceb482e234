"""Every minute and at start: what a crash left in the outbox."""

from __future__ import annotations

import pytest
import redis

from shared.domain.score import ScoreAccepted
from shared.errors import RedisUnavailable
from shared.services.relay_outbox import BATCH
from shared.wiring import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import SOURCE_IP, invoke
from tests.handlers.players import consuming, new_board, new_player
from tests.support.waiting import eventually


def leave(board: Container, redis_url: str, user_id: str, count: int) -> None:
    """Entries that waited a minute, as a crash leaves them."""
    now = board.clock.now().timestamp()
    with redis.Redis.from_url(redis_url) as client, client.pipeline() as pipeline:
        for number in range(count):
            event = ScoreAccepted(f"{user_id[:24]}-{number}", user_id, 1, number + 1, board.clock.now(), SOURCE_IP)
            fields: dict[str, str | int] = {
                "request_id": event.request_id,
                "user_id": user_id,
                "increment": 1,
                "new_score": event.new_score,
                "accepted_at": int(now * 1000),
                "source_ip": SOURCE_IP,
            }
            pipeline.xadd(f"{board.settings.key_prefix}outbox", fields, f"{int(now - 60) * 1000}-{number}")
        pipeline.execute()


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Container:
    return new_board(redeploy)


def test_an_empty_outbox_is_nothing_to_do(board: Container) -> None:
    assert invoke("relay_outbox", {}) == {"published": 0}
    assert invoke("relay_outbox", None) == {"published": 0}


def test_what_a_crash_left_reaches_the_ledger(board: Container, redis_url: str) -> None:
    player, count = new_player(board), BATCH + 20
    leave(board, redis_url, player.user_id, count)
    assert invoke("relay_outbox", {}) == {"published": count}
    assert board.outbox.pending(0, 10) == []
    with consuming(board):
        eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: count}, 30, "all of it in the ledger")


def test_what_is_sent_twice_counts_once(board: Container, redis_url: str) -> None:
    player = new_player(board)
    for _ in range(2):
        leave(board, redis_url, player.user_id, 5)
        assert invoke("relay_outbox", {}) == {"published": 5}
        with redis.Redis.from_url(redis_url) as client:
            client.delete(f"{board.settings.key_prefix}outbox")
    with consuming(board):
        eventually(lambda: board.topology.backlog() == 0, 30, "an empty queue")
        eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: 5}, 30, "five in the ledger")


def test_what_may_still_be_on_its_way_is_left_alone(board: Container, redeploy: Redeploy) -> None:
    player = new_player(board)
    redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    player.score()
    redeploy(AMQP_URL=board.settings.amqp_url, AMQP_CA_FILE=board.settings.amqp_ca_file)
    assert invoke("relay_outbox", {}) == {"published": 0}
    assert len(board.outbox.pending(0, 10)) == 1


def test_a_broker_that_is_away_leaves_everything_where_it_is(board: Container, redis_url: str, redeploy: Redeploy) -> None:
    leave(board, redis_url, new_player(board).user_id, 3)
    redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    assert invoke("relay_outbox", {}) == {"published": 0}
    assert len(board.outbox.pending(0, 10)) == 3


def test_a_redis_that_is_away_is_told_so_that_the_schedule_tries_again(board: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable):
        invoke("relay_outbox", {})
