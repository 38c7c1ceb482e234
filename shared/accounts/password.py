"""Which passwords may be chosen: long enough, and nothing that a guesser tries first (NIST SP 800-63B, ASVS 2.1)."""

from __future__ import annotations

import gzip
import re
import sys
import unicodedata
from collections.abc import Container
from functools import cache
from itertools import pairwise
from pathlib import Path

from shared.core.errors import WeakPassword

MIN_LENGTH, MAX_LENGTH = 12, 128
# NFKC makes of four characters one at the least: what is longer than this is too long, whatever its end is.
_MOST_READ = 4 * (MAX_LENGTH + 1)
# How much has to be left of a password besides what anybody can know or guess.
_LEAST_OF_ITS_OWN = 8
_LONGEST_PATTERN = 4
_PRODUCT = "scoreboard"
_NO_LETTERS_AT_THE_START, _NO_LETTERS_AT_THE_END = re.compile(r"^[\W\d_]+"), re.compile(r"[\W\d_]+$")
_LOOKALIKES = str.maketrans("@4031!$57", "aaoeiisst")
LIST = Path(__file__).parent / "words" / "common_passwords.txt.gz"


def normalized(password: str) -> str:
    """The same characters, however they were typed (NFKC): what lengths are counted in and what is hashed.

    Of a text that is too long only the beginning: putting accents in their order takes time that grows with the square of their
    number, ten seconds for what fits into a body.
    """
    return unicodedata.normalize("NFKC", password[:_MOST_READ])


def checked_password(value: object, username: str, common: Container[str], *, member: str = "password") -> str:
    """12 to 128 characters of any kind, spaces too, that are neither common nor the username; raises WeakPassword.

    `common` holds passwords in lower case, and the words that common ones are made from. `member` is what the request calls it.
    """
    if not isinstance(value, str):
        raise WeakPassword(f"`{member}` must be a text of {MIN_LENGTH} to {MAX_LENGTH} characters.")
    password = normalized(value)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise WeakPassword(f"`{member}` must have {MIN_LENGTH} to {MAX_LENGTH} characters.")
    folded = password.casefold()
    for name in (normalized(username).casefold(), _PRODUCT):
        if name in folded and len(folded.replace(name, "")) < _LEAST_OF_ITS_OWN:
            raise WeakPassword(f"`{member}` is too close to your name or to the name of this site. Choose another one.")
    if _is_pattern(folded, common) or _is_common(folded, common):
        raise WeakPassword(f"`{member}` is one of those that are tried first. Choose another one; several words are fine.")
    return password


def _is_common(folded: str, common: Container[str]) -> bool:
    """As it stands, or as a word with digits and signs around it (P@ssword2026!)."""
    if folded in common:
        return True
    head = _NO_LETTERS_AT_THE_END.sub("", folded)
    words = {head, head.translate(_LOOKALIKES)}
    word = _NO_LETTERS_AT_THE_START.sub("", head)
    words |= {word, word.translate(_LOOKALIKES)}
    return any(one in common and len(folded) - len(one) <= _LEAST_OF_ITS_OWN for one in words)


def _is_pattern(folded: str, common: Container[str]) -> bool:
    """The same piece again and again, or characters in a row (abcdefghijkl)."""
    after_nine = 10 if folded.isdecimal() else sys.maxunicode  # comes zero
    steps = {(ord(after) - ord(before)) % after_nine for before, after in pairwise(folded)}
    if len(steps) == 1:
        return True
    length = (folded * 2).find(folded, 1)  # of the shortest piece that makes it up
    return length < len(folded) and (length <= _LONGEST_PATTERN or folded[:length] in common)


@cache
def common_passwords() -> frozenset[str]:
    """30,000 of them in lower case, read once a process (a few milliseconds), and only where a password is chosen."""
    return frozenset(gzip.decompress(LIST.read_bytes()).decode().splitlines())
