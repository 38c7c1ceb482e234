"""`serve --detach`: the same command in the background, once everything is ready."""

from __future__ import annotations

import os
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
    directory.make()
    file = directory.path / CONSOLE
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as console:
        argv = [sys.executable, *(word for word in sys.orig_argv[1:] if word != "--detach")]
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
    while True:
        exit_code = child.poll()
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        ready = next((line for line in lines if line.startswith(READY)), None)
        if ready is not None:
            break
        if exit_code is not None:
            tell("\n".join(lines))
            return exit_code
        time.sleep(_LOOK_SECONDS)
    say(ready)
    say(f"  pid {child.pid}; `{command()} status{where(data_dir)}` asks how it is, `{command()} down{where(data_dir)}` stops it")
    return 0
