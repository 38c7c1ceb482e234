"""Players who raise their scores without a pause and try again until each update is acknowledged, as a good client does.

Every other one goes to a board beside `main`, whose cup an admin resets every few seconds.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.api import Answer, Api, Player

RETRY_SECONDS = 0.1
THINK_SECONDS = 0.02
RESET_SECONDS = 3.0
BOARD, CUP = "cups", "cup"
DEFINITION = {"minValue": 1, "maxValue": 5, "updatesPerMinute": 1000, "periods": [{"name": "all_time"}, {"name": CUP}]}
GIVE_UP_SECONDS = 180.0
# What a client may meet while something is broken. All of it says: try again.
TRY_AGAIN = {503: "503", 502: "502"}
# After a lost Redis no update is known to be within the limit until the ledger has told what was in the windows.
UNCOUNTED = 429


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when it ended (monotonic seconds), how long it took, and `200` or what went wrong."""

    at: float
    seconds: float
    outcome: str


@dataclass
class Load:
    """What was acknowledged, by player (on `main`, on the board) and by request id; all attempts; broken promises in words."""

    players: list[Player]
    admin: Player
    acknowledged: dict[str, int] = field(default_factory=dict)
    on_board: dict[str, int] = field(default_factory=dict)
    resets: int = 0
    request_ids: set[str] = field(default_factory=set)
    attempts: list[Attempt] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.acknowledged = {player.user_id: 0 for player in self.players}
        self.on_board = dict(self.acknowledged)
        self._asked = dict(self.acknowledged)
        assert self.admin.api.request("PUT", f"/api/boards/{BOARD}", DEFINITION, self.admin.authorization).status == 201

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everybody plays, and one reads the board, until the block ends and each player has the answer to the last update."""
        ended = threading.Event()
        threads = [threading.Thread(target=self._play, args=(player, ended), daemon=True) for player in self.players]
        threads += [threading.Thread(target=each, args=(ended,), daemon=True) for each in (self._read, self._reset)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(GIVE_UP_SECONDS + 30)
        stuck = sum(thread.is_alive() for thread in threads)
        if stuck:
            self.violations.append(f"{stuck} clients never had their answer")

    def _play(self, player: Player, ended: threading.Event) -> None:
        is_on_board = False
        while not ended.is_set():
            increment = random.randint(1, 5)  # noqa: S311 - nobody's secret
            if not is_on_board:
                self._asked[player.user_id] += increment
            answer = self._until_answered(player, increment, is_on_board=is_on_board)
            if answer is None:
                self.violations.append(f"{player.username} had no answer for {GIVE_UP_SECONDS} s")
                return
            scores = self.on_board if is_on_board else self.acknowledged
            scores[player.user_id] += increment
            self.request_ids.add(answer.data["requestId"])
            if answer.data["score"] != scores[player.user_id]:
                said, expected = answer.data["score"], scores[player.user_id]
                self.violations.append(f"{player.username} was told a score of {said} where it is {expected}")
            is_on_board = not is_on_board
            time.sleep(THINK_SECONDS)

    def _until_answered(self, player: Player, increment: int, *, is_on_board: bool) -> Answer | None:
        key, gives_up_at = str(uuid4()), time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < gives_up_at:
            began = time.monotonic()
            answer = self._attempt(player, increment, key, is_on_board=is_on_board)
            outcome = answer if isinstance(answer, str) else _outcome(answer)
            self.attempts.append(Attempt(time.monotonic(), time.monotonic() - began, outcome))
            if isinstance(answer, Answer):
                if answer.status == 200:
                    return answer
                if answer.status == 401:
                    _log_in(player)
                elif answer.status not in (*TRY_AGAIN, UNCOUNTED):
                    self.violations.append(f"{player.username} was answered {outcome}")
            time.sleep(RETRY_SECONDS)
        return None

    def _attempt(self, player: Player, increment: int, key: str, *, is_on_board: bool) -> Answer | str:
        headers = {"Idempotency-Key": key}
        try:
            if not is_on_board:
                return player.score(increment, **headers)
            path = f"/api/boards/{BOARD}/scores/{player.user_id}"
            return player.api.post(path, {"value": increment}, {**player.authorization, **headers})
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__

    def _read(self, ended: threading.Event) -> None:
        """Points on the board that nobody was ever asked for would be somebody's prize."""
        reader = self.players[0]
        while not ended.wait(0.05):
            try:
                answer = reader.get("/api/scores?limit=100")
            except (OSError, http.client.HTTPException):
                continue
            if answer.status != 200:
                continue
            for line in answer.data:
                asked = self._asked.get(line["userId"])
                if asked is not None and line["score"] > asked:
                    self.violations.append(f"the board showed {line['score']} where no more than {asked} was asked for")

    def _reset(self, ended: threading.Event) -> None:
        """What ends a season is safe to be sent again, with the same key."""
        key = str(uuid4())
        while not ended.wait(RESET_SECONDS):
            try:
                answer = self.admin.api.post(
                    f"/api/boards/{BOARD}/reset", {"period": CUP}, {**self.admin.authorization, "Idempotency-Key": key}
                )
            except (OSError, http.client.HTTPException):
                continue
            if answer.status == 401:
                _log_in(self.admin)
            elif answer.status < 300:
                self.resets += 1
                key = str(uuid4())
            elif answer.status not in (*TRY_AGAIN, 409):
                self.violations.append(f"a reset was answered {_outcome(answer)}")


def _outcome(answer: Answer) -> str:
    if answer.status == 200:
        return "200"
    try:
        problem: dict[str, Any] = answer.json
    except ValueError:
        return str(answer.status)
    return f"{answer.status} {problem.get('code', '')}".rstrip()


def _log_in(player: Player) -> None:
    """Tokens end after a quarter of an hour."""
    from tests.support.api import PASSWORD

    api: Api = player.api
    try:
        answer = api.post("/api/tokens", {"username": player.username, "password": PASSWORD})
    except (OSError, http.client.HTTPException):
        return
    if answer.status < 300:
        player.access_token = answer.data["accessToken"]
