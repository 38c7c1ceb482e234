"""Which version of the product this is."""

from __future__ import annotations

import tomllib
from functools import cache

from local_runtime.settings import PROJECT_ROOT


@cache
def product_version() -> str:
    """As pyproject.toml says."""
    with (PROJECT_ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
