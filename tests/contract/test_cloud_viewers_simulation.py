"""The simulation behind `make bench`: with the quota used up everybody still has a turn, one like the other."""

from __future__ import annotations

import statistics

import pytest
import redis

from tests.benchmarks.cloud_viewers import (
    API_REQUESTS,
    BUSY_API_REQUESTS,
    SEVERAL_SENDERS,
    SHARE,
    Outcome,
    through_api_gateway,
    through_appsync,
)

CROWD = 1000


pytestmark = pytest.mark.long


def p99(ages: list[float]) -> float:
    return sorted(ages)[int(len(ages) * 0.99)]


@pytest.fixture(scope="module")
def at_the_quota(redis_client: redis.Redis) -> Outcome:
    return through_api_gateway(redis_client, CROWD, SEVERAL_SENDERS, API_REQUESTS, "more senders than requests")


def test_posts_use_their_share_of_the_requests_and_no_more(at_the_quota: Outcome) -> None:
    assert 0.95 * SHARE < at_the_quota.requests_per_second <= 1.01 * SHARE
    assert at_the_quota.throttled == 0


def test_nobody_sees_what_is_much_older_than_what_others_see(at_the_quota: Outcome) -> None:
    turn = CROWD / SHARE
    assert statistics.median(at_the_quota.ages) < 0.1 + turn
    assert p99(at_the_quota.ages) < 0.1 + 2 * turn


def test_a_newcomer_does_not_wait_for_a_turn(at_the_quota: Outcome) -> None:
    assert p99(at_the_quota.first_seconds) < 1.0


def test_where_the_http_api_leaves_less_than_the_share_viewers_get_what_is_left(redis_client: redis.Redis) -> None:
    outcome = through_api_gateway(redis_client, CROWD, SEVERAL_SENDERS, BUSY_API_REQUESTS, "a busy HTTP API")
    assert outcome.throttled < 0.2 * outcome.requests_per_second * 20
    assert p99(outcome.ages) < 1.5


def test_appsync_tells_everybody_at_once(redis_client: redis.Redis) -> None:
    outcome = through_appsync(redis_client, 10 * CROWD)
    assert outcome.requests_per_second <= 10.5
    assert p99(outcome.ages) < 0.3
