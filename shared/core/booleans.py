"""Whether something is so, as operators write it."""

from __future__ import annotations

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def boolean(raw: str) -> bool:
    """`true` or `false`, or another pair of words for it, in any case of letters; raises ValueError."""
    try:
        return _WORDS[raw.strip().lower()]
    except KeyError:
        raise ValueError("is neither true nor false") from None
