"""Whether a process of the product serves; each probe answers at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

from local_runtime.instance.question import Question

Probe = Callable[[], bool]
LONGEST_WAIT_SECONDS = 6.0
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class HttpProbe(Question):
    """Asks /healthz; any answer counts that does not blame the server."""

    def __init__(self, host: str, port: int, *, tls: bool) -> None:
        super().__init__(host, port, _REQUEST, tls=tls, is_good=_is_no_failure)


def _is_no_failure(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.") and answer[9:10] in (b"2", b"3", b"4")


class ReadyFile:
    """A file in which a process has written its pid when it serves; one that names a dead process says nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> bool:
        """Whether the file names a living process."""
        try:
            pid = int(self._path.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return False
        return True


class QueuesOnDisk:
    """Whether the private broker would still know its queues if it died now.

    RabbitMQ confirms a declaration that it holds back from the disk for up to 3 s: killed meanwhile, it comes back with quorum
    queues that have no leader and take nothing. So nothing is served before. A later start finds all of it on disk at once.
    """

    def __init__(self, broker_directory: Path, queues: Collection[str]) -> None:
        self._directory = broker_directory
        self._queues = [queue.encode() for queue in queues]
        self._deadline: float | None = None

    def __call__(self) -> bool:
        """True also without a private broker, and after LONGEST_WAIT_SECONDS: another RabbitMQ may keep them elsewhere."""
        if self._deadline is None:
            self._deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        if not self._directory.exists() or time.monotonic() > self._deadline:
            return True
        known = b"".join(path.read_bytes() for path in self._directory.rglob("names.dets"))
        return all(queue in known for queue in self._queues)


class Both:
    """Two probes that must say yes."""

    def __init__(self, first: Probe, second: Probe) -> None:
        self._first = first
        self._second = second

    def __call__(self) -> bool:
        """The second one is asked only when the first has said yes."""
        return self._first() and self._second()
