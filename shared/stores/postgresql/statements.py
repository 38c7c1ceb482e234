"""Finds the SQL statements: one file each in the sql/ of its subject, its head naming tables and arguments."""

from __future__ import annotations

from functools import cache
from pathlib import Path

LAYER = Path(__file__).parents[2]


@cache
def statement(name: str) -> str:
    """The text of <subject>/sql/<name>.sql; no two subjects have the same name."""
    [path] = LAYER.glob(f"*/sql/{name}.sql")
    return path.read_text(encoding="utf-8")
