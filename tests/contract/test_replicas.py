"""An update is acknowledged when as many replicas have it as must."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from shared.boards.board import MAIN
from shared.boards.redis import Leaderboard
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.core.errors import RedisUnavailable
from shared.operations.redis import RedisProbe
from shared.stores.keys import ShardKeys
from shared.stores.redis import replicas as replicas_module
from shared.stores.redis.connection import connect
from shared.stores.redis.replicas import Replicas
from tests.contract.board import Board
from tests.support.redis_pair import RedisPair, redis_pair
from tests.support.waiting import eventually

SHARD = ShardKeys("{replicated}:")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RedisPair]:
    with redis_pair(tmp_path) as made:
        made.replicate(made.second, made.first_url)
        yield made


@pytest.fixture
def client(pair: RedisPair) -> Iterator[redis.Redis]:
    with connect(pair.first_url) as made:
        made.connection_pool.connection_kwargs["socket_timeout"] = 60
        yield made


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a replica that is as slow as this machine."""
    monkeypatch.setattr(replicas_module, "WAIT_MS", 30_000)


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas_module, "WAIT_MS", 300)


def test_what_was_written_is_there_when_it_is_said_so(pair: RedisPair, client: redis.Redis) -> None:
    replicas = Replicas(client, SHARD.replicated, 1)
    for number in range(50):
        client.set("number", number)
        assert replicas.have_all()
        assert pair.second.get("number") == str(number).encode()


def test_one_replica_is_not_two(pair: RedisPair, client: redis.Redis, impatient: None) -> None:
    assert not Replicas(client, SHARD.replicated, 2).have_all()


def test_a_replica_that_has_stopped_is_missed(pair: RedisPair, client: redis.Redis, impatient: None) -> None:
    replicas = Replicas(client, SHARD.replicated, 1)
    pair.second.replicaof("NO", "ONE")
    client.set("number", 1)
    assert not replicas.have_all()
    pair.replicate(pair.second, pair.first_url)
    eventually(replicas.have_all, 60, "the replica in step")


def test_all_who_ask_meanwhile_share_a_question(pair: RedisPair, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = Replicas(client, SHARD.replicated, 1)
    asked, may_answer, is_asked = [], threading.Event(), threading.Event()
    ask = replicas._ask

    def slowly() -> bool | redis.RedisError:
        asked.append(1)
        is_asked.set()
        may_answer.wait(60)
        return ask()

    monkeypatch.setattr(replicas, "_ask", slowly)
    with ThreadPoolExecutor(21) as threads:
        first = threads.submit(replicas.have_all)
        assert is_asked.wait(60)
        others = [threads.submit(replicas.have_all) for _ in range(20)]
        eventually(lambda: replicas._asked == 21, 60, "all of them waiting")
        may_answer.set()
        assert [each.result(60) for each in (first, *others)] == [True] * 21
    assert len(asked) == 2, "the first one's, and one for all who came while it was asked"


def test_a_redis_that_is_away_keeps_all_of_them_waiting_once() -> None:
    with connect("redis://127.0.0.1:1/0") as away:
        replicas = Replicas(away, SHARD.replicated, 1)
        with pytest.raises(redis.ConnectionError):
            replicas.have_all()


def accepted(board: Leaderboard, update: ScoreUpdate) -> AcceptedUpdate:
    found = board.apply(update)
    assert isinstance(found, AcceptedUpdate)
    return found


def test_an_update_waits_for_its_replicas_and_for_the_redis_that_took_it(
    pair: RedisPair, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(client, replicas=Replicas(client, SHARD.replicated, 1))
    user_id = board.player()
    update = ScoreUpdate(str(uuid4()), user_id, 3, "198.51.100.7", None, "k")
    first = accepted(board.leaderboard, update)
    board.leaderboard.ensure_replicated([(update, first)])
    assert pair.second.zscore(board.keys.leaderboard, f"user:{user_id}") == 3
    pair.second.replicaof("NO", "ONE")
    again = accepted(board.leaderboard, update)
    assert again.replayed
    with monkeypatch.context() as impatient:
        impatient.setattr(replicas_module, "WAIT_MS", 300)
        with pytest.raises(RedisUnavailable):
            board.leaderboard.ensure_replicated([(update, again)])
    pair.replicate(pair.second, pair.first_url)
    board.leaderboard.ensure_replicated([(update, again)])
    client.hdel(board.keys.numbers, "open")
    with pytest.raises(RedisUnavailable):
        board.leaderboard.ensure_replicated([(update, first)])


def test_what_was_accepted_together_is_asked_about_once(pair: RedisPair, client: redis.Redis) -> None:
    replicas = Replicas(client, SHARD.replicated, 1)
    board = Board(client, replicas=replicas)
    updates = [ScoreUpdate(str(uuid4()), board.player(), 3, "198.51.100.7", None, "") for _ in range(5)]
    done = [(update, accepted(board.leaderboard, update)) for update in updates]
    board.leaderboard.ensure_replicated([])
    assert replicas._asked == 0
    board.leaderboard.ensure_replicated(done)
    assert replicas._asked == 1
    client.hdel(board.keys.numbers, "open")
    with pytest.raises(RedisUnavailable):
        board.leaderboard.ensure_replicated(done)


def test_readiness_and_the_start_say_what_is_missing(pair: RedisPair, client: redis.Redis) -> None:
    def lacks(required: int) -> str:
        return RedisProbe(client, MAIN.keys(SHARD), SHARD, lambda: None, required)().unreplicated

    says = "REDIS_REPLICAS asks for 2 replicas, and Redis has 1"
    assert [lacks(0), lacks(1), lacks(2)] == ["", "", says]
    check_outside_servers({"REDIS_URL": pair.first_url}, {}, redis_replicas=1)
    with pytest.raises(InstanceError, match=f"{says}: start them, or ask for fewer"):
        check_outside_servers({"REDIS_URL": pair.first_url}, {}, redis_replicas=2)
