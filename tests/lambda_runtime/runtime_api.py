"""The Lambda Runtime API of one execution environment: hands out one invocation at a time, takes what becomes of it."""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback import Answered, Asked, serving

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_PREFIX = "/2018-06-01/runtime/"


@dataclass
class Invocation:
    """One event on its way, and how long it may take once the runtime has it.

    `ended` is set when it was answered, or when its environment will not answer any more.
    """

    request_id: str
    event: bytes
    arn: str
    seconds: float
    taken_at: float | None = None
    answer: bytes | None = None
    error: dict[str, Any] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def fail(self, error_type: str, message: str) -> None:
        """It has ended, and not well."""
        self.error = {"errorType": error_type, "errorMessage": message}
        self.ended.set()


class RuntimeApi:
    """`idle` is set while the runtime asks for the next event, which is when Lambda freezes it."""

    def __init__(self) -> None:
        self.idle = threading.Event()
        self.init_error: dict[str, Any] | None = None
        self._next: queue.SimpleQueue[Invocation] = queue.SimpleQueue()
        self._current: Invocation | None = None
        self._server = ExitStack()
        self.address = self._server.enter_context(serving(self._answer))

    def hand_over(self, invocation: Invocation) -> None:
        """The next event."""
        self._current = invocation
        self._next.put(invocation)

    def close(self) -> None:
        """Serve nobody any more."""
        self._server.close()

    def _answer(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            return Answered(self._settle(asked.path.removeprefix(_PREFIX), asked.body), b'{"status":"OK"}')
        if asked.path != _PREFIX + "invocation/next":
            return Answered(404, b"{}")
        invocation = self._take()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        }
        return Answered(200, invocation.event, tuple(headers.items()))

    def _take(self) -> Invocation:
        self.idle.set()
        invocation = self._next.get()
        invocation.taken_at = time.monotonic()
        self.idle.clear()
        return invocation

    def _settle(self, path: str, body: bytes) -> int:
        current = self._current
        if path == "init/error":
            self.init_error = json.loads(body)
            if current is not None:
                current.error = self.init_error
                current.ended.set()
            return 202
        if current is None or current.ended.is_set() or not path.startswith(f"invocation/{current.request_id}/"):
            return 400
        if path.endswith("/error"):
            current.error = json.loads(body)
        elif len(body) > MAX_PAYLOAD_BYTES:
            message = f"Response payload size ({len(body)} bytes) exceeded maximum allowed payload size (6291556 bytes)."
            current.fail("Function.ResponseSizeTooLarge", message)
            return 413
        else:
            current.answer = body
        current.ended.set()
        return 202
