"""Exactly a hundred updates of a player get through, however many come at once to whichever worker or environment."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

from tests.support.api import Answer, Player
from tests.support.hosted import Hosted

THREADS, ATTEMPTS = 16, 120
PROMPT_SECONDS = 55  # so that no update has left the window of a minute when the last one is tried


def remaining(answer: Answer) -> int:
    found = re.fullmatch(r'"updates";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert found, answer.headers["RateLimit"]
    assert 1 <= int(found[2]) <= 60
    return int(found[1])


def raced(players: list[Player]) -> tuple[list[tuple[Player, Answer]], float]:
    """Who got which answer, and in how many seconds."""

    def attempt(number: int) -> tuple[Player, Answer]:
        player = players[number % 2]
        return player, player.score(1)

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(attempt, range(2 * ATTEMPTS))), time.monotonic() - began


def test_of_many_racing_requests_a_hundred_are_answered_200(hosted: Hosted) -> None:
    for _ in range(3):
        players = [hosted.api.new_player(), hosted.api.new_player()]
        answers, seconds = raced(players)
        if seconds < PROMPT_SECONDS:
            break
    for player in players:
        own = [answer for owner, answer in answers if owner is player]
        accepted = [answer for answer in own if answer.status == 200]
        refused = [answer for answer in own if answer.status == 429]
        assert (len(accepted), len(refused)) == (100, ATTEMPTS - 100)
        assert sorted(map(remaining, accepted)) == list(range(100))
        assert sorted(answer.data["score"] for answer in accepted) == list(range(1, 101))
        assert {answer.headers["RateLimit-Policy"] for answer in own} == {'"updates";q=100;w=60'}
        for answer in refused:
            assert remaining(answer) == 0
            assert answer.headers["RateLimit"].endswith(f"t={answer.headers['Retry-After']}")
        assert player.standing()["score"] == 100
