"""Starts one process so that it can never outlive us, and ends it together with everything it started."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.instance.supervisor.tree import descendants

logger = logging.getLogger(__name__)

MAX_LOG_BYTES = 10 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


def spawn(spec: ProcessSpec, marker: tuple[str, str]) -> subprocess.Popen[bytes]:
    """Start the process as the leader of a session of its own, so that Ctrl-C in the terminal does not reach it.

    Raises OSError where it cannot be started. Call it from the main thread: the kernel takes the end of the thread that
    started a process for the end of its parent. `marker` is a variable that tells our processes, and what they start,
    from others.
    """
    name, value = marker
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(_log_or_nothing(spec.log_file)) if spec.log_file is not None else None
        return subprocess.Popen(
            spec.argv,
            env={**spec.env, name: value},
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=True,
            pass_fds=spec.pass_fds,
            preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509 - the supervisor has no threads
            **_account(spec.user),
        )


def kill_group(pid: int) -> None:
    """SIGKILL to the process and to what it started, as far as it stayed in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and to all that it has started, also to what has left its group and hangs."""
    below = descendants(process.pid) if process.poll() is None else set()
    kill_group(process.pid)
    for pid in below:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _account(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    groups = os.getgrouplist(user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    # Called after the change of user, which would clear the request. It is not inherited: grandchildren see to themselves,
    # and what does not is found by its marker.
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def request() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return request


def _log_or_nothing(path: Path) -> IO[bytes]:
    """A process without a log is better than none; ours open theirs as soon as they can."""
    try:
        return open_log(path)
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error.strerror)
        return Path(os.devnull).open("wb")


def open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "wb")
