"""Publishing to AppSync Events: every state that counts goes out once, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.boards.ranking import Standing
from shared.core.errors import ViewersUnavailable
from shared.viewers.frames_redis import Frames
from tests.contract.watching import AS_OF, AppSyncWatching, Board, appsync_watching, board, in_a_while
from tests.support import aws


@pytest.fixture
def watching(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppSyncWatching]:
    for name, value in aws.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with appsync_watching(redis_client) as made:
        yield made


def scores(watching: AppSyncWatching) -> list[int]:
    return [frame["data"][0]["score"] for frame in watching.api.frames()]


def test_a_frame_is_one_event_of_one_publish_to_the_channel(watching: AppSyncWatching) -> None:
    assert watching.viewers.broadcast(lambda: board(1)).is_complete
    [(channel, _)] = watching.api.published
    assert channel == "/scoreboard/live"
    assert watching.api.requests == 1


def test_an_api_key_will_do_in_place_of_a_signature(watching: AppSyncWatching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    watching.another(api_key=watching.api.api_key).broadcast(lambda: board(1))
    assert scores(watching) == [1]


def test_a_board_that_did_not_change_is_not_published_again(watching: AppSyncWatching) -> None:
    for _ in range(3):
        watching.viewers.broadcast(lambda: board(1))
    assert watching.api.requests == 1


@pytest.mark.parametrize("status", [429, 500, 503, 200, 0], ids=["throttled", "error", "unavailable", "not taken", "no answer"])
def test_what_was_not_taken_is_published_again(watching: AppSyncWatching, status: int) -> None:
    verdicts = iter([status, status])
    watching.api.verdict = lambda: next(verdicts, None)
    assert watching.viewers.broadcast(lambda: board(1)).is_complete
    assert scores(watching) == [1]
    assert watching.api.requests == 3


def test_after_a_failure_only_the_newest_state_is_published(watching: AppSyncWatching) -> None:
    verdicts, score = iter([503]), 0

    def read_board() -> Board:
        nonlocal score
        score += 1
        return board(score)

    watching.api.verdict = lambda: next(verdicts, None)
    assert watching.another(sleep=lambda _: _next_tick(watching)).broadcast(read_board).is_complete
    assert scores(watching) == [2]


def _next_tick(watching: AppSyncWatching) -> None:
    watching.client.hset(watching.shard.viewers.frame, "next_at", 0)


def test_a_publish_that_runs_out_of_time_says_so_and_the_next_one_goes_on(watching: AppSyncWatching) -> None:
    watching.api.verdict = lambda: 503
    assert not watching.another(seconds=0.0).broadcast(lambda: board(1)).is_complete
    assert watching.viewers.sweep().is_behind
    watching.api.verdict = lambda: None
    assert watching.viewers.broadcast(lambda: board(1)).is_complete
    assert scores(watching) == [1]
    assert not watching.viewers.sweep().is_behind


def test_a_frame_that_a_crash_left_unpublished_goes_out_although_the_board_did_not_change(watching: AppSyncWatching) -> None:
    Frames(watching.client, watching.keys, watching.shard).read_after_now(lambda: board(1))
    assert watching.viewers.sweep().is_behind
    watching.viewers.broadcast(lambda: board(1))
    assert scores(watching) == [1]


@pytest.mark.parametrize("channel", ["/somebody-elses/live", "/scoreboard/no_such_name"])
def test_an_api_that_does_not_let_us_is_told_so_and_not_asked_again(watching: AppSyncWatching, channel: str) -> None:
    with pytest.raises(ViewersUnavailable):
        watching.another(channel).broadcast(lambda: board(1))
    assert watching.api.requests == 1


def test_a_signature_with_another_key_is_refused(watching: AppSyncWatching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ViewersUnavailable):
        watching.viewers.broadcast(lambda: board(1))


def test_a_large_board_fits_into_an_event(watching: AppSyncWatching) -> None:
    lines = [Standing(f"u-{rank}", "ada", "Ü" * 60_000, rank, 1) for rank in range(1, 11)]
    watching.viewers.broadcast(lambda: (lines, AS_OF))
    assert len(watching.api.published) == 1


def test_nobody_is_let_in_elsewhere(watching: AppSyncWatching) -> None:
    with pytest.raises(ViewersUnavailable):
        watching.viewers.welcome("c-1", in_a_while())
