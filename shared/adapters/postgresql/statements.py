"""Finds the SQL statements: one file each under sql/, its head naming tables and arguments."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SQL = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> str:
    """The text of sql/<name>.sql."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
