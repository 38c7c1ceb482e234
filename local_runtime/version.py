"""Which version of the product this is."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.metadata import version

from local_runtime.settings import PROJECT_ROOT


@cache
def product_version() -> str:
    """As pyproject.toml says in a checkout, and the package where it was installed."""
    project = PROJECT_ROOT / "pyproject.toml"
    if not project.exists():
        return version("scoreboard")
    with project.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
