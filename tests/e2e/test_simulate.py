"""`simulate` plays against the running product and proves the sums."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.product import ROOT, Product, clean_environment
from tests.support.terminal import HIDE_CURSOR, SHOW_CURSOR, Shown


def simulate(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", "simulate", *options],
        cwd=ROOT,
        env=clean_environment(),
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
    assert "python -m local_runtime serve" in done.stderr


def test_an_instance_that_does_not_answer_is_told() -> None:
    done = simulate("--url", "http://127.0.0.1:9", "--players", "1", "--seconds", "1")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
