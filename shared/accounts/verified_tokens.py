"""Whose signature was good: known to all processes that were forked from one."""

from __future__ import annotations

import hashlib
import secrets
from mmap import mmap

PLACES = 2**19  # of 200,000 tokens 83 % keep theirs
MARK_BYTES = 16


class VerifiedTokens:
    """Make it before processes are forked: they share it, and a signature is checked once for all of them.

    A token leaves a mark, its hash with a key that nobody else has, in the place that the hash chooses; one that comes to the
    same place later takes it. So there may be no mark of a token that was verified, and none of one that was not: another token
    with the same hash cannot be found, nor can a mark half written be one. It says that a signature is good, and nothing of time.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._marks = mmap(-1, PLACES * MARK_BYTES)  # 8 MB at most: a page is used from the first look at it on

    def add(self, token: str) -> None:
        """Its signature is good."""
        place, mark = self._of(token)
        self._marks[place : place + MARK_BYTES] = mark

    def __contains__(self, token: str) -> bool:
        place, mark = self._of(token)
        return self._marks[place : place + MARK_BYTES] == mark

    def _of(self, token: str) -> tuple[int, bytes]:
        digest = hashlib.blake2b(token.encode(), digest_size=MARK_BYTES + 4, key=self._key).digest()
        return int.from_bytes(digest[MARK_BYTES:], "big") % PLACES * MARK_BYTES, digest[:MARK_BYTES]
