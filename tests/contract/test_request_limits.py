"""How often something may be asked for: a burst, then an even flow, for all processes together."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.accounts.redis import LimitsSince, RequestLimits
from shared.accounts.request_limit import RequestKind, RequestLimit, request_limits
from shared.core.errors import RedisUnavailable, TooManyRequests
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from tests.support.redis_clock import RedisClock, standing_clock

LIMITS = request_limits(network_registrations=600, registrations=10_000, updates=100, update_window_seconds=60)
HALL, OTHER_HALL = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def keys() -> ShardKeys:
    return ShardKeys(f"{{{secrets.token_hex(4)}}}")


@pytest.fixture(autouse=True)
def clock(redis_client: redis.Redis) -> Iterator[RedisClock]:
    with standing_clock(redis_client) as made:
        yield made


SMALL: dict[RequestKind, list[RequestLimit]] = {
    "registration": [RequestLimit("network", 5, 3600), RequestLimit("everybody", 12, 3600)],
    "ws_ticket": [RequestLimit("user", 3, 60)],
}


@pytest.fixture
def limits(redis_client: redis.Redis, keys: ShardKeys) -> RequestLimits:
    LimitsSince(redis_client, keys, lambda: None).begin()
    return RequestLimits(LimitsSince(redis_client, keys, lambda: 0), keys, {**LIMITS, **SMALL})


def wait_of(limits: RequestLimits, kind: RequestKind = "registration", source_ip: str = HALL, user_id: str = "") -> float:
    """How long one is told to wait, 0 when the request may be made."""
    try:
        limits.admit(kind, source_ip=source_ip, user_id=user_id)
    except TooManyRequests as refused:
        return refused.retry_after_seconds or 0.0
    return 0.0


def pass_seconds(client: redis.Redis, keys: ShardKeys, seconds: float) -> None:
    """As if so much time had passed."""
    for key in counters(client, keys):
        client.set(key, float(client.get(key) or 0) - seconds * 1000, keepttl=True)
    client.hincrbyfloat(keys.limits_since, "at", -seconds * 1000)


def counters(client: redis.Redis, keys: ShardKeys) -> list[bytes]:
    """Every key but the mark."""
    return [key for key in client.scan_iter(keys.prefix.replace("{", "[{]") + "*") if key.decode() != keys.limits_since]


def test_a_burst_is_admitted_and_then_one_after_another(
    redis_client: redis.Redis, keys: ShardKeys, limits: RequestLimits
) -> None:
    assert [wait_of(limits, "ws_ticket", user_id="u-1") for _ in range(3)] == [0.0] * 3
    told = wait_of(limits, "ws_ticket", user_id="u-1")
    assert 15 < told <= 20, "a third of the window"
    assert wait_of(limits, "ws_ticket", user_id="u-1") <= told, "asking in vain does not make the wait longer"
    pass_seconds(redis_client, keys, told)
    assert wait_of(limits, "ws_ticket", user_id="u-1") == 0
    assert wait_of(limits, "ws_ticket", user_id="u-1") > 0
    pass_seconds(redis_client, keys, 60)
    assert [wait_of(limits, "ws_ticket", user_id="u-1") for _ in range(3)] == [0.0] * 3
    assert wait_of(limits, "ws_ticket", user_id="u-1") > 0


def test_one_users_requests_are_not_anothers(limits: RequestLimits) -> None:
    while not wait_of(limits, "ws_ticket", user_id="u-1"):
        pass
    assert wait_of(limits, "ws_ticket", user_id="u-2") == 0
    assert wait_of(limits, "action_ticket", user_id="u-1") == 0, "nor of another kind"


def test_a_network_and_everybody_are_counted_together(limits: RequestLimits) -> None:
    assert [bool(wait_of(limits)) for _ in range(6)] == [False] * 5 + [True]
    assert [bool(wait_of(limits, source_ip=OTHER_HALL)) for _ in range(6)] == [False] * 5 + [True]
    # Those who were refused took nothing of what all share: two of twelve are left.
    waits = [wait_of(limits, source_ip=f"192.0.2.{number}") for number in range(4)]
    assert [bool(wait) for wait in waits] == [False, False, True, True]


def test_a_customer_of_ipv6_is_one_network(limits: RequestLimits) -> None:
    waits = [wait_of(limits, source_ip=f"2001:db8:1:2::{number:x}") for number in range(1, 8)]
    assert [bool(wait) for wait in waits] == [False] * 5 + [True] * 2


def test_this_machine_has_no_limit_of_its_own_but_that_of_everybody(limits: RequestLimits) -> None:
    waits = [wait_of(limits, source_ip="127.0.0.1") for _ in range(13)]
    assert [bool(wait) for wait in waits] == [False] * 12 + [True]


def test_what_is_counted_by_network_alone_is_open_to_this_machine(limits: RequestLimits) -> None:
    assert [wait_of(limits, "password_check", source_ip="127.0.0.1") for _ in range(1000)] == [0.0] * 1000


def test_of_many_at_once_exactly_as_many_are_admitted(redis_url: str, keys: ShardKeys) -> None:
    limits: dict[RequestKind, list[RequestLimit]] = {"log_out": [RequestLimit("user", 40, 3600)]}
    clients = [connect(redis_url) for _ in range(4)]
    processes = [RequestLimits(LimitsSince(client, keys, lambda: None), keys, {**LIMITS, **limits}) for client in clients]
    with ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(lambda number: wait_of(processes[number % 4], "log_out", user_id="u-1"), range(200)))
    assert waits.count(0.0) == 40
    for client in clients:
        client.close()


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_window(
    redis_client: redis.Redis, keys: ShardKeys, limits: RequestLimits
) -> None:
    wait_of(limits, "ws_ticket", user_id="u-1")
    pass_seconds(redis_client, keys, -24 * 3600)
    assert 0 < wait_of(limits, "ws_ticket", user_id="u-1") <= 60


def test_nothing_is_left_when_the_window_has_passed(redis_client: redis.Redis, keys: ShardKeys, limits: RequestLimits) -> None:
    wait_of(limits)
    assert len(counters(redis_client, keys)) == 2
    for key in counters(redis_client, keys):
        assert 0 < redis_client.pttl(key) <= 3600 * 1000


@pytest.mark.parametrize("kind", LIMITS)
def test_while_redis_is_away_nothing_is_admitted(kind: RequestKind) -> None:
    limits = RequestLimits(LimitsSince(connect("redis://127.0.0.1:1/0"), ShardKeys(), lambda: 0), ShardKeys(), LIMITS)
    with pytest.raises(RedisUnavailable):
        limits.admit(kind, user_id="u-1")


def lost(client: redis.Redis, keys: ShardKeys, registrations: int) -> RequestLimits:
    """The limits after Redis has lost everything, when the database knows of so many registrations in the last hour."""
    client.delete(keys.limits_since, *counters(client, keys))
    return RequestLimits(LimitsSince(client, keys, lambda: registrations), keys, {**LIMITS, **SMALL})


@pytest.mark.parametrize(("before", "after"), [(0, 5), (1, 4), (4, 1), (5, 0), (100, 0)])
def test_after_a_lost_redis_registrations_of_the_last_hour_still_count(
    redis_client: redis.Redis, keys: ShardKeys, limits: RequestLimits, before: int, after: int
) -> None:
    while not wait_of(limits):
        pass
    limits = lost(redis_client, keys, before)
    assert [bool(wait_of(limits)) for _ in range(6)] == [False] * after + [True] * (6 - after)
    assert wait_of(limits) <= 720, "a fifth of the hour"
    pass_seconds(redis_client, keys, 3600)
    assert [bool(wait_of(limits)) for _ in range(6)] == [False] * 5 + [True]


def test_after_a_lost_redis_all_registrations_of_the_last_hour_count_together(redis_client: redis.Redis, keys: ShardKeys) -> None:
    limits = lost(redis_client, keys, 9)
    waits = [wait_of(limits, source_ip=f"192.0.2.{number}") for number in range(5)]
    assert waits.count(0.0) == 0, "one network may have made them all"
    here = [wait_of(limits, source_ip="127.0.0.1") for _ in range(5)]
    assert [bool(wait) for wait in here] == [False] * 3 + [True] * 2


def test_after_a_lost_redis_everything_else_is_nearly_used_up(
    redis_client: redis.Redis, keys: ShardKeys, limits: RequestLimits
) -> None:
    while not wait_of(limits, "ws_ticket", user_id="u-1"):
        pass
    limits = lost(redis_client, keys, 0)
    assert wait_of(limits, "ws_ticket", user_id="u-1") == 0
    assert 15 < wait_of(limits, "ws_ticket", user_id="u-1") <= 20
    assert wait_of(limits, "ws_ticket", user_id="u-2") == 0, "the mark is as old as the loss"
    pass_seconds(redis_client, keys, 60)
    assert [bool(wait_of(limits, "ws_ticket", user_id="u-1")) for _ in range(4)] == [False] * 3 + [True]


def test_a_redis_that_lost_only_its_last_moments_begins_anew_when_the_mark_is_taken_away(
    redis_client: redis.Redis, keys: ShardKeys, limits: RequestLimits
) -> None:
    assert wait_of(limits, "ws_ticket", user_id="u-1") == 0
    redis_client.delete(keys.limits_since)
    assert [bool(wait_of(limits, "ws_ticket", user_id="u-1")) for _ in range(2)] == [False, True]


def test_of_many_who_find_the_mark_gone_one_sets_it(redis_client: redis.Redis, keys: ShardKeys) -> None:
    limits = lost(redis_client, keys, 2)
    with ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(lambda _: wait_of(limits), range(64)))
    assert waits.count(0.0) == 3
