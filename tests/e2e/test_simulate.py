"""`simulate` plays against the running product and proves the sums."""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.support.product import ROOT, Product, clean_environment
from tests.support.terminal import HIDE_CURSOR, SHOW_CURSOR, Shown


def simulate(*options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", "simulate", *options],
        cwd=ROOT,
        env=clean_environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_simulated_players_play_and_every_sum_is_right(product: Product) -> None:
    done = simulate("--players", "6", "--seconds", "4", "--data-dir", str(product.data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 6 scores are exactly what was acknowledged" in done.stdout
    assert "frames seen        0 " not in done.stdout
    assert "the 6 simulated players are off the board" in done.stdout
    made = "SELECT user_id, simulated, disabled FROM users WHERE username LIKE :name"
    run = "SELECT split_part(username, '-', 2) FROM users WHERE simulated ORDER BY created_at DESC LIMIT 1"
    [[token]] = product.query(run)
    rows = product.query(made, name=f"sim-{token}-%")
    assert [row[1:] for row in rows] == [[True, True]] * 6
    client: Any = product.redis()
    members = [f"user:{user_id}" for user_id, _, _ in rows]
    assert client.zmscore("leaderboard", members) == [None] * 6
    assert None not in client.zmscore("leaderboard:hidden", members)
    client.close()


def test_the_summary_is_there_for_machines_too(product: Product) -> None:
    done = simulate("--players", "3", "--seconds", "3", "--json", "--data-dir", str(product.data_dir))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["accepted"] > 0
    assert (summary["wrong"], summary["refused"], summary["players"]) == ([], {}, 3)
    assert 0 < summary["latencyMs"]["p50"] <= summary["latencyMs"]["p99"] <= summary["latencyMs"]["max"]
    assert "players joining" in done.stderr


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_shows_a_bar_and_a_table_and_keeps_the_summary(product: Product, columns: int) -> None:
    with Shown("simulate", "--players", "3", "--seconds", "3", "--data-dir", str(product.data_dir), columns=columns) as game:
        game.wait_for("on the screen, ms")
        game.wait_for("100 %")
        assert game.wait() == 0
        assert "all 3 scores are exactly what was acknowledged" in game.text
        assert game.raw.rindex(HIDE_CURSOR) < game.raw.rindex(SHOW_CURSOR)


def test_interrupted_it_tells_what_was_measured_and_leaves_nobody_on_the_board(product: Product) -> None:
    command = [sys.executable, "-m", "local_runtime", "simulate", "--players", "2", "--seconds", "600", "--data-dir"]
    with subprocess.Popen(
        [*command, str(product.data_dir)], cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        next(line for line in lines if line.startswith("playing: ") and "p50" in line)
        process.send_signal(signal.SIGINT)
        rest = "".join(lines)
    assert process.returncode == 130
    assert "all 2 scores are exactly what was acknowledged" in rest
    assert "the 2 simulated players are off the board" in rest


def test_elsewhere_an_admin_ends_the_players_and_nobody_else(product: Product) -> None:
    create = ["create-user", f"root-{secrets.token_hex(4)}", "--role", "admin", "--password-stdin"]
    assert product.verb(*create, stdin="correct horse battery\n").returncode == 0
    options = ("--url", product.base_url, "--players", "1", "--seconds", "1")
    done = simulate(*options)
    assert done.returncode == 0
    assert re.search(r"1 simulated players stay on the board, and only an admin .*: sim-", done.stdout)
    done = simulate(*options, "--admin", create[1], stdin="correct horse battery\n")
    assert "the 1 simulated players are off the board" in done.stdout
    done = simulate(*options, "--admin", create[1], stdin="wrong\n")
    assert (done.returncode, "cannot end simulated players" in done.stderr) == (1, True)


def test_a_wrong_score_is_told(product: Product) -> None:
    import threading

    spoiled = threading.Event()

    def spoil() -> None:
        client: Any = product.redis()
        while not spoiled.is_set():
            for (user_id,) in product.query("SELECT user_id FROM users WHERE username LIKE 'sim-%-0'"):
                if 0 < (client.zscore("leaderboard", f"user:{user_id}") or 0) < 100:
                    client.zincrby("leaderboard", 1000, f"user:{user_id}")
        client.close()

    thread = threading.Thread(target=spoil)
    thread.start()
    done = simulate("--players", "2", "--seconds", "3", "--data-dir", str(product.data_dir))
    spoiled.set()
    thread.join()
    assert done.returncode == 1
    assert "WRONG: sim-" in done.stdout


def test_without_an_instance_it_says_what_to_do(tmp_path: object) -> None:
    done = simulate("--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "-m local_runtime serve`" in done.stderr


def test_an_instance_that_does_not_answer_is_told() -> None:
    done = simulate("--url", "http://127.0.0.1:9", "--players", "1", "--seconds", "1")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
