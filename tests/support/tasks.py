"""Coroutines in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_tasks(main: Coroutine[Any, Any, T]) -> T:
    """What comes of it, in an event loop of its own thread: in this one that of Playwright may be running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main).result()
