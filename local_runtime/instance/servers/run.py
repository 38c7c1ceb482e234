"""Starts one server as a child for as long as a block lasts; what the supervisor does for an instance, for tests and tools."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from local_runtime.instance.supervisor.process import ProcessSpec

POLL_SECONDS = 0.05
TAIL_LINES = 15


class Server(Protocol):
    """What the private servers have in common."""

    def prepare(self) -> None:
        """Make files and choose ports; idempotent."""
        ...

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The processes to start."""
        ...


class StartFailed(Exception):
    """A process did not come up; the message ends with the tail of its log."""


AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """Prepare, start, wait until it answers; stop it at the end."""
    server.prepare()
    with ExitStack() as stack:
        for spec in server.specs():
            stack.enter_context(started(spec))
        yield server


@contextmanager
def started(spec: ProcessSpec) -> Iterator[subprocess.Popen[bytes]]:
    """Start one process and wait until its probe answers; stop it at the end. Raises StartFailed."""
    process = spawn(spec)
    try:
        deadline = time.monotonic() + spec.ready_timeout_seconds
        while not spec.probe():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartFailed(f"{spec.name} did not start:\n{log_tail(spec)}")
            time.sleep(POLL_SECONDS)
        yield process
    finally:
        stop(process, spec)


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, so that a Ctrl-C in the terminal reaches only whoever supervises it.

    On Linux it is killed when the thread that called this ends, so that a killed test run leaves no server behind.
    """
    log = os.open(spec.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if spec.log_file else None
    try:
        return subprocess.Popen(
            (*_dying_with_parent(), *spec.argv),
            env=dict(spec.env),
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=spec.user,
            group=spec.user,
            extra_groups=[] if spec.user else None,
            start_new_session=True,
            pass_fds=spec.pass_fds,
        )
    finally:
        if log is not None:
            os.close(log)


def _dying_with_parent() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None or Path(setpriv).resolve().name != "setpriv":  # busybox has one without the option
        return ()
    return (setpriv, "--pdeathsig", "KILL", "--")


def stop(process: subprocess.Popen[bytes], spec: ProcessSpec) -> None:
    """Ask it to end, then end it and everything it started."""
    if process.poll() is None:
        process.send_signal(spec.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(spec.stop_timeout_seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def log_tail(spec: ProcessSpec) -> str:
    """The last lines the process wrote."""
    if spec.log_file is None or not spec.log_file.exists():
        return "(it wrote no log)"
    return "\n".join(spec.log_file.read_text(errors="replace").splitlines()[-TAIL_LINES:])
