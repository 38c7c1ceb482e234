"""Every minute and at start: what a crash left in the outbox, and what the broker lost."""

from __future__ import annotations

import json

import pytest
import redis

from shared.container import Container
from shared.core import metrics
from shared.core.errors import RedisUnavailable
from shared.ledger.events import ScoreAccepted
from shared.ledger.queues import RETRIES
from shared.ledger.relay_outbox import BATCH, relay_outbox
from tests.handlers.conftest import Redeploy
from tests.handlers.consumer import HISTORY, Bench
from tests.handlers.events import SOURCE_IP, invoke
from tests.handlers.players import consuming, new_board, new_player
from tests.support.waiting import eventually


def leave(board: Container, redis_url: str, user_id: str, count: int, seconds: int = 50) -> None:
    """Entries that have waited that long, as a crash leaves them."""
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
            pipeline.xadd(f"{board.settings.key_prefix}outbox", fields, f"{int(now - seconds) * 1000}-{number}")
        pipeline.execute()


@pytest.fixture
def board(bench: Bench, redeploy: Redeploy) -> Container:
    """With no updates of other tests on their way, nor waiting for another try."""
    for queue in (HISTORY, *RETRIES):
        bench.drain(queue)
    return new_board(redeploy)


def relayed(event: object) -> int:
    """How many updates it published; refused ones of other tests may be due, too."""
    return int(invoke("relay_outbox", event)["published"])


def test_an_empty_outbox_is_nothing_to_do(board: Container) -> None:
    assert relayed({}) == 0
    assert relayed(None) == 0


def test_what_a_crash_left_reaches_the_ledger(board: Container, redis_url: str) -> None:
    player, count = new_player(board), BATCH + 20
    leave(board, redis_url, player.user_id, count)
    assert relayed({}) == count
    assert len(board.outbox.pending(0, 1000)) == count, "until the ledger has it"
    with consuming(board):
        eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: count}, 60, "all of it in the ledger")
        eventually(lambda: board.outbox.pending(0, 10) == [], 60, "an empty outbox")


def test_what_is_sent_twice_counts_once(board: Container, redis_url: str) -> None:
    player = new_player(board)
    for _ in range(2):
        leave(board, redis_url, player.user_id, 5)
        assert relayed({}) == 5
        with redis.Redis.from_url(redis_url) as client:
            client.delete(f"{board.settings.key_prefix}outbox", f"{board.settings.key_prefix}outbox:relayed")
    with consuming(board):
        eventually(lambda: board.topology.backlog() == 0, 60, "an empty queue")
        eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: 5}, 60, "five in the ledger")


def test_what_may_still_be_on_its_way_is_left_alone(board: Container, redeploy: Redeploy) -> None:
    player = new_player(board)
    redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    player.score()
    redeploy(AMQP_URL=board.settings.amqp_url, AMQP_CA_FILE=board.settings.amqp_ca_file)
    assert relayed({}) == 0
    assert len(board.outbox.pending(0, 10)) == 1


def test_a_broker_that_is_away_leaves_everything_where_it_is(board: Container, redis_url: str, redeploy: Redeploy) -> None:
    leave(board, redis_url, new_player(board).user_id, 3)
    redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    assert relayed({}) == 0
    assert len(board.outbox.pending(0, 10)) == 3


def test_a_redis_that_is_away_is_told_so_that_the_schedule_tries_again(board: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable):
        invoke("relay_outbox", {})


def test_what_the_broker_lost_is_published_again_after_a_minute_and_counts_once(
    board: Container, redis_url: str, bench: Bench
) -> None:
    player = new_player(board)
    leave(board, redis_url, player.user_id, 3, seconds=61)
    assert relayed({}) == 3
    assert len(bench.drain(HISTORY)) >= 3, "the broker loses them"
    with consuming(board):
        eventually(lambda: any(board.queue_gauge.read().consumers.values()), 60, "a consumer")
        assert relayed({}) == 0, "no crash left them"
        assert board.ledger.totals([player.user_id]) == {player.user_id: 3}
        assert board.outbox.pending(0, 10) == []
        for _ in range(2):
            invoke("relay_outbox", {})
        assert board.ledger.totals([player.user_id]) == {player.user_id: 3}


def test_what_was_lost_with_a_deleted_queue_is_published_again_at_once(board: Container, redis_url: str, bench: Bench) -> None:
    player = new_player(board)
    bench.drain(HISTORY)
    leave(board, redis_url, player.user_id, 3, seconds=30)
    assert relayed({}) == 3
    with bench.channel() as channel:
        channel.queue_delete(HISTORY)
    invoke("relay_outbox", {})
    assert board.topology.backlog() == 3
    invoke("relay_outbox", {})
    assert board.topology.backlog() == 3, "once"
    with consuming(board):
        eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: 3}, 60, "all of it in the ledger")


def test_what_is_younger_than_a_minute_is_not_taken_for_lost(board: Container, redis_url: str, bench: Bench) -> None:
    player = new_player(board)
    leave(board, redis_url, player.user_id, 3, seconds=10)
    assert relayed({}) == 3
    bench.drain(HISTORY)
    with consuming(board):
        eventually(lambda: any(board.queue_gauge.read().consumers.values()), 60, "a consumer")
        assert relayed({}) == 0
        eventually(lambda: board.topology.backlog() == 0, 60, "an empty queue")
    assert len(board.outbox.pending(0, 10)) == 3


def test_a_consumer_that_is_away_for_long_makes_no_more_copies(board: Container, redis_url: str, bench: Bench) -> None:
    player = new_player(board)
    bench.drain(HISTORY)
    leave(board, redis_url, player.user_id, 5, seconds=7200)
    assert [relayed({}) for _ in range(4)] == [5, 0, 0, 0]
    assert board.topology.backlog() == 5
    assert len(board.outbox.pending(0, 10)) == 5
    with consuming(board):
        eventually(lambda: board.outbox.pending(0, 10) == [], 60, "all of it in the ledger")
    assert board.ledger.totals([player.user_id]) == {player.user_id: 5}


def test_what_its_process_published_is_not_published_again(board: Container, bench: Bench) -> None:
    bench.drain(HISTORY)
    new_player(board).score()
    eventually(lambda: board._redis.hlen(board._shard.outbox_published) == 1, 60, "the confirm noted")
    assert relay_outbox(board.pipeline, board.queue_gauge, 10, older_than_seconds=0) == 0
    assert board.topology.backlog() == 1


def test_an_outbox_that_is_full_says_what_it_drops(
    board: Container, redis_url: str, redeploy: Redeploy, capsys: pytest.CaptureFixture[str]
) -> None:
    player, before = new_player(board), metrics.outbox_dropped.read()
    leave(board, redis_url, player.user_id, 5)
    board = redeploy(OUTBOX_MAX_ENTRIES="3")
    assert relayed({}) == 5
    assert len(board.outbox.pending(0, 10)) == 3
    assert metrics.outbox_dropped.read() == before + 2
    [line] = [json.loads(text) for text in capsys.readouterr().err.splitlines() if "the outbox is full" in text]
    assert (line["level"], line["dropped"]) == ("error", 2)
    with consuming(board):
        eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: 5}, 60, "the broker has them")


def test_nothing_that_was_not_published_is_dropped(board: Container, redis_url: str, redeploy: Redeploy) -> None:
    leave(board, redis_url, new_player(board).user_id, 5)
    board = redeploy(OUTBOX_MAX_ENTRIES="3", AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    assert relayed({}) == 0
    assert len(board.outbox.pending(0, 10)) == 5
