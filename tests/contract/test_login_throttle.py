"""Failed log-ins: whoever guesses waits longer and longer, wherever from, and nobody is locked out by somebody else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from shared.accounts.redis import KNOWN_NETWORKS, OF_ACCOUNT, OF_ACCOUNT_FROM_NETWORK, OF_NETWORK, LimitsSince, LoginThrottle
from shared.core.errors import TooManyAttempts
from shared.stores.keys import ShardKeys
from tests.support.redis_clock import RedisClock, standing_clock

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def keys() -> ShardKeys:
    return ShardKeys(f"{{{secrets.token_hex(4)}}}")


@pytest.fixture(autouse=True)
def clock(redis_client: redis.Redis) -> Iterator[RedisClock]:
    with standing_clock(redis_client) as made:
        yield made


@pytest.fixture
def throttle(redis_client: redis.Redis, keys: ShardKeys) -> LoginThrottle:
    return counting(redis_client, keys, is_new=True)


def counting(client: redis.Redis, keys: ShardKeys, *, is_new: bool) -> LoginThrottle:
    """On a Redis in which nothing has been forgotten, or everything."""
    if is_new:
        LimitsSince(client, keys, lambda: None).begin()
    return LoginThrottle(client, keys, LimitsSince(client, keys, lambda: 0))


def counters(client: redis.Redis, keys: ShardKeys) -> list[bytes]:
    """Every key but the mark."""
    return [key for key in client.scan_iter(keys.prefix.replace("{", "[{]") + "*") if key.decode() != keys.limits_since]


def wait_of(throttle: LoginThrottle, username: str, source_ip: str = HOME) -> float:
    """Attempt it; how long one is told to wait, 0 when the attempt may be made."""
    try:
        throttle.attempt(username, source_ip)
    except TooManyAttempts as refused:
        return refused.retry_after_seconds or 0.0
    return 0.0


def addresses(count: int) -> list[str]:
    return [f"203.0.{113 + number // 200}.{1 + number % 200}" for number in range(count)]


def log_in(throttle: LoginThrottle, username: str, source_ip: str = HOME) -> None:
    throttle.attempt(username, source_ip)
    throttle.succeeded(username, source_ip)


def waits_until_the_longest(client: redis.Redis, key: str, attempt: Any, times: int) -> list[int]:
    """What one is told after each further failure, when each wait is waited for."""
    waits = []
    for _ in range(times):
        waits.append(round(attempt()))
        client.hset(key, "next_at_ms", 0)  # the wait is over
        assert attempt() == 0
    return waits


def test_five_failures_are_free_and_then_it_takes_longer_and_longer(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle
) -> None:
    log_in(throttle, "ada")
    assert [wait_of(throttle, "ada") for _ in range(5)] == [0.0] * 5
    key = keys.login_failures("ada", HOME)
    waits = waits_until_the_longest(redis_client, key, lambda: wait_of(throttle, "ada"), 12)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert 900 < redis_client.ttl(key) <= 1800


def test_waiting_does_not_make_the_wait_longer(throttle: LoginThrottle) -> None:
    for _ in range(5):
        throttle.attempt("ada", HOME)
    waits = [wait_of(throttle, "ada") for _ in range(20)]
    assert waits == sorted(waits, reverse=True)
    assert max(waits) <= 2


def test_nobody_else_is_slowed_down(throttle: LoginThrottle) -> None:
    while not wait_of(throttle, "ada"):
        pass
    assert wait_of(throttle, "ADA"), "capital letters make no other account"
    assert not wait_of(throttle, "ada", ELSEWHERE)
    assert not wait_of(throttle, "bob")


def test_success_forgets_the_failures(throttle: LoginThrottle) -> None:
    for _ in range(40):
        log_in(throttle, "ada")


def test_an_attempt_that_came_to_nothing_is_no_failure(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle
) -> None:
    for _ in range(40):
        throttle.attempt("ada", HOME)
        throttle.withdraw("ada", HOME)
    assert counters(redis_client, keys) == []
    assert [bool(wait_of(throttle, "ada")) for _ in range(6)] == [False] * 5 + [True]


def test_attempts_that_come_to_nothing_end_no_delay_of_others(throttle: LoginThrottle) -> None:
    throttle.attempt("ada", HOME)  # is still on its way to the hasher, which is busy
    while not wait_of(throttle, "ada"):
        pass
    throttle.withdraw("ada", HOME)
    assert wait_of(throttle, "ada")


def test_many_guesses_at_once_get_no_further_than_one_by_one(throttle: LoginThrottle) -> None:
    with ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(lambda _: wait_of(throttle, "ada"), range(64)))
    assert waits.count(0.0) == 5


def test_many_machines_on_one_account_wait_longer_and_longer(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle
) -> None:
    guessers = iter(addresses(100))
    assert [wait_of(throttle, "ada", next(guessers)) for _ in range(OF_ACCOUNT.free_attempts)] == [0.0] * OF_ACCOUNT.free_attempts
    key = keys.login_failures_of_account("ada")
    waits = waits_until_the_longest(redis_client, key, lambda: wait_of(throttle, "ADA", next(guessers)), 7)
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    assert not wait_of(throttle, "bob", next(guessers))


def test_a_hammered_account_is_open_to_its_owner_from_where_they_were_before(throttle: LoginThrottle) -> None:
    log_in(throttle, "ada")
    guessers = iter(addresses(200))
    while not wait_of(throttle, "ada", next(guessers)):
        pass
    for _ in range(4):
        assert not wait_of(throttle, "Ada", HOME), "and may mistype it"
    log_in(throttle, "ada", HOME)
    assert wait_of(throttle, "ada", next(guessers)), "the owner's success gives the others no further guess"


def test_one_machine_on_many_accounts_waits_longer_and_longer(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle
) -> None:
    names = (f"name-{number}" for number in range(1000))
    assert [wait_of(throttle, next(names)) for _ in range(OF_NETWORK.free_attempts)] == [0.0] * OF_NETWORK.free_attempts
    key = keys.login_failures_of_network(HOME)
    waits = waits_until_the_longest(redis_client, key, lambda: wait_of(throttle, next(names)), 7)
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    assert not wait_of(throttle, next(names), ELSEWHERE)


def test_who_shares_the_guessers_address_still_gets_in(throttle: LoginThrottle) -> None:
    log_in(throttle, "ada")
    names = (f"name-{number}" for number in range(1000))
    while not wait_of(throttle, next(names)):
        pass
    log_in(throttle, "ada")


def test_an_account_of_ones_own_buys_no_guesses_at_those_of_others(throttle: LoginThrottle) -> None:
    log_in(throttle, "mallory")
    names = (f"name-{number}" for number in range(1000))
    while not wait_of(throttle, next(names)):
        pass
    for _ in range(3):
        log_in(throttle, "mallory")
        assert wait_of(throttle, next(names))


def test_a_hall_full_of_players_who_know_their_passwords_is_not_slowed(throttle: LoginThrottle) -> None:
    for number in range(300):
        log_in(throttle, f"player-{number}")
    assert not wait_of(throttle, "player-0")


def test_a_customer_of_ipv6_is_one_however_many_addresses_they_take(throttle: LoginThrottle) -> None:
    waits = [wait_of(throttle, "ada", f"2001:db8:1:2::{number:x}") for number in range(1, 8)]
    assert [bool(wait) for wait in waits] == [False] * 5 + [True] * 2
    assert not wait_of(throttle, "ada", "2001:db8:1:3::1")


def test_loopback_is_only_counted_for_each_account(throttle: LoginThrottle) -> None:
    for number in range(OF_NETWORK.free_attempts + 10):
        assert not wait_of(throttle, f"name-{number}", "127.0.0.1")
    waits = [wait_of(throttle, "ada", "127.0.0.1") for _ in range(6)]
    assert [bool(wait) for wait in waits] == [False] * 5 + [True]


def test_what_is_remembered_ends_and_is_bounded(redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle) -> None:
    for address in addresses(KNOWN_NETWORKS + 5):
        log_in(throttle, "ada", address)
    throttle.attempt("ada", HOME)
    assert redis_client.zcard(keys.login_networks("ada")) == KNOWN_NETWORKS
    assert redis_client.zscore(keys.login_networks("ada"), addresses(KNOWN_NETWORKS + 5)[-1])
    found = counters(redis_client, keys)
    assert len(found) == 4
    assert all(redis_client.ttl(key) > 0 for key in found)


def test_a_clock_that_was_set_back_makes_nobody_wait_longer(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle
) -> None:
    while not wait_of(throttle, "ada"):
        pass
    key = keys.login_failures("ada", HOME)
    redis_client.hincrby(key, "next_at_ms", 24 * 3_600_000)
    assert wait_of(throttle, "ada") == OF_ACCOUNT_FROM_NETWORK.max_seconds
    redis_client.hincrby(key, "next_at_ms", -1000 * OF_ACCOUNT_FROM_NETWORK.max_seconds)  # as long it is waited
    assert wait_of(throttle, "ada") == 0


# After Redis lost its counters


@pytest.fixture
def lost(redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle) -> LoginThrottle:
    """Its owner was logged in from home, a guesser had used up all attempts; then Redis lost everything."""
    log_in(throttle, "ada")
    while not wait_of(throttle, "ada", ELSEWHERE):
        pass
    redis_client.delete(keys.limits_since, *counters(redis_client, keys))
    return counting(redis_client, keys, is_new=False)


def test_a_guesser_gets_one_attempt_and_no_free_ones(redis_client: redis.Redis, keys: ShardKeys, lost: LoginThrottle) -> None:
    assert wait_of(lost, "ada", ELSEWHERE) == 0
    assert [round(wait_of(lost, "ada", ELSEWHERE)) for _ in range(3)] == [16] * 3
    assert [round(wait_of(lost, "ada", address)) for address in addresses(3)] == [16] * 3, "nor do others"
    key, others = keys.login_failures_of_account("ada"), iter(addresses(100))
    redis_client.hset(key, "next_at_ms", 0)
    assert wait_of(lost, "ada", next(others)) == 0
    assert waits_until_the_longest(redis_client, key, lambda: wait_of(lost, "ada", next(others)), 3) == [32, 60, 60]


def test_its_owner_gets_in_at_once_and_may_mistype_it_from_then_on(lost: LoginThrottle) -> None:
    log_in(lost, "ada")
    assert [wait_of(lost, "ada") for _ in range(5)] == [0.0] * 5


def test_one_machine_on_many_accounts_gets_one_attempt_and_then_waits(lost: LoginThrottle) -> None:
    assert wait_of(lost, "ada", ELSEWHERE) == 0
    assert 1 < wait_of(lost, "bob", ELSEWHERE) <= 2


def test_a_hall_full_of_players_who_know_their_passwords_gets_in(lost: LoginThrottle) -> None:
    for number in range(100):
        log_in(lost, f"player-{number}", ELSEWHERE)


def test_what_was_assumed_is_forgotten_as_failures_are(redis_client: redis.Redis, keys: ShardKeys, lost: LoginThrottle) -> None:
    lost.attempt("bob", "192.0.2.1")
    redis_client.hincrbyfloat(keys.limits_since, "at", -OF_ACCOUNT.memory_seconds * 1000)
    assert [wait_of(lost, "ada") for _ in range(5)] == [0.0] * 5


def test_a_known_network_stays_known_but_its_free_attempts_are_gone(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle, clock: RedisClock
) -> None:
    log_in(throttle, "ada")
    guessers = iter(addresses(100))
    while not wait_of(throttle, "ada", next(guessers)):
        pass
    clock.move(1)
    redis_client.delete(keys.limits_since)
    assert [round(wait_of(throttle, "ada")) for _ in range(2)] == [0, 16], "others are no hindrance"


def test_a_mark_that_is_taken_away_takes_the_free_attempts_away(
    redis_client: redis.Redis, keys: ShardKeys, throttle: LoginThrottle
) -> None:
    throttle.attempt("ada", HOME)
    redis_client.delete(keys.limits_since)
    assert [bool(wait_of(throttle, "ada")) for _ in range(2)] == [False, True]
