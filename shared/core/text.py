"""Texts that people write."""

from __future__ import annotations

import re

_JOINERS = re.compile("[\u200c\u200d]")  # of scripts and emoji, and no text by themselves


def is_readable(text: str) -> bool:
    """Whether a text can be seen and has no line breaks or other control characters, in any script.

    `str.isprintable` alone refuses the joiners that Persian, many scripts of India and emoji are written with.
    """
    seen = _JOINERS.sub("", text)
    return seen.isprintable() and bool(seen.strip())
