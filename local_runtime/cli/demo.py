"""`serve --demo`: a public board that moves, on a data directory that goes with it."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from local_runtime.cli.errors import EXIT_USAGE, CliError
from local_runtime.cli.output import say
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.supervisor.stale import end_marked, instance_marker
from local_runtime.settings import PROJECT_ROOT, SERVER_URLS, InstanceSettings

PLAYERS = 6
ADMIN = "admin"
_A_YEAR_SECONDS = 365 * 24 * 3600
_END_SECONDS = 5.0
_NAME = "scoreboard-demo-"


def remove_left(place: Path) -> None:
    """The data of our demos that were killed, and what still runs of them: one that runs holds its directory's lock."""
    for path in place.glob(f"{_NAME}{'[0-9a-f]' * 8}"):
        with suppress(InstanceError, OSError):
            is_ours = not path.is_symlink() and path.stat().st_uid == os.geteuid() and (path / "lock").is_file()
            if is_ours:
                _remove(InstanceDirectory(path))


def _remove(directory: InstanceDirectory) -> None:
    """Its processes and its data; InstanceError when it is in use."""
    with directory.claimed():
        end_marked(instance_marker(directory.path))
        directory.end_run()
        shutil.rmtree(directory.path, ignore_errors=True)


class Demo:
    """A context manager; `settings` are those to serve with, and `begin` is for when everything is ready.

    Nothing of it stays: accounts that somebody made meanwhile go, too.
    """

    def __init__(self, settings: InstanceSettings) -> None:
        given = [name for name in SERVER_URLS if os.environ.get(name)]
        if given:
            raise CliError(f"a demo leaves nothing behind, and so uses no server of yours: unset {', '.join(given)}", EXIT_USAGE)
        data_dir = Path(tempfile.gettempdir()) / f"{_NAME}{secrets.token_hex(4)}"
        self.settings = dataclasses.replace(settings, data_dir=data_dir)
        self._players: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        remove_left(self.settings.data_dir.parent)
        os.environ.setdefault("PUBLIC_LEADERBOARD", "true")
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None) -> None:
        if self._players is not None:
            self._players.terminate()
            try:
                self._players.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._players.kill()
        shutil.rmtree(self.settings.data_dir, ignore_errors=True)

    def begin(self) -> None:
        """Make an admin and let players play."""
        password = secrets.token_urlsafe(12)
        subprocess.run(
            self._verb("create-user", ADMIN, "--role", "admin", "--password-stdin"),
            cwd=PROJECT_ROOT,
            input=f"{password}\n".encode(),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        self._players = subprocess.Popen(
            self._verb("simulate", "--players", str(PLAYERS), "--seconds", str(_A_YEAR_SECONDS), "--keep"),
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        say(f"  demo: everybody may watch; {PLAYERS} simulated players (sim-...) play; at /admin you are {ADMIN}, {password}")
        say("  All its data, your own players too, is deleted when it stops: serve without --demo to keep it.")

    def _verb(self, *words: str) -> Sequence[str]:
        return (sys.executable, "-m", "local_runtime", *words, "--data-dir", str(self.settings.data_dir))
