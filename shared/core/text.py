"""Texts that people write."""

from __future__ import annotations

import re

# The flags of England, Scotland, Wales and others: a black flag, and letters that are never seen.
FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_JOINERS = re.compile("[\u200c\u200d]")  # of scripts and emoji, and no text by themselves
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # Unicode's Zs but for the usual one


def is_readable(text: str) -> bool:
    """Whether a text can be seen and has no line breaks or other control characters, in any script.

    `str.isprintable` alone refuses the joiners that Persian, many scripts of India and emoji are written with, the spaces of
    Japanese and French, and some flags.
    """
    seen = _SPACES.sub(" ", _JOINERS.sub("", FLAG.sub("\U0001f3f4", text)))
    return seen.isprintable() and bool(seen.strip())
