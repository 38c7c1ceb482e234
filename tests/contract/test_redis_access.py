"""The connection to Redis, WebSocket tickets and the log-in throttle."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import redis

from shared.adapters.redis.connection import connect, translated
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.login_throttle import RedisLoginThrottle
from shared.adapters.redis.ws_tickets import RedisWsTickets
from shared.domain.player import Caller
from shared.errors import ConfigurationError, InvalidTicket, RedisUnavailable, TooManyAttempts

CALLER = Caller("u-1", "player", datetime(2026, 11, 23, 12, 15, tzinfo=UTC))
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def keys() -> Keys:
    return Keys(f"{{{secrets.token_hex(4)}}}")


@pytest.fixture
def tickets(redis_client: redis.Redis, keys: Keys) -> RedisWsTickets:
    return RedisWsTickets(redis_client, keys)


@pytest.fixture
def throttle(redis_client: redis.Redis, keys: Keys) -> RedisLoginThrottle:
    return RedisLoginThrottle(redis_client, keys)


def is_refused(throttle: RedisLoginThrottle, username: str, source_ip: str = HOME) -> bool:
    try:
        throttle.attempt(username, source_ip)
    except TooManyAttempts:
        return True
    return False


def test_a_ticket_is_good_once(tickets: RedisWsTickets) -> None:
    ticket, lifetime_seconds = tickets.issue(CALLER)
    assert lifetime_seconds == 30
    assert tickets.spend(ticket) == CALLER
    with pytest.raises(InvalidTicket):
        tickets.spend(ticket)


def test_of_many_who_spend_one_ticket_at_once_one_gets_in(tickets: RedisWsTickets) -> None:
    ticket, _ = tickets.issue(CALLER)

    def spend(_: int) -> bool:
        try:
            return tickets.spend(ticket) == CALLER
        except InvalidTicket:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(spend, range(8))) == 1


@pytest.mark.parametrize("ticket", ["", "nonsense", "x" * 10_000, "ü", "\ud800"])
def test_a_made_up_ticket_is_refused(tickets: RedisWsTickets, ticket: str) -> None:
    with pytest.raises(InvalidTicket):
        tickets.spend(ticket)


def test_a_ticket_is_kept_hashed_and_not_for_long(redis_client: redis.Redis, keys: Keys, tickets: RedisWsTickets) -> None:
    ticket, _ = tickets.issue(CALLER)
    (key,) = redis_client.scan_iter(keys.prefix + "*")
    assert ticket.encode() not in key
    assert 0 < redis_client.ttl(key) <= 30


def test_five_failures_are_free_and_then_it_takes_longer_and_longer(
    redis_client: redis.Redis, keys: Keys, throttle: RedisLoginThrottle
) -> None:
    waits = []
    for _ in range(5):
        throttle.attempt("ada", HOME)
    for _ in range(12):
        with pytest.raises(TooManyAttempts) as refused:
            throttle.attempt("ada", HOME)
        assert refused.value.retry_after_seconds is not None
        waits.append(round(refused.value.retry_after_seconds))
        redis_client.hset(keys.login_failures("ada", HOME), "next_at_ms", 0)  # the wait is over
        throttle.attempt("ada", HOME)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert 900 < redis_client.ttl(keys.login_failures("ada", HOME)) <= 1800


def test_waiting_does_not_make_the_wait_longer(throttle: RedisLoginThrottle) -> None:
    for _ in range(5):
        throttle.attempt("ada", HOME)
    waits = []
    for _ in range(20):
        with pytest.raises(TooManyAttempts) as refused:
            throttle.attempt("ada", HOME)
        waits.append(refused.value.retry_after_seconds or 0)
    assert waits == sorted(waits, reverse=True)
    assert max(waits) <= 2


def test_nobody_else_is_slowed_down(throttle: RedisLoginThrottle) -> None:
    while not is_refused(throttle, "ada"):
        pass
    assert is_refused(throttle, "ADA"), "capital letters make no other account"
    assert not is_refused(throttle, "ada", ELSEWHERE)
    assert not is_refused(throttle, "bob")


def test_success_forgets_the_failures(throttle: RedisLoginThrottle) -> None:
    for _ in range(20):
        throttle.attempt("ada", HOME)
        throttle.succeeded("ada", HOME)


def test_many_guesses_at_once_get_no_further_than_one_by_one(throttle: RedisLoginThrottle) -> None:
    with ThreadPoolExecutor(16) as threads:
        refused = list(threads.map(lambda _: is_refused(throttle, "ada"), range(64)))
    assert refused.count(False) == 5


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


def test_our_own_mistakes_are_not_outages(redis_client: redis.Redis, keys: Keys) -> None:
    redis_client.set(keys.prefix + "text", "x", ex=10)
    with pytest.raises(redis.ResponseError), translated():
        redis_client.incr(keys.prefix + "text")


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "redis://:secret@127.0.0.1:port/0"])
def test_a_bad_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(url)
    assert "secret" not in str(refused.value)
