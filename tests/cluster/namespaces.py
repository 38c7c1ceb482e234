"""Network namespaces of our own: they go with the block they were made for, those of a run that was killed with the next run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.product import alive
from tests.support.waiting import eventually

CLONE_NEWNET = 0x40000000
PLACES = Path("/run/netns")
END_SECONDS = 20.0
_OURS = re.compile(r"scoreboard-(\d+)(-\w+)?")


def place_of(namespace: str) -> str:
    """The file that stands for it."""
    return str(PLACES / namespace)


def command_in(namespace: str) -> tuple[str, ...]:
    """What a command begins with to run in it; `ip netns exec` would hide the cgroups that an engine needs."""
    return ("nsenter", f"--net={place_of(namespace)}")


@contextmanager
def network_namespace(name: str = "") -> Iterator[str]:
    """One with a loopback interface; answers its whole name. What still runs in it at the end is killed."""
    namespace = f"scoreboard-{os.getpid()}{f'-{name}' if name else ''}"
    remove_leftovers()
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        yield namespace
    finally:
        _remove(namespace)


def remove_leftovers() -> None:
    """Those of runs that were killed, with all that they had started."""
    for place in PLACES.glob("scoreboard-*"):
        ours = _OURS.fullmatch(place.name)
        if ours and not alive(int(ours[1])):
            _remove(place.name)


def kill_all(namespace: str) -> None:
    """SIGKILL to every process in it."""

    def nothing_runs() -> bool:
        listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=True).stdout
        running = [pid for pid in map(int, listed.split()) if alive(pid)]
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not running

    eventually(nothing_runs, END_SECONDS, f"nothing runs in {namespace}")


@contextmanager
def in_network(namespace: str) -> Iterator[None]:
    """While this thread, and what it starts, is in a namespace."""
    with contextlib.ExitStack() as stack:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, before)
        enter(place_of(namespace))
        stack.callback(enter, f"/proc/self/fd/{before}")
        yield


def enter(path: str) -> None:
    """Take this thread into the network namespace that a file stands for."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")
    finally:
        os.close(descriptor)


def _remove(namespace: str) -> None:
    kill_all(namespace)
    subprocess.run(["ip", "netns", "delete", namespace], check=True)
