"""An HTTP process of two workers that listens to a board of the test's own; modules with other needs have their own `server`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.container import Container
from tests.runtime.boards import Board
from tests.runtime.http_process import HttpProcess
from tests.runtime.verbs import seeming_instance
from tests.support.waiting import eventually


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.close()


@pytest.fixture
def server(board: Board) -> Iterator[HttpProcess]:
    with HttpProcess(board.environment, workers=2) as process:
        eventually(lambda: board.listeners() == 2, 60, "both workers listen")
        yield process


@pytest.fixture
def data_dir(tmp_path: Path, deployed: Container, function_environment: dict[str, str]) -> Iterator[Path]:
    """A data directory that an instance seems to run on, with this worker's stores."""
    with seeming_instance(tmp_path / "data", function_environment) as directory:
        yield directory
