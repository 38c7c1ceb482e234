"""Leases as a process of the runtime has them: by its own clock, through every loss of what it asks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_runtime.hosting.leases import (
    ASIDE_SECONDS,
    MARGIN_SECONDS,
    Leases,
    elapsed,
    function_for_leases,
    presence,
    queue_lease,
)
from local_runtime.hosting.manifest import Function, Manifest, QueueBinding

SECONDS = 8.0
FUNCTION = Function("Echo", "echo", Path(), "handler.lambda_handler", 5, 128, {})


class Store:
    """Answers as the function that holds leases, and writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.others: dict[str, str] = {}
        self.failure: Exception | None = None
        self.is_away = False

    def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        if self.is_away:
            return {"away": True}
        held = {} if request.get("release") else {name: 1 for name in request["names"] if name not in self.others}
        return {"held": held, "others": self.others, "seconds": SECONDS}


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_what_is_free_is_held_and_what_another_has_is_not(store: Store, clock: HandClock) -> None:
    leases = Leases(store, ["mine", "theirs"], clock)
    assert not leases.holds("mine"), "before it was asked for"
    store.others = {"theirs": "another"}
    leases.renew()
    assert (leases.holds("mine"), leases.holds("theirs")) == (True, False)
    store.others = {"mine": "another"}
    leases.renew()
    assert (leases.holds("mine"), leases.holds("theirs")) == (False, True)


@pytest.mark.parametrize("how", ["away", "failing"])
def test_a_holder_that_cannot_ask_goes_on_until_its_lease_expires(
    store: Store, clock: HandClock, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    leases = Leases(store, ["mine"], clock)
    leases.renew()
    store.is_away, store.failure = how == "away", None if how == "away" else RuntimeError("no such table")
    with caplog.at_level(logging.WARNING):
        for _ in range(13):
            clock.now += 0.5
            leases.renew()
            assert leases.holds("mine")
    assert len(caplog.records) == 1, "once, not at every try"
    clock.now += SECONDS - MARGIN_SECONDS - 13 * 0.5
    assert not leases.holds("mine"), "before the store lets others have it"
    store.is_away, store.failure = False, None
    leases.renew()
    assert leases.holds("mine")


def test_time_counts_from_when_it_was_asked_not_from_the_answer(clock: HandClock) -> None:
    def slow(request: Mapping[str, Any]) -> Mapping[str, Any]:
        clock.now += SECONDS - MARGIN_SECONDS
        return {"held": {"mine": 1}, "others": {}, "seconds": SECONDS}

    leases = Leases(slow, ["mine"], clock)
    leases.renew()
    assert not leases.holds("mine")


def test_a_holder_that_steps_aside_asks_again_when_others_had_the_time_to_take_it(store: Store, clock: HandClock) -> None:
    leases = Leases(store, ["mine", "other"], clock)
    leases.renew()
    leases.step_aside("mine")
    assert (leases.holds("mine"), leases.holds("other")) == (False, True)
    leases.renew()
    assert store.asked[-1] == {"names": ["other"]}
    assert not leases.holds("mine")
    clock.now += ASIDE_SECONDS
    leases.renew()
    assert leases.holds("mine"), "nobody else has taken it"


def test_nobody_steps_aside_for_a_store_that_is_away(store: Store, clock: HandClock) -> None:
    """What fails then fails everywhere."""
    leases = Leases(store, ["mine"], clock)
    leases.renew()
    store.is_away = True
    clock.now += 4
    leases.renew()
    leases.step_aside("mine")
    assert leases.holds("mine")


def test_they_are_renewed_until_they_are_released(store: Store) -> None:
    leases = Leases(store, ["mine"])
    leases.start()
    assert leases.holds("mine")
    leases.release()
    assert not leases.holds("mine")
    assert store.asked == [{"names": ["mine"]}, {"names": ["mine"], "release": True}]


def test_nothing_is_released_where_nothing_is_held(store: Store) -> None:
    store.others = {"theirs": "another"}
    leases = Leases(store, ["theirs"])
    leases.start()
    leases.release()
    assert not any(request.get("release") for request in store.asked)


def test_where_no_function_holds_leases_there_is_but_one_instance() -> None:
    manifest = Manifest((FUNCTION,), (), (), (), (), None)
    assert function_for_leases(manifest, None) is None  # type: ignore[arg-type]
    leases = Leases(None, ["mine"])
    leases.start()
    assert leases.holds("mine")
    leases.release()


def test_each_queue_has_a_lease_of_its_own() -> None:
    names = [queue_lease(QueueBinding(FUNCTION, "q", host, 1, 0)) for host in ("/", "games")]
    assert names == ["queue:q", "queue:games/q"]
    assert presence("abc") == "instance:abc"


def test_the_clock_only_goes_forward() -> None:
    assert elapsed() <= elapsed()
