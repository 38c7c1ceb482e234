"""`serve --demo`: a live public board for whoever just wants to see one, and nothing left of it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.product import ROOT, clean_environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)


def demo(tmp_path: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local_runtime", "serve", "--demo", "--port", "0", *options],
        cwd=ROOT,
        env={**clean_environment(), "TMPDIR": str(tmp_path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_demo_moves_is_public_has_an_admin_and_leaves_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)  # PostgreSQL's own account passes through
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    with demo(tmp_path) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            api = Api(next(line for line in lines if line.startswith("ready: ")).split()[1])
            told = next(line for line in lines if "at /admin you are" in line)

            def points() -> int:
                board = api.get("/api/scores")
                assert board.status == 200, "without a token"
                assert all(line["username"].startswith("sim-") for line in board.json["data"])
                return sum(line["score"] for line in board.json["data"])

            eventually(lambda: points() > 0, 60, "simulated players score")
            name, password = re.findall(r"you are (\w+), (\S+)", told)[0]
            token = api.post("/api/tokens", {"username": name, "password": password}).data["accessToken"]
            assert api.get("/api/admin/audit-log", Authorization=f"Bearer {token}").status == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "environment"),
    [(("--detach",), {}), (("--data-dir", "/nowhere"), {}), ((), {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/db"})],
    ids=["in the background", "a data directory", "a server of one's own"],
)
def test_what_would_stay_is_refused(tmp_path: Path, options: tuple[str, ...], environment: dict[str, str]) -> None:
    with demo(tmp_path, *options, **environment) as process:
        assert process.wait(60) == 2
        assert process.stderr is not None
        assert "demo" in process.stderr.read()
