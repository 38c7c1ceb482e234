"""An instance in the background, and the verbs that look after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import ROOT, clean_environment, new_data_dir, remove_data_dir
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)


def test_an_instance_in_the_background_is_asked_read_shown_and_stopped(tmp_path: Path) -> None:
    data_dir = new_data_dir()

    def verb(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local_runtime", *words, "--data-dir", str(data_dir)],
            cwd=ROOT,
            env={**clean_environment(), **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    try:
        started = verb("serve", "--detach", "--port", "0")
        assert started.returncode == 0, started.stderr
        base_url = started.stdout.split()[1]
        assert started.stdout.startswith(f"ready: {base_url}\n")

        asked = verb("status")
        assert (asked.returncode, asked.stdout.splitlines()[0]) == (0, f"{base_url}  ready")
        document = json.loads(verb("status", "--json").stdout)
        assert set(document["processes"]) >= {"http", "consumer", "scheduler", "redis", "rabbitmq", "postgresql"}

        again = verb("serve", "--detach", "--port", "0")
        assert (again.returncode, "in use by the instance" in again.stderr) == (2, True)
        assert verb("status").returncode == 0, "the one that runs goes on"

        shown = tmp_path / "url"
        opened = verb("open", "docs", BROWSER=f"sh -c 'echo $0 > {shown}' %s")
        assert (opened.returncode, opened.stdout) == (0, f"{base_url}/docs\n")
        eventually(lambda: shown.exists() and shown.read_text() == f"{base_url}/docs\n", 60, "the browser is given the address")

        written = verb("logs", "supervisor", LOG_FORMAT="text").stdout
        assert "http is ready" in written
        with subprocess.Popen(
            [sys.executable, "-m", "local_runtime", "logs", "supervisor", "-f", "-n", "1", "--data-dir", str(data_dir)],
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as following:
            assert following.stdout is not None
            following.stdout.readline()  # it follows
            os.kill(document["processes"]["scheduler"], 9)
            assert any("scheduler" in line for line in iter(following.stdout.readline, ""))
            following.terminate()

        assert verb("down").returncode == 0
        assert verb("status").returncode == 2
    finally:
        verb("down")
        remove_data_dir(data_dir)
