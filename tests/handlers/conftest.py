"""Handlers in another environment than the usual one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from shared.boards.open_epoch import open_epoch
from shared.container import Container, container
from shared.core.config import Settings
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


@pytest.fixture(scope="module")
def known_again(function_environment: dict[str, str]) -> Iterator[None]:
    """A Redis that was a replica is another one afterwards: other tests begin when it is known and nothing is in doubt."""
    yield
    made = Container(Settings.from_environment(function_environment))
    open_epoch(made.leaderboard, made.ledger)
    made.rate_windows.windows_restored()
    made.close()
