"""Posting to connections that API Gateway holds: everybody gets the newest frame, whatever goes wrong, within the quota."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import redis

from shared.accounts.player import Caller
from shared.boards.ranking import Standing
from shared.core.errors import TooManyViewers, ViewersUnavailable
from shared.viewers import connections_redis as registry
from shared.viewers.connections_redis import Connections, Quota
from shared.viewers.frames_redis import Frames
from shared.viewers.rings import SHARDS, Chunk, Outcome, Throttled
from tests.contract.watching import AS_OF, ApiGatewayWatching, Board, api_gateway_watching, board, in_a_while
from tests.support import aws

CROWD = 300


@pytest.fixture
def watching(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiGatewayWatching]:
    for name, value in aws.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with api_gateway_watching(redis_client) as made:
        yield made


def send(watching: ApiGatewayWatching, score: int) -> bool:
    """Whether everybody was served."""
    return watching.viewers.broadcast(lambda: board(score)).is_complete


def taken_of(watching: ApiGatewayWatching, at_most: int = 100, holder: str = "holder") -> list[Chunk]:
    """A chunk of each shard that has one."""
    chunks = [watching.connections.take(place, holder, at_most) for place in watching.connections.main.places]
    return [chunk for chunk in chunks if isinstance(chunk, Chunk)]


def test_everybody_gets_the_frame(watching: ApiGatewayWatching) -> None:
    names = watching.crowd(CROWD)
    assert send(watching, 5)
    assert {tuple(watching.scores(name)[-1:]) for name in names} == {(5,)}


def test_a_newcomer_gets_the_board_although_it_did_not_change_and_nobody_else_does(watching: ApiGatewayWatching) -> None:
    assert send(watching, 1)
    posts = watching.api.requests
    assert not watching.join("late="), "the first one to come must ask for a broadcast"
    assert watching.join("later="), "it was asked for"
    assert send(watching, 1)
    assert watching.scores("late=") == watching.scores("later=") == [1]
    assert watching.api.requests == posts + 2
    assert not watching.join("last="), "after a broadcast has begun it must be asked for anew"


def test_a_board_that_did_not_change_is_not_sent_again(watching: ApiGatewayWatching) -> None:
    versions = {watching.viewers.broadcast(lambda: board(1)).version for _ in range(3)}
    assert len(versions) == 1
    assert watching.scores() == [1]


def test_racing_broadcasts_make_ten_frames_a_second_at_most_and_the_last_state_goes_out(watching: ApiGatewayWatching) -> None:
    reads, began = count(1), time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: watching.viewers.broadcast(lambda: board(next(reads))), range(32)))
    made = len(watching.frames())
    assert made <= 10 * (time.monotonic() - began) + 1
    assert watching.scores()[-1] == next(reads) - 1


def test_a_viewer_who_is_gone_is_forgotten(watching: ApiGatewayWatching) -> None:
    watching.api.open.clear()
    watching.skipped_ms += registry.GRACE_MS
    assert send(watching, 1)
    posts = watching.api.requests
    assert send(watching, 2)
    assert (posts, watching.api.requests) == (1, 1)


def test_a_viewer_whose_handshake_is_not_over_yet_is_not_taken_for_gone(watching: ApiGatewayWatching) -> None:
    answers = iter([410, 410])
    watching.api.verdict = lambda _: next(answers, None)
    assert send(watching, 1)
    assert watching.scores() == [1]


@pytest.mark.parametrize("status", [429, 500, 503, 0], ids=["throttled", "error", "unavailable", "no answer"])
def test_a_post_that_failed_is_repeated(watching: ApiGatewayWatching, status: int) -> None:
    names = watching.crowd(40)
    failing = Counter(dict.fromkeys(names[:10], 2))

    def verdict(connection_id: str) -> int | None:
        failing[connection_id] -= 1
        return status if failing[connection_id] >= 0 else None

    watching.api.verdict = verdict
    assert send(watching, 3)
    assert {tuple(watching.scores(name)) for name in names} == {(3,)}


def test_too_many_requests_slow_everybody_down(watching: ApiGatewayWatching) -> None:
    answers = iter([429])
    watching.api.verdict = lambda _: next(answers, None)
    assert watching.another(Quota(1, 1000)).broadcast(lambda: board(1)).is_complete
    tokens = float(watching.client.hget(watching.shard.viewers_quota, "tokens") or 0)
    assert tokens < 1000 - 30, "more than the two posts was taken out of the bucket"


def test_a_frame_that_is_too_large_is_not_sent_again(watching: ApiGatewayWatching) -> None:
    watching.api.verdict = lambda _: 413
    assert send(watching, 1)
    assert watching.api.requests <= 2


def test_a_gateway_that_does_not_let_us_is_told_so(watching: ApiGatewayWatching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ViewersUnavailable):
        watching.another().broadcast(lambda: board(1))


def test_a_newer_state_abandons_the_older_one(watching: ApiGatewayWatching) -> None:
    names, score = watching.crowd(CROWD), 1

    def verdict(_: str) -> None:
        nonlocal score
        if watching.api.requests == 50:
            score = 2
            watching.skipped_ms += 200  # time for another frame

    watching.api.verdict = verdict
    assert watching.another(lanes=1).broadcast(lambda: board(score)).is_complete
    got = Counter(tuple(dict.fromkeys(watching.scores(name))) for name in names)
    assert set(got) <= {(1, 2), (2,)}
    assert got[2,] >= CROWD / 2, "most never saw what was out of date"


def test_what_a_dead_broadcaster_had_in_hand_is_taken_over(watching: ApiGatewayWatching) -> None:
    names = watching.crowd(40)
    assert send(watching, 8)
    Frames(watching.client, watching.keys, watching.shard, now=watching.now).read_after_now(lambda: board(9))
    lost = {name for chunk in taken_of(watching) for name in chunk.connection_ids}
    assert len(lost) > 20
    assert watching.viewers.sweep().is_behind
    watching.skipped_ms += registry.LEASE_MS
    assert send(watching, 9)
    assert {watching.scores(name)[-1] for name in names} == {9}
    assert not watching.viewers.sweep().is_behind


def test_a_clock_that_was_set_back_does_not_hold_what_a_dead_broadcaster_had_in_hand(watching: ApiGatewayWatching) -> None:
    watching.skipped_ms += 6 * registry.LEASE_MS
    names = watching.crowd(40)
    assert send(watching, 8)
    Frames(watching.client, watching.keys, watching.shard, now=watching.now).read_after_now(lambda: board(9))
    assert taken_of(watching)
    watching.skipped_ms = 0
    assert send(watching, 9)
    assert {watching.scores(name)[-1] for name in names} == {9}


def test_nobody_posts_to_the_same_viewers_at_the_same_time(watching: ApiGatewayWatching) -> None:
    watching.crowd(40)
    Frames(watching.client, watching.keys, watching.shard, now=watching.now).read_after_now(lambda: board(1))
    first = taken_of(watching)
    assert taken_of(watching, holder="somebody else") == []
    for chunk in first:
        watching.connections.settle(chunk, Outcome(served=list(chunk.connection_ids)), 1)
    second = {name for chunk in taken_of(watching) for name in chunk.connection_ids}
    assert second == set(), "all have been served"


def test_posts_keep_to_the_quota(watching: ApiGatewayWatching) -> None:
    watching.crowd(CROWD)
    Frames(watching.client, watching.keys, watching.shard, now=watching.now).read_after_now(lambda: board(1))
    at = watching.now()
    limited = Connections(watching.client, watching.shard, Quota(100, 150), now=lambda: at)

    def take_all() -> int:
        chunks = [limited.take(place, "holder", 100) for place in limited.main.places]
        return sum(len(chunk.connection_ids) for chunk in chunks if isinstance(chunk, Chunk))

    first = take_all()
    assert 150 - 30 < first <= 150
    refused = [limited.take(place, "another", 100) for place in limited.main.places]
    assert [each for each in refused if isinstance(each, Throttled)], "some shard is left that waits for requests"
    assert all(each.seconds <= 0.3 for each in refused if isinstance(each, Throttled))
    at += 300
    assert 0 < take_all() <= 150 + 30 - first
    at -= 3_600_000  # the clock is set back
    assert take_all() == 0
    at += 300
    assert 0 < take_all() <= 30


def test_nobody_is_always_last(watching: ApiGatewayWatching) -> None:
    names = [*watching.crowd(CROWD), "c-0="]
    frames, turns = Frames(watching.client, watching.keys, watching.shard, now=watching.now), Counter[str]()
    assert send(watching, 0)
    for score in range(1, 40):  # a board that changes before anybody gets through a shard
        watching.skipped_ms += 200
        frames.read_after_now(lambda score=score: board(score))  # type: ignore[misc]
        for chunk in taken_of(watching, at_most=5):
            turns.update(chunk.connection_ids)
            watching.connections.settle(chunk, Outcome(served=list(chunk.connection_ids)), 1)
    main = watching.connections.main
    by_shard = [{turns[name] for name in names if main.place_of(name) == place} for place in main.places]
    assert all(max(seen) - min(seen) <= 1 for seen in by_shard if seen), by_shard


def test_who_comes_and_goes_during_a_round_takes_nobodys_turn(watching: ApiGatewayWatching) -> None:
    names, ends_at = [f"m-{number:03}=" for number in range(CROWD)], in_a_while()
    for name in names:
        watching.join(name, ends_at)
    assert send(watching, 1)
    Frames(watching.client, watching.keys, watching.shard, now=watching.now).read_after_now(lambda: board(2))
    for chunk in taken_of(watching, at_most=4):
        for connection_id in chunk.connection_ids[-2:]:  # the ring's place among them
            watching.viewers.farewell(connection_id)
        names = [name for name in names if name not in chunk.connection_ids[-2:]]
        watching.connections.settle(chunk, Outcome(served=list(chunk.connection_ids)), 1)
    unserved = [name for name in names if name > "m-200"]
    newcomers = [f"m-150-{number}=" for number in range(60)]
    for name in newcomers:
        watching.join(name, ends_at)
    assert send(watching, 2)
    assert {watching.scores(name)[-1] for name in [*unserved, *newcomers]} == {2}


def test_a_broadcast_that_runs_out_of_time_says_so_and_the_next_one_goes_on(watching: ApiGatewayWatching) -> None:
    names = watching.crowd(CROWD)
    hasty = watching.another(seconds=0.0)
    assert not hasty.broadcast(lambda: board(1)).is_complete
    assert watching.viewers.sweep().is_behind
    assert send(watching, 1)
    assert {tuple(watching.scores(name)[-1:]) for name in names} == {(1,)}


def test_a_session_that_has_ended_is_not_served_and_its_connection_closed(watching: ApiGatewayWatching) -> None:
    watching.join("short=", datetime.now(UTC) + timedelta(minutes=1))
    assert send(watching, 1)
    watching.join("shorter=", datetime.now(UTC) + timedelta(seconds=50))
    watching.skipped_ms += 61_000
    assert send(watching, 2)
    assert watching.scores("short=") == [1]
    assert watching.scores("shorter=") == []
    assert watching.scores() == [1, 2]
    swept = watching.viewers.sweep()
    assert (swept.ended, swept.is_behind) == (2, False)
    assert watching.api.open == {"c-0="}
    assert watching.viewers.sweep().ended == 0


def test_who_must_have_been_disconnected_by_now_is_dropped_although_nobody_said_so(watching: ApiGatewayWatching) -> None:
    watching.join("for-a-week=", datetime.now(UTC) + timedelta(days=7))
    watching.skipped_ms += 2 * 3600_000
    assert watching.viewers.sweep().ended == 1, "the other one, whose session is over"
    watching.skipped_ms += 11 * 60_000
    assert watching.viewers.sweep().ended == 1


def test_who_is_dismissed_is_not_served_any_more_and_closed(watching: ApiGatewayWatching) -> None:
    for name, user_id, session_id in (("a=", "u-1", "s-1"), ("b=", "u-1", "s-2"), ("c=", "u-2", "s-3")):
        watching.viewers.know(name, Caller(user_id, "player", in_a_while(), session_id), hears_broadcast=True)
        watching.join(name)
    watching.viewers.dismiss("u-1", ["s-1"], datetime.now(UTC))
    assert send(watching, 1)
    assert [watching.scores(name) for name in ("a=", "b=", "c=")] == [[], [1], [1]]
    assert watching.viewers.sweep().ended == 1
    assert watching.api.open == {"b=", "c=", "c-0="}
    watching.viewers.dismiss_all("u-1", datetime.now(UTC))
    assert watching.viewers.sweep().ended == 1
    assert watching.api.open == {"c=", "c-0="}
    watching.viewers.dismiss_all("nobody", datetime.now(UTC))
    assert watching.viewers.sweep().ended == 0


def test_there_is_a_limit_to_the_viewers_of_a_shard(watching: ApiGatewayWatching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_CONNECTIONS", 2 * SHARDS)
    full = [f"full-{number}" for number in range(200) if watching.connections.main.place_of(f"full-{number}").shard == 3][:3]
    for name in full[:2]:
        watching.join(name)
    with pytest.raises(TooManyViewers):
        watching.join(full[2])
    watching.join(full[0])  # who is in is let in again
    watching.viewers.farewell(full[1])
    watching.join(full[2])


def test_a_frame_fits_into_one_websocket_frame(watching: ApiGatewayWatching) -> None:
    def read_board() -> Board:
        return [Standing(f"u-{rank}", "ada", "Ü" * 2500, rank, 1) for rank in range(1, 11)], AS_OF

    watching.viewers.broadcast(read_board)
    [text] = watching.api.received["c-0="]
    assert 20 * 1024 < len(text) < 32 * 1024
    [frame] = watching.frames()
    assert [line["rank"] for line in frame["data"]] == list(range(1, len(frame["data"]) + 1))
