"""What only the Python client has: waiting that can be ended, connections for all threads, tickets from elsewhere, asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from scoreboard_client import AsyncScoreboard, Patience, Scoreboard, ScoreboardError

from tests.runtime.scripted_api import ScriptedApi, scripted_api
from tests.support.tasks import run_tasks


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


@pytest.fixture
def scoreboard(api: ScriptedApi) -> Iterator[Scoreboard]:
    with closing(Scoreboard(api.base_url)) as scoreboard:
        yield scoreboard


def test_waiting_ends_when_it_is_told_to(api: ScriptedApi, scoreboard: Scoreboard) -> None:
    api.registrations_refused, api.retry_after = 2, "40"
    stop, told = threading.Event(), list[float]()

    def on_retry(_error: ScoreboardError, wait: float) -> None:
        told.append(wait)
        stop.set()

    began = time.monotonic()
    with pytest.raises(ScoreboardError, match="429 rate_limited"):
        scoreboard.register("ada", "secret", Patience(on_retry=on_retry, stop=stop))
    assert time.monotonic() - began < 20
    assert told[0] >= 40
    assert api.count("POST", "/api/users") == 1


def test_threads_that_ask_one_after_the_other_share_a_connection(api: ScriptedApi, scoreboard: Scoreboard) -> None:
    scoreboard.log_in("ada", "secret")
    for _ in range(3):
        thread = threading.Thread(target=scoreboard.add_points, args=(1,))
        thread.start()
        thread.join()
    assert (api.connections, api.scores["id-ada"]) == (1, 3)


def test_who_has_closed_it_may_ask_again(api: ScriptedApi, scoreboard: Scoreboard) -> None:
    scoreboard.log_in("ada", "secret")
    scoreboard.close()
    assert scoreboard.add_points(2)["score"] == 2
    assert api.connections == 2


def test_a_board_may_be_watched_with_a_ticket_from_elsewhere(api: ScriptedApi) -> None:
    tickets = iter([{"ticket": "elsewhere", "pingInterval": 240, "reconnectIn": 600, "url": api.ws_url}])
    live = Scoreboard(api.base_url, get_ticket=lambda: next(tickets)).watch()
    states = [live.is_connected]
    with live:
        assert next(live)["version"] == 1
        states.append(live.is_connected)
    states.append(live.is_connected)
    assert states == [False, True, False]
    assert api.asked == []


def test_tasks_play_at_once_and_watch(api: ScriptedApi) -> None:
    async def get_ticket() -> dict[str, object]:
        return {"ticket": "elsewhere", "pingInterval": 240, "reconnectIn": 600, "url": api.ws_url}

    async def play() -> list[int]:
        async with AsyncScoreboard(api.base_url, get_ticket=get_ticket) as scoreboard:
            await scoreboard.log_in("ada", "secret")
            api.expired = 1
            api.counted_then_failed = 1
            async with scoreboard.watch() as live:
                receipts = await asyncio.gather(*(scoreboard.add_points(n) for n in (1, 2, 3)))
                assert (await anext(live))["version"] == 1
                assert live.is_connected
            assert [late async for late in live] == []
            return sorted(receipt["score"] for receipt in receipts)

    assert run_tasks(play())[-1] == api.scores["id-ada"] == 6
    assert api.count("POST", "/api/tokens") == 2, "one renewal for all"


def test_a_task_that_waits_may_be_cancelled_or_stopped(api: ScriptedApi) -> None:
    async def play() -> None:
        async with AsyncScoreboard(api.base_url) as scoreboard:
            api.registrations_refused, api.retry_after = 3, "40"
            waiting = asyncio.Event()
            task = asyncio.create_task(
                scoreboard.register("ada", "secret", Patience(on_retry=lambda _error, _wait: waiting.set()))
            )
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            stop = asyncio.Event()
            with pytest.raises(ScoreboardError, match="429 rate_limited"):
                await scoreboard.register("ada", "secret", Patience(on_retry=lambda _error, _wait: stop.set(), stop=stop))
            with pytest.raises(TypeError, match=r"asyncio\.Event"):
                await scoreboard.register("ada", "secret", Patience(stop=threading.Event()))

    run_tasks(play())
    assert api.count("POST", "/api/users") == 3
