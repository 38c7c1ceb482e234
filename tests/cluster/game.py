"""Players who send each update until it is acknowledged, and whether the scoreboard has exactly what was."""

from __future__ import annotations

import http.client
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count as numbers
from itertools import pairwise
from typing import Any

from tests.support.api import PASSWORD, Api, Player
from tests.support.waiting import eventually

LONGEST_PAUSE_SECONDS = 60.0  # a failover takes three; machines of tests may be slow
HEAL_SECONDS = 150.0
THINK_SECONDS = 0.7  # 100 updates a minute are allowed
RETRY_SECONDS = 0.1
Verb = Callable[..., str]  # runs a verb of `scoreboard` to its end; answers what it printed, whatever the exit code


class Game:
    """`apis` are the instances: players begin spread over them, stay where they are answered, and else ask the next one."""

    def __init__(self, apis: Sequence[Api], players: int = 1, *, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS) -> None:
        self.apis = apis
        self.players = [apis[place % len(apis)].new_player() for place in range(players)]
        self.points = [0] * players
        self._longest_pause_seconds = longest_pause_seconds
        # Of each player: the beginning, every acknowledgement, the end (monotonic seconds).
        self._played: list[list[float]] = [[] for _ in range(players)]

    def play(self, seconds: float) -> float:
        """For so long; returns the longest time in seconds in which nobody had an acknowledgement."""
        with self.playing():
            time.sleep(seconds)
        return self.longest_pause()

    @contextmanager
    def playing(self) -> Iterator[None]:
        """While the block runs, and until everybody has the answer to the last update."""
        ended, given_up = threading.Event(), threading.Event()
        with ThreadPoolExecutor(len(self.players)) as pool:
            games = [pool.submit(self._play, place, ended, given_up) for place in range(len(self.players))]
            try:
                yield
            except BaseException:
                given_up.set()
                raise
            finally:
                ended.set()
        for game in games:
            game.result()

    def longest_pause(self) -> float:
        """The longest time in the last play in which nobody had an acknowledgement, in seconds."""
        return _longest_gap(sorted(at for played in self._played for at in played))

    def longest_wait(self) -> float:
        """The longest time in it from one acknowledgement of a player to the next, in seconds."""
        return max(_longest_gap(played) for played in self._played)

    def acknowledged(self) -> dict[str, int]:
        """Points by player."""
        return {player.user_id: points for player, points in zip(self.players, self.points, strict=True)}

    def board(self, api: Api) -> dict[str, int]:
        """The points that an instance shows; of a player whom it cannot tell now there are none."""
        shown = {}
        for player in self.players:
            answer = self._ask(api, player, "GET", f"/api/score/{player.user_id}", None, {})
            if not isinstance(answer, str):
                shown[player.user_id] = int(answer["score"])
        return shown

    def _play(self, place: int, ended: threading.Event, given_up: threading.Event) -> None:
        player, instances = self.players[place], numbers(place)
        api = self.apis[next(instances) % len(self.apis)]
        played = self._played[place] = [time.monotonic()]
        while not ended.is_set():
            path, headers = f"/api/score/{player.user_id}", {"Idempotency-Key": secrets.token_hex(8)}
            gives_up_at = played[-1] + self._longest_pause_seconds
            while isinstance(answer := self._ask(api, player, "POST", path, {"increment": 1}, headers), str):
                assert time.monotonic() < gives_up_at, f"updates are not acknowledged again, the last answer was {answer}"
                if given_up.is_set():
                    return
                api = self.apis[next(instances) % len(self.apis)]
                time.sleep(RETRY_SECONDS)
            self.points[place] += 1
            played.append(time.monotonic())
            ended.wait(THINK_SECONDS)
        played.append(time.monotonic())

    def _ask(self, api: Api, player: Player, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        """The data of the answer; in words why there is none."""
        try:
            answer = api.request(method, path, body, {**player.authorization, **headers})
            if answer.status == http.client.UNAUTHORIZED:  # tokens end after a quarter of an hour
                again = api.post("/api/tokens", {"username": player.username, "password": PASSWORD})
                if again.status < http.client.MULTIPLE_CHOICES:
                    player.access_token = again.data["accessToken"]
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        return answer.data if answer.status == http.client.OK else f"{answer.status} {answer.body[:300]!r}"


def count(game: Game, verb: Verb, seconds: float = HEAL_SECONDS) -> str:
    """The board shows what was acknowledged, every update is accounted for, and board and ledger agree; answers what `balance`
    prints. All of it must come true within `seconds` each.
    """
    for api in game.apis:
        eventually(lambda api=api: game.board(api) == game.acknowledged(), seconds, f"the board shows {game.acknowledged()}")  # type: ignore[misc]
    eventually(lambda: "in flight: 0" in verb("balance"), seconds, "no update is in flight")
    told = verb("balance")
    assert "every accepted update is accounted for" in told, told
    reconciled = verb("reconcile", "--full", "--dry-run")
    assert re.search(r"^found: 0$", reconciled, re.MULTILINE), reconciled
    return told


def _longest_gap(instants: Sequence[float]) -> float:
    return max((after - before for before, after in pairwise(instants)), default=0.0)
