"""Long computations: few at a time, a bounded line, a host's own way to run them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from shared.accounts.argon2 import PasswordHasher
from shared.core.errors import ConfigurationError, TooBusy
from shared.core.loop import BoundedOffload, find_offload, in_place
from tests.support.waiting import eventually

T = TypeVar("T")


class Gate:
    """A host whose threads stand still until told."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.running = self.most = self.begun = 0
        self._lock = threading.Lock()

    def __call__(self, call: Callable[[], T]) -> T:
        with self._lock:
            self.begun += 1
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            assert self.opened.wait(60)
            return call()
        finally:
            with self._lock:
                self.running -= 1


def test_few_run_at_a_time_some_wait_and_the_rest_are_sent_away() -> None:
    gate = Gate()
    bounded = BoundedOffload(gate, at_once=2, waiting=3)
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(bounded.run, lambda: "done") for _ in range(5)]
        eventually(lambda: gate.running == 2 and bounded._places._value == 0, 60, "a full line")
        with pytest.raises(TooBusy):
            bounded.run(lambda: "never")
        gate.opened.set()
        assert [call.result() for call in calls] == ["done"] * 5
    assert (gate.most, gate.begun) == (2, 5)
    assert bounded.run(lambda: "again") == "again"


def test_hashing_goes_through_the_host_and_is_refused_when_too_many_wait() -> None:
    gate = Gate()
    hasher = PasswordHasher(gate, at_once=1, waiting=0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hasher.hash, "correct horse battery staple")
        eventually(lambda: gate.running, 60, "a hash in progress")
        for refused in (lambda: hasher.verify(None, "x"), lambda: hasher.hash("y")):
            with pytest.raises(TooBusy):
                refused()
        gate.opened.set()
        hashed = first.result()
    assert hasher.verify(hashed, "correct horse battery staple")
    assert gate.begun == 2


def test_a_host_names_its_hook() -> None:
    assert find_offload("") is in_place
    assert find_offload("shared.core.loop:in_place") is in_place


@pytest.mark.parametrize("hook", ["nonsense", "no.such.module:f", "shared.core.loop:nothing", ":", "..:x"])
def test_a_hook_that_is_none_is_told_so(hook: str) -> None:
    with pytest.raises(ConfigurationError, match="OFFLOAD_HOOK"):
        find_offload(hook)
