"""`simulate` plays against the running product and proves the sums."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.support.product import ROOT, Product, clean_environment


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
