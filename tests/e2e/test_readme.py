"""README and the verbs of operators are true: every command is executed here, in its order, as a newcomer would type it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.instance.servers.ports import free_port
from tests.support.api import Api
from tests.support.product import ROOT, clean_environment, new_data_dir, remove_data_dir
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("readme"), pytest.mark.timeout(600)]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VERBS = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").partition("## The verbs")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README + VERBS, re.DOTALL | re.MULTILINE)
TARGETS = re.findall(r"^\| `make (\w+)` \|", README, re.MULTILINE)


class Newcomer:
    """Somebody with a shell in a fresh clone; only port and data directory differ from what the README assumes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.data_dir = new_data_dir()
        self.environment = {
            **clean_environment(),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # as after `. .venv/bin/activate`
            "SCOREBOARD_PORT": str(self.port),
            "SCOREBOARD_DATA_DIR": str(self.data_dir),
        }
        self.started: list[subprocess.Popen[bytes]] = []

    @property
    def api(self) -> Api:
        return Api(f"http://127.0.0.1:{self.port}")

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        script = command.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def starts(self, command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=ROOT, env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        self.started.append(process)
        eventually(self._is_served, 180, f"`{command}` serves")
        return process

    def _is_served(self) -> bool:
        try:
            return self.api.get("/readyz").status == 200 and (self.data_dir / "runtime.json").exists()
        except OSError:
            return False


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    newcomer = Newcomer(tmp_path)
    yield newcomer
    for process in newcomer.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
    remove_data_dir(newcomer.data_dir)


def test_every_command_works_in_its_order(newcomer: Newcomer) -> None:
    assert BLOCKS[0].strip() == "make run"
    instance = newcomer.starts("make run")
    assert newcomer.api.get("/").status == 200
    for block in BLOCKS[1:]:
        done = newcomer.types(block)
        assert done.returncode == 0, block + done.stdout + done.stderr
        assert '"status":4' not in done.stdout, done.stdout
        assert '"status":5' not in done.stdout, done.stdout
    assert "scoreboard down" in BLOCKS[-1]
    assert instance.wait(60) == 0


def test_the_make_targets_of_the_table_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert {"run", "test", "check", "bench"} <= set(TARGETS)
    for target in TARGETS:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


DOCUMENTS = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_links_to_exists(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
