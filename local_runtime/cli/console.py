"""What is seen at the console of `serve`: progress on a terminal, and the lines of all processes that somebody should see."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from local_runtime.cli.progress import Progress
from local_runtime.instance.supervisor.process import REFUSED
from local_runtime.instance.supervisor.spawn import open_log
from local_runtime.logs.follower import LogFollower, as_json
from local_runtime.logs.options import LogOptions, console_level, stderr_is_text
from local_runtime.logs.stream import LineStream
from local_runtime.logs.text import parsed, rendered
from local_runtime.settings import PRIVATE_SERVERS
from shared.core.logs import JsonFormatter

logger = logging.getLogger(__name__)
_ours = logging.getLogger("local_runtime")
_TOLD_AT_THE_END = ("configuration_error", "foreign_stores")  # outcomes of a function that `serve` ends with, and says why


class Console:
    """An Observer of the supervisor: notes in a log of its own what becomes of the processes, and shows the logs of all.

    `progress` is told, too, where there is a terminal to draw on. The servers have much to say while they start and stop that is
    of no interest: they are listened to in between.
    """

    def __init__(self, data_dir: Path, environment: Mapping[str, str], progress: Progress | None, *, verbose: bool) -> None:
        self._data_dir = data_dir
        self._server_logs = {name: data_dir / name / f"{name}.log" for name in PRIVATE_SERVERS}
        self._is_serving = False
        self._progress = progress
        self._is_text = stderr_is_text(environment)
        self._is_coloured = LogOptions.from_environment(environment).is_coloured(sys.stderr)
        self._level = console_level(environment, verbose=verbose)
        self._threshold = logging.getLevelNamesMapping()[self._level]
        self._log: logging.StreamHandler[LineStream] | None = None
        self._follower: LogFollower | None = None

    def starting(self, name: str) -> None:
        """See Observer."""
        if self._follower is None:
            self._begin()
        if self._progress is not None:
            self._progress.starting(name)

    def ready(self, name: str, seconds: float) -> None:
        """See Observer."""
        logger.info("%s is ready", name, extra={"seconds": round(seconds, 3)})
        if self._is_serving:
            self._listen_to(name)
        if self._progress is not None:
            self._progress.ready(name, seconds)

    def ended(self, name: str, how: str, delay_seconds: float) -> None:
        """See Observer."""
        when = f"in {delay_seconds:.1f} s" if delay_seconds else "now"
        logger.warning("%s %s; starting it again %s", name, how, when)
        if self._follower is not None and name in self._server_logs:
            self._follower.poll()
            self._follower.leave([self._server_logs[name]])

    def stopping(self, name: str) -> None:
        """See Observer."""
        self._is_serving = False
        if self._follower is not None:
            self._follower.leave(self._server_logs.values())
        if self._progress is not None:
            self._progress.stopping(name)

    def stopped(self, name: str, seconds: float) -> None:
        """See Observer."""
        logger.info("%s has stopped", name, extra={"seconds": round(seconds, 3)})
        if self._progress is not None:
            self._progress.stopped(name, seconds)

    def tick(self) -> None:
        """See Observer."""
        if self._follower is not None:
            self._follower.poll()
        if self._progress is not None:
            self._progress.tick()

    def serving(self) -> None:
        """Everything is ready."""
        self._is_serving = True
        for name in self._server_logs:
            self._listen_to(name)

    def close(self) -> None:
        """Show what is left to be shown."""
        if self._progress is not None:
            self._progress.close()
        if self._follower is not None:
            self._follower.poll()
            self._follower.close()
        if self._log is not None:
            _ours.removeHandler(self._log)
            _ours.setLevel(logging.NOTSET)
            os.close(self._log.stream.fileno())

    def _listen_to(self, name: str) -> None:
        """From now on, if it is a server."""
        if self._follower is not None and name in self._server_logs:
            self._follower.follow([self._server_logs[name]])

    def _begin(self) -> None:
        """Now the data directory is ours."""
        self._follower = LogFollower(self._data_dir / "logs", self._level, self._show)
        log = open_log(self._data_dir / "logs" / "supervisor.log")
        self._log = logging.StreamHandler(LineStream(os.dup(log.fileno()), otherwise=self._show_unwritten))
        log.close()
        self._log.setFormatter(JsonFormatter(process="supervisor"))
        _ours.addHandler(self._log)
        _ours.setLevel(logging.INFO)

    def _show_unwritten(self, text: str) -> None:
        """What the disk does not take is seen here at least."""
        for each in text.splitlines():
            line = parsed(each)
            if line is not None and logging.getLevelNamesMapping()[line["level"].upper()] >= self._threshold:
                self._show(line)

    def _show(self, line: Mapping[str, Any]) -> None:
        if not self._is_serving and (REFUSED in line or line.get("outcome") in _TOLD_AT_THE_END):
            return
        text = rendered(line, coloured=self._is_coloured) if self._is_text else as_json(line)
        with suppress(OSError):  # a terminal that was closed must not take the instance with it
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
