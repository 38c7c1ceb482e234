"""The shipped list of passwords that everybody tries first, and of the words they are made from."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

LIST = Path(__file__).parent / "words" / "common_passwords.txt.gz"


@cache
def common_passwords() -> frozenset[str]:
    """30,000 of them in lower case, read once a process (a few milliseconds), and only where a password is chosen."""
    return frozenset(gzip.decompress(LIST.read_bytes()).decode().splitlines())
