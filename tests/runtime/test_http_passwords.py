"""Log-ins on the live HTTP process: whoever checks a password keeps nobody else waiting."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import argon2
import pytest

from tests.runtime.http_process import ROOT, HttpProcess
from tests.support.api import PASSWORD, Answer, Player
from tests.support.product import query
from tests.support.waiting import eventually

OTHERS = 20


@pytest.fixture(scope="module")
def server(function_environment: dict[str, str]) -> Iterator[HttpProcess]:
    """The product's functions on one worker."""
    template = {"SCOREBOARD_TEMPLATE": str(ROOT / "infra" / "template.yaml")}
    unused = {"SCOREBOARD_SECRET_ID": "", "WEBSOCKET_MANAGEMENT_URL": "", "VIEWERS_URL": "", "METRICS_NAMESPACE": ""}
    with HttpProcess({**function_environment, **template, **unused}) as process:
        yield process


def log_in(server: HttpProcess, player: Player) -> Answer:
    return server.api.post("/api/tokens", {"username": player.username, "password": PASSWORD})


def make_slow(database_url: str, player: Player) -> None:
    """An account whose hash, as its own parameters say, takes seconds to check."""
    hashed = argon2.PasswordHasher(time_cost=400, memory_cost=19456, parallelism=1).hash("a password nobody has")
    sql = "UPDATE users SET hashed_password = :hashed WHERE user_id = :user_id"
    query(database_url, sql, hashed=hashed, user_id=player.user_id)


def hashes_in_progress(server: HttpProcess) -> int:
    """Threads beside the main one that compute at this moment."""
    (pid,) = server.worker_pids
    states = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    return sum(state.rpartition(")")[2].split()[0] == "R" for state in states)


def test_a_hash_in_progress_stops_neither_updates_nor_healthz(server: HttpProcess, database_url: str) -> None:
    slow, player = server.api.new_player(), server.api.new_player()
    make_slow(database_url, slow)

    def are_answered_meanwhile() -> bool:
        with ThreadPoolExecutor(1) as pool:
            log_in_slowly = pool.submit(log_in, server, slow)
            eventually(lambda: hashes_in_progress(server) or log_in_slowly.done(), 60, "a hash in progress")
            answered = [(player.score(1).status, server.api.get("/healthz").status) for _ in range(OTHERS)]
            assert answered == [(200, 200)] * OTHERS
            meanwhile = not log_in_slowly.done()
            assert log_in_slowly.result().status in (401, 504), (
                "wrong, or given up: on a busy machine it takes longer than it may"
            )
        return meanwhile

    for _ in range(4):  # this process may have been held up, too
        if are_answered_meanwhile():
            return
    pytest.fail("all the others were answered after it")


def test_many_log_ins_at_once_are_all_answered(server: HttpProcess) -> None:
    players = [server.api.new_player() for _ in range(6)]
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda number: log_in(server, players[number % 6]).status, range(24)))
    assert answers == [200] * 24
    assert "Traceback" not in server.log
