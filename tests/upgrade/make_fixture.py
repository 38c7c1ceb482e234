"""`python -m tests.upgrade.make_fixture CHECKOUT TARGET`: has an older version make a data directory, and ends it in the middle.

CHECKOUT holds the older version, which is run with this Python. TARGET is either a directory that is not there yet, and then
holds the data directory as the older version left it, with `left.json` beside it; or a file `*.tar.gz` of what is needed to make
one like it: the dump of the database, Redis's append-only file, the queues and their messages, the keys (made for this and used
nowhere else), and what each player was acknowledged.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pika

from local_runtime.tls import amqp_context
from tests.support.api import PASSWORD, Player
from tests.support.product import Product, alive, clean_environment
from tests.support.waiting import eventually

REFUSED = "ALTER TABLE score_history ADD CONSTRAINT refused CHECK (user_id <> '{}') NOT VALID"
TAKEN_BACK = "ALTER TABLE score_history DROP CONSTRAINT refused"
LATER = "UPDATE refresh_tokens SET expires_at = '2100-01-01'"
PLAYERS, ROUNDS, LETTERS, UNRECORDED, UNPUBLISHED = 6, 12, 40, 9, 7
QUEUES = ("score_history_queue", "score_history_queue.retry", "score_history_queue.dlq")
SECRET_FILE, LEFT_FILE, DUMP_FILE, MESSAGES_FILE = "secrets.json", "left.json", "database.sql", "messages.json"


class Older:
    """The older version at work."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.points: dict[str, int] = {}
        self.players: list[Player] = []

    def verb(self, *arguments: str, stdin: str = "") -> str:
        """One of the verbs, on its data directory; whatever its exit code."""
        command = [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(self.product.data_dir)]
        done = subprocess.run(
            command, cwd=self.product.root, env=clean_environment(), input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 3):
            raise RuntimeError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def play(self, player: Player, times: int) -> None:
        """So many updates, all acknowledged."""
        for number in range(times):
            increment = number % 5 + 1
            answer = player.score(increment)
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {answer.body!r}")
            self.points[player.user_id] = self.points.get(player.user_id, 0) + increment

    def recorded(self, user_id: str) -> int:
        """A player's points in the ledger."""
        sql = "SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id"
        return int(self.product.query(sql, id=user_id)[0][0])

    def channel(self) -> Any:
        """To its broker."""
        runtime = self.product.runtime
        parameters = pika.URLParameters(runtime["amqp_url"])
        parameters.ssl_options = pika.SSLOptions(amqp_context(runtime["ca_file"]), "127.0.0.1")
        return pika.BlockingConnection(parameters).channel()


def make_history(older: Older) -> dict[str, Any]:
    """Players, sessions that ended, refusals, an admin and a moderation, a repair, dead letters, seals."""
    product = older.product
    older.verb("create-user", "keeper", "--role", "admin", "--password-stdin", stdin=PASSWORD + "\n")
    older.players = [product.api.new_player(f"player-{number}") for number in range(PLAYERS)]
    for player in older.players:
        older.play(player, ROUNDS)
    older.players[0].score(99)  # refused
    older.players[0].api.post(f"/api/score/{older.players[1].user_id}", {"increment": 1}, older.players[0].authorization)
    product.api.post("/api/tokens", {"username": "player-0", "password": "no such password"})
    gone = product.api.post("/api/tokens", {"username": "player-0", "password": PASSWORD}).data
    left = product.api.request("DELETE", "/api/tokens", headers={"Authorization": f"Bearer {gone['accessToken']}"})
    keeper = product.api.post("/api/tokens", {"username": "keeper", "password": PASSWORD}).data
    banned = older.players[-1]
    moderated = product.api.request(
        "PATCH",
        f"/api/admin/users/{banned.user_id}",
        {"disabled": True},
        {"Authorization": f"Bearer {keeper['accessToken']}"},
    )
    assert (left.status // 100, moderated.status // 100) == (2, 2), (left.body, moderated.body)
    for player in older.players:
        eventually(lambda who=player: older.recorded(who.user_id) == older.points[who.user_id], 60, "the ledger")  # type: ignore[misc]
    with product.redis() as board:
        board.zincrby("leaderboard", -3, f"user:{older.players[1].user_id}")
    eventually(lambda: "repaired" in older.verb("reconcile", "--full"), 60, "a repair")
    make_dead_letters(older)
    older.verb("invoke", "record_refusals", "-", stdin="{}")
    older.verb("invoke", "seal_audit", "-", stdin="{}")
    older.verb("verify-audit")
    return {"endedRefreshToken": gone["refreshToken"], "disabled": banned.user_id}


def make_dead_letters(older: Older) -> None:
    """Updates that the ledger refuses until somebody mends it, and two messages that nobody can read."""
    product, unlucky = older.product, older.players[2]
    product.query(REFUSED.format(unlucky.user_id))
    older.play(unlucky, LETTERS)
    channel = older.channel()
    forged = {"request_id": "forged", "user_id": unlucky.user_id, "increment": 5, "new_score": 5, "encrypted_data": "k1.AAAA"}
    for body in (b"no JSON at all", json.dumps(forged).encode()):
        channel.basic_publish("", "score_history_queue", body)
    channel.connection.close()
    parked = f"{LETTERS + 2} of {LETTERS + 2} dead letters"
    eventually(lambda: parked in older.verb("dead-letters", "list", "--limit", "100"), 120, parked)
    product.query(TAKEN_BACK)


def play_unrecorded(older: Older) -> None:
    """Updates that only the broker has."""
    product = older.product
    assert product.process is not None
    os.kill(product.process.pid, signal.SIGSTOP)  # it would start again what ends
    for name in ("consumer", "scheduler"):
        end(product.pid(name))
    for player in older.players[:3]:
        older.play(player, UNRECORDED // 3)


def play_unpublished(older: Older) -> None:
    """Updates that only the outbox has."""
    end(older.product.pid("rabbitmq"))
    older.play(older.players[3], UNPUBLISHED)


def taken_from_broker(older: Older) -> dict[str, Any]:
    """All queues with their arguments, and the messages of those that carry updates."""
    environment = dict(
        entry.split("=", 1)
        for entry in Path(f"/proc/{older.product.pid('rabbitmq')}/environ").read_text().split("\0")
        if "=" in entry
    )
    program = older.product.data_dir / "rabbitmq" / "server" / "sbin" / "rabbitmqctl"
    told = [str(program), "--formatter", "json", "list_queues", "name", "arguments"]
    queues = json.loads(subprocess.run(told, env=environment, capture_output=True, check=True).stdout)
    messages = []
    channel = older.channel()
    for queue in QUEUES:
        for _, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=2):
            if properties is None:
                break
            kept = {"queue": queue, "headers": properties.headers or {}, "messageId": properties.message_id}
            messages.append({**kept, "body": base64.b64encode(body).decode()})
        channel.cancel()
    return {
        "queues": {queue["name"]: {name: value for name, _, value in queue["arguments"]} for queue in queues},
        "messages": messages,
    }


def end(pid: int) -> None:
    """SIGKILL, and wait: its parent is stopped and reaps nothing, so a zombie is enough."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), 10, "its end")


def end_all(product: Product) -> None:
    """Without a farewell, but Redis and PostgreSQL, whose files are kept."""
    assert product.process is not None
    for name, pid in product.runtime["processes"].items():
        if name not in ("redis", "postgresql"):
            end(pid)
    with product.redis() as client:
        client.bgrewriteaof()
        eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], 30, "the append-only file rewritten")
    for name, number in (("redis", signal.SIGTERM), ("postgresql", signal.SIGINT)):
        os.kill(product.pid(name), number)
        eventually(lambda which=name: not alive(product.pid(which)), 30, f"the end of {name}")  # type: ignore[misc]
    product.process.kill()
    product.process.wait()


def main(checkout: Path, target: Path) -> None:
    """Write the archive, or leave the directory."""
    is_archive = target.name.endswith(".tar.gz")
    options = {"RETRY_DELAYS_SECONDS": "0.2,0.2,0.2"}
    product = Product(None if is_archive else target.resolve(), "--workers", "1", **options)
    product.root = checkout.resolve()
    older = Older(product.start())
    left = make_history(older)
    play_unrecorded(older)
    taken = taken_from_broker(older) if is_archive else {}
    play_unpublished(older)
    left |= told(older)
    if not is_archive:
        end_all(product)
        target.with_name(target.name + "." + LEFT_FILE).write_text(json.dumps(left, indent=1))
        return
    try:
        product.query(LATER)
        dump = subprocess.run(["pg_dump", "--no-owner", product.runtime["database_url"]], capture_output=True, check=True).stdout
        end_all(product)
        write(target, product.data_dir, left, dump, taken)
    finally:
        product.destroy()


def told(older: Older) -> dict[str, Any]:
    """What the test holds the directory against."""
    return {
        "postgresql": older.product.query("SHOW server_version")[0][0],
        "password": PASSWORD,
        "keeper": "keeper",
        "deadLetters": {"refused": LETTERS, "unreadable": 2, "points": sum(number % 5 + 1 for number in range(LETTERS))},
        "players": [
            {
                "userId": player.user_id,
                "username": player.username,
                "apiKey": player.api_key,
                "accessToken": player.access_token,
                "refreshToken": player.refresh_token,
                "points": older.points[player.user_id],
            }
            for player in older.players
        ],
    }


def write(fixture: Path, data_dir: Path, left: dict[str, Any], dump: bytes, taken: dict[str, Any]) -> None:
    """One archive."""
    contents = {
        LEFT_FILE: json.dumps(left, indent=1).encode(),
        DUMP_FILE: dump,
        MESSAGES_FILE: json.dumps(taken, indent=1).encode(),
        SECRET_FILE: (data_dir / SECRET_FILE).read_bytes(),
    }
    with tarfile.open(fixture, "w:gz", compresslevel=9) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        archive.add(data_dir / "redis" / "appendonlydir", "appendonlydir", filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's in particular."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
