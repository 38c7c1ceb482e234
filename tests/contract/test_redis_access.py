"""The connection to Redis, and WebSocket tickets."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import redis

from shared.accounts.player import Caller
from shared.core.errors import ConfigurationError, InvalidTicket, RedisUnavailable
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect, translated
from shared.viewers.tickets_redis import WsTickets

CALLER = Caller("u-1", "player", datetime(2026, 11, 23, 12, 15, tzinfo=UTC))


@pytest.fixture
def keys() -> ShardKeys:
    return ShardKeys(f"{{{secrets.token_hex(4)}}}")


@pytest.fixture
def tickets(redis_client: redis.Redis, keys: ShardKeys) -> WsTickets:
    return WsTickets(redis_client, keys)


def test_a_ticket_is_good_once(tickets: WsTickets) -> None:
    ticket, lifetime_seconds = tickets.issue(CALLER)
    assert lifetime_seconds == 30
    assert tickets.spend(ticket) == CALLER
    with pytest.raises(InvalidTicket):
        tickets.spend(ticket)


def test_of_many_who_spend_one_ticket_at_once_one_gets_in(tickets: WsTickets) -> None:
    ticket, _ = tickets.issue(CALLER)

    def spend(_: int) -> bool:
        try:
            return tickets.spend(ticket) == CALLER
        except InvalidTicket:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(spend, range(8))) == 1


@pytest.mark.parametrize("ticket", ["", "nonsense", "x" * 10_000, "ü", "\ud800"])
def test_a_made_up_ticket_is_refused(tickets: WsTickets, ticket: str) -> None:
    with pytest.raises(InvalidTicket):
        tickets.spend(ticket)


def test_a_ticket_is_kept_hashed_and_not_for_long(redis_client: redis.Redis, keys: ShardKeys, tickets: WsTickets) -> None:
    ticket, _ = tickets.issue(CALLER)
    (key,) = redis_client.scan_iter(keys.prefix + "*")
    assert ticket.encode() not in key
    assert 0 < redis_client.ttl(key) <= 30


def test_nobody_there_is_an_outage() -> None:
    with pytest.raises(RedisUnavailable), translated():
        connect("redis://127.0.0.1:1/0").ping()


def test_a_wrong_password_is_an_outage(redis_url: str) -> None:
    with pytest.raises(RedisUnavailable), translated():
        connect(redis_url.replace("@", "wrong@")).ping()


def test_a_connection_the_server_closed_is_replaced_unnoticed(redis_url: str, redis_client: redis.Redis) -> None:
    client = connect(redis_url, size=1)
    number = client.client_id()
    redis_client.client_kill_filter(_id=str(number))
    assert client.client_id() != number
    client.close()


def test_our_own_mistakes_are_not_outages(redis_client: redis.Redis, keys: ShardKeys) -> None:
    redis_client.set(keys.prefix + "text", "x", ex=10)
    with pytest.raises(redis.ResponseError), translated():
        redis_client.incr(keys.prefix + "text")


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "redis://:secret@127.0.0.1:port/0"])
def test_a_bad_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(url)
    assert "secret" not in str(refused.value)
