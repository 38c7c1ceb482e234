"""`serve --detach`: the same command in the background, once everything is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from local_runtime.cli.command import command, where
from local_runtime.cli.output import say, tell
from local_runtime.instance.directory import InstanceDirectory

READY = "ready: "
CONSOLE = "console.txt"
_LOOK_SECONDS = 0.05


def run_detached(data_dir: Path) -> int:
    """Start it and leave when it is ready; answers its exit code, with what it printed, when it ends before that."""
    directory = InstanceDirectory(data_dir.resolve())
    with directory.claimed():  # only whoever could run here may write over what the last one has said
        file = directory.path / CONSOLE
        console = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    argv = [sys.executable, *(word for word in sys.orig_argv[1:] if word != "--detach")]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
    os.close(console)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        lines, exit_code = _until_ready(child, file)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    if exit_code is not None:
        tell("\n".join(lines))
        return exit_code
    say(lines[-1])
    say(f"  pid {child.pid}; `{command()} status{where(data_dir)}` asks how it is, `{command()} down{where(data_dir)}` stops it")
    return 0


def _until_ready(child: subprocess.Popen[bytes], file: Path) -> tuple[list[str], int | None]:
    """What it has said up to the line that it is ready, and None; or all that it has said, and its exit code."""
    while True:
        exit_code = child.poll()
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for place, line in enumerate(lines):
            if line.startswith(READY):
                return lines[: place + 1], None
        if exit_code is not None:
            return lines, exit_code
        time.sleep(_LOOK_SECONDS)
