"""A client as a program of its own, told what to do line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Self

import playwright

from tests.support.product import ROOT
from tests.support.waiting import eventually

HERE = Path(__file__).resolve().parent
# The one that drives the browser of the page's tests: a Node that is there wherever the tests are.
NODE = Path(playwright.__file__).parent / "driver" / "node"
COMMANDS = {"javascript": [str(NODE), str(HERE / "driver.mjs")], "python": [sys.executable, "-m", "tests.clients.driver"]}


class Refused(Exception):
    """The client said no; what it said is in `error`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.error = error


class Driven:
    """One process with one client library and as many accounts as are joined."""

    def __init__(self, language: str, **environment: str) -> None:
        self.language = language
        self._environment = {**os.environ, **environment}
        self._ids = count()
        self._answers: dict[int, dict[str, Any]] = {}
        self.boards: list[dict[str, Any]] = []
        self.ends: list[int] = []
        self.reasons: list[str] = []  # why watching ended, or has to wait
        self.noise: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            COMMANDS[self.language],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join()
        assert exc[0] is not None or (code, self.noise) == (0, []), (self.language, code, self.noise)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._note(line)

    def _note(self, line: str) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            self.noise.append(line)
            return
        if "id" in said:
            self._answers[said["id"]] = said
        elif "board" in said:
            self.boards.append(said)
        else:
            self.reasons.append(said["reason"])
            if "ended" in said:
                self.ends.append(said["ended"])

    def begin(self, command: str, **parameters: Any) -> int:
        """Have it done; `result` waits for what comes of it."""
        identity = next(self._ids)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": identity, "command": command, **parameters}) + "\n")
        self._process.stdin.flush()
        return identity

    def result(self, identity: int, seconds: float = 60.0) -> Any:
        """What came of it; raises Refused."""
        said = eventually(lambda: self._answers.get(identity, {}), seconds, f"the {self.language} client answers ({self.noise})")
        if "error" in said:
            raise Refused(said["error"])
        return said["result"]

    def do(self, command: str, **parameters: Any) -> Any:
        """Have it done and wait."""
        return self.result(self.begin(command, **parameters))

    def shows(self, username: str, score: int) -> bool:
        """Whether the newest board has this player with this score."""
        return bool(self.boards) and self.boards[-1]["scores"].get(username) == score

    def versions(self) -> list[int]:
        """Of all boards shown, in their order."""
        return [board["board"] for board in self.boards]


def only_rises(versions: list[int]) -> bool:
    """Strictly."""
    return all(earlier < later for earlier, later in pairwise(versions))
