"""What a data directory of these tests holds: players and their points, and whatever may stand or be under way when it ends."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import Any

import pika

from shared.core.amqp import url_parameters
from tests.support.api import PASSWORD, Player
from tests.support.product import Product, alive
from tests.support.waiting import eventually

REFUSED = "ALTER TABLE score_history ADD CONSTRAINT refused CHECK (user_id <> '{}') NOT VALID"
TAKEN_BACK = "ALTER TABLE score_history DROP CONSTRAINT refused"
PLAYERS, ROUNDS, LETTERS, UNREADABLE, UNRECORDED, UNPUBLISHED = 6, 12, 40, 2, 9, 7
KEEPER = "keeper"
OPTIONS = {"RETRY_DELAYS_SECONDS": "0.2,0.2,0.2"}  # what is refused is a dead letter soon


class History:
    """Made by playing on a running product, which may be an older version."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.points: dict[str, int] = {}
        self.players: list[Player] = []
        self.ended_refresh_token = ""
        self.disabled = ""

    def make(self) -> None:
        """Players, sessions that ended, refusals, an admin and a moderation, a repair, dead letters, seals."""
        api = self.product.api
        self.verb("create-user", KEEPER, "--role", "admin", "--password-stdin", stdin=PASSWORD + "\n")
        self.players = [api.new_player(f"player-{number}") for number in range(PLAYERS)]
        for player in self.players:
            self.play(player, ROUNDS)
        self.players[0].score(99)  # refused
        api.post(f"/api/score/{self.players[1].user_id}", {"increment": 1}, self.players[0].authorization)  # refused, too
        api.post("/api/tokens", {"username": "player-0", "password": "no such password"})
        self._end_sessions()
        for player in self.players:
            eventually(lambda who=player: self.recorded(who.user_id) == self.points[who.user_id], 60, "the ledger")  # type: ignore[misc]
        with self.product.redis() as board:
            board.zincrby("leaderboard", -3, f"user:{self.players[1].user_id}")
        eventually(lambda: "repaired" in self.verb("reconcile", "--full"), 60, "a repair")
        self._make_dead_letters()
        self.verb("invoke", "record_refusals", "-", stdin="{}")
        self.verb("invoke", "seal_audit", "-", stdin="{}")
        self.verb("verify-audit")

    def _end_sessions(self) -> None:
        """One by its player, those of another player by the keeper."""
        api = self.product.api
        gone = api.post("/api/tokens", {"username": "player-0", "password": PASSWORD}).data
        left = api.request("DELETE", "/api/tokens", headers={"Authorization": f"Bearer {gone['accessToken']}"})
        keeper = api.post("/api/tokens", {"username": KEEPER, "password": PASSWORD}).data
        path, headers = f"/api/admin/users/{self.players[-1].user_id}", {"Authorization": f"Bearer {keeper['accessToken']}"}
        moderated = api.request("PATCH", path, {"disabled": True}, headers)
        assert (left.status // 100, moderated.status // 100) == (2, 2), (left.body, moderated.body)
        self.ended_refresh_token, self.disabled = gone["refreshToken"], self.players[-1].user_id

    def _make_dead_letters(self) -> None:
        """Updates that the ledger refuses until somebody mends it, and two messages that nobody can read."""
        product, unlucky = self.product, self.players[2]
        product.query(REFUSED.format(unlucky.user_id))
        self.play(unlucky, LETTERS)
        channel = self.channel()
        forged = {"request_id": "forged", "user_id": unlucky.user_id, "increment": 5, "new_score": 5}
        for body in (b"no JSON at all", json.dumps({**forged, "encrypted_data": "k1.AAAA"}).encode()):
            channel.basic_publish("", "score_history_queue", body)
        channel.connection.close()
        parked = f"{LETTERS + UNREADABLE} of {LETTERS + UNREADABLE} dead letters"

        def all_parked() -> bool:
            told = self.verb("dead-letters", "list", "--limit", "100")
            return parked in told and "\twaiting\t" not in told

        eventually(all_parked, 240, parked)  # what the broker holds back is sent again after a minute or two
        product.query(TAKEN_BACK)

    def play_unrecorded(self) -> None:
        """Updates that only the broker has; nothing is started again from now on."""
        assert self.product.process is not None
        os.kill(self.product.process.pid, signal.SIGSTOP)
        for name in ("consumer", "scheduler"):
            end(self.product.pid(name))
        for player in self.players[:3]:
            self.play(player, UNRECORDED // 3)

    def play_unpublished(self) -> None:
        """Updates that only the outbox has."""
        end(self.product.pid("rabbitmq"))
        self.play(self.players[3], UNPUBLISHED)

    def end_all(self) -> None:
        """Without a farewell, but to Redis and PostgreSQL, whose files are kept small."""
        product = self.product
        assert product.process is not None
        for name, pid in product.runtime["processes"].items():
            if name not in ("redis", "postgresql"):
                end(pid)
        with product.redis() as client:
            client.bgrewriteaof()
            eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], 60, "the append-only file rewritten")
        for name, number in (("redis", signal.SIGTERM), ("postgresql", signal.SIGINT)):
            os.kill(product.pid(name), number)
            eventually(lambda which=name: not alive(product.pid(which)), 60, f"the end of {name}")  # type: ignore[misc]
        product.process.kill()
        product.process.wait()

    def told(self) -> dict[str, Any]:
        """What the directory is held against when it is started again."""
        letters = {"refused": LETTERS, "unreadable": UNREADABLE, "points": sum(number % 5 + 1 for number in range(LETTERS))}
        return {
            "password": PASSWORD,
            "endedRefreshToken": self.ended_refresh_token,
            "disabled": self.disabled,
            "deadLetters": letters,
            "players": [
                {
                    "userId": player.user_id,
                    "username": player.username,
                    "apiKey": player.api_key,
                    "accessToken": player.access_token,
                    "refreshToken": player.refresh_token,
                    "points": self.points[player.user_id],
                }
                for player in self.players
            ],
        }

    def verb(self, *arguments: str, stdin: str = "") -> str:
        """What one of the verbs says of the data directory; it may have found something."""
        done = self.product.verb(*arguments, stdin=stdin)
        assert done.returncode in (0, 3), f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def play(self, player: Player, times: int) -> None:
        """So many updates, all acknowledged."""
        for number in range(times):
            answer = player.score(number % 5 + 1)
            assert answer.status == 200, answer.body
            self.points[player.user_id] = self.points.get(player.user_id, 0) + number % 5 + 1

    def recorded(self, user_id: str) -> int:
        """A player's points in the ledger."""
        sql = "SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id"
        return int(self.product.query(sql, id=user_id)[0][0])

    def channel(self) -> Any:
        """To the product's broker."""
        runtime = self.product.runtime
        return pika.BlockingConnection(url_parameters(runtime["amqp_url"], runtime["ca_file"])).channel()


def end(pid: int) -> None:
    """SIGKILL, and wait: its parent is stopped and reaps nothing, so a zombie is enough."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), 60, "its end")
