"""Players who do not give up, and what became of their updates."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

from tests.support.api import Api, Player
from tests.support.product import Product, query
from tests.support.waiting import eventually


class Players:
    """Play at any of the instances, each update until it is answered; what was answered 200 counts."""

    def __init__(self, instances: list[Product], number: int, *, refusals: Collection[int] = (503,)) -> None:
        self._refusals = refusals
        self._urls = [instance.base_url for instance in instances]
        self.players = [Api(self._urls[place % len(self._urls)]).new_player() for place in range(number)]
        self.points = [0] * number
        self._ended = threading.Event()

    def play(self, place: int) -> None:
        """One update after the other; when an instance does not answer the same one is sent to the next."""
        player, turns = self.players[place], count(place)
        while not self._ended.is_set():
            increment, headers = 1 + self.points[place] % 5, {"Idempotency-Key": secrets.token_hex(8)}
            while not self._is_accepted(player, next(turns), increment, headers):
                self._ended.wait(0.05)
            self.points[place] += increment

    def _is_accepted(self, player: Player, turn: int, increment: int, headers: dict[str, str]) -> bool:
        path, api = f"/api/score/{player.user_id}", Api(self._urls[turn % len(self._urls)])
        try:
            answer = api.post(path, {"increment": increment}, {**player.authorization, **headers})
        except OSError:
            return False
        assert answer.status in (200, *self._refusals), answer.body
        return answer.status == 200

    def move(self, instances: list[Product]) -> None:
        """Where the instances listen now."""
        self._urls = [instance.base_url for instance in instances]

    @contextmanager
    def playing(self) -> Iterator[None]:
        """All of them, in the background."""
        self._ended.clear()
        with ThreadPoolExecutor(len(self.players)) as pool:
            games = [pool.submit(self.play, place) for place in range(len(self.players))]
            try:
                yield
            finally:
                self._ended.set()
            for game in games:
                game.result(60)

    def wait_for(self, points: int) -> None:
        """Until so many more were acknowledged."""
        enough = sum(self.points) + points
        eventually(lambda: sum(self.points) >= enough, 60, f"{points} more points")

    def board(self, instance: Product) -> list[int]:
        """The scores that are shown."""
        api, path = Api(instance.base_url), "/api/score/{}"
        answers = [api.request("GET", path.format(each.user_id), headers=each.authorization) for each in self.players]
        return [answer.data["score"] for answer in answers]

    def check(self, database_url: str, instance: Product, *, in_order: bool = True) -> None:
        """Board, ledger and answers agree for each player, and each history is in the order it was made in."""
        assert self.board(instance) == self.points
        ids = [player.user_id for player in self.players]
        acknowledged = dict(zip(ids, self.points, strict=True))

        def ledger() -> dict[str, int]:
            sql = "SELECT user_id, sum(increment) FROM score_history WHERE user_id = ANY(CAST(:ids AS text[])) GROUP BY user_id"
            return {user_id: int(points) for user_id, points in query(database_url, sql, ids=ids)}

        eventually(lambda: ledger() == acknowledged, 150, "the ledger has what was acknowledged")
        assert not in_order or out_of_order(database_url, ids) == 0


def out_of_order(database_url: str, user_ids: list[str]) -> int:
    """Rows of the ledger that stand behind a later one of their player; of all players where no ids are given."""
    sql = """
        SELECT count(*) FROM (
            SELECT new_score, max(new_score) OVER (PARTITION BY user_id ORDER BY id ROWS UNBOUNDED PRECEDING) AS highest
            FROM score_history
            WHERE user_id = ANY(CAST(:ids AS text[])) OR CAST(:ids AS text[]) = '{}'
        ) AS rows_so_far
        WHERE new_score < highest
    """
    return int(query(database_url, sql, ids=user_ids)[0][0])
