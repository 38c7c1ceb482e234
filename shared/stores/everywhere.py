"""The same in every shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.core.errors import Unavailable

T = TypeVar("T")


def everywhere(places: Iterable[T], do: Callable[[T], object]) -> None:
    """Do it at each: one that is away keeps it from none of the others. What the first of them raised is raised in the end."""
    failed: Unavailable | None = None
    for place in places:
        try:
            do(place)
        except Unavailable as error:
            failed = failed or error
    if failed is not None:
        raise failed
