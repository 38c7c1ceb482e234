"""Handlers in another environment than the usual one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from shared.wiring import Container, container
from tests.handlers.consumer import Bench

Redeploy = Callable[..., Container]


@pytest.fixture
def redeploy(deployed: Container, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redeploy]:
    """Change variables; handlers get a container made from what they are then."""
    made: list[Container] = []

    def change(**environment: str) -> Container:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        container.cache_clear()
        made.append(container())
        return made[-1]

    yield change
    for one in made:
        one.close()


@pytest.fixture
def bench(deployed: Container) -> Bench:
    return Bench(deployed)
