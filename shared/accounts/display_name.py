"""Which names may be shown: of any script, and nothing in them that cannot be seen or that turns the text around them."""

from __future__ import annotations

import re
import unicodedata

from shared.core.errors import InvalidDisplayName
from shared.core.text import FLAG

MAX_LENGTH = 50
# NFC makes of four characters one at the least: what is longer than this is too long, whatever its end is.
_MOST_READ = 4 * MAX_LENGTH
_MOST_MARKS = 6
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# Unicode's default ignorables that are in none of these, and characters that stand for none.
_REFUSED = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\ufdd0-\ufdef\ufff0-\ufff8\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
_BLANKS = frozenset("\u2800\U0001d159")
_VARIATIONS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_JOINERS = frozenset("\u200c\u200d")
# By the kinds of the characters: a mark, joiner or variation selector stands behind what it belongs to, a joiner between two.
_MISPLACED = re.compile(r"^[MJX]|[SJX]X|[SJ]J|J(?:S|$)")
_STACKED = re.compile(rf"(?:M[JX]?){{{_MOST_MARKS + 1}}}")


def checked_display_name(value: object) -> str:
    """1 to 50 characters (code points in NFC) of any script, without the spaces around them; raises InvalidDisplayName."""
    if not isinstance(value, str):
        raise InvalidDisplayName(f"`displayName` must be a text of 1 to {MAX_LENGTH} characters.")
    name = unicodedata.normalize("NFC", value[: _MOST_READ + 1])
    seen = FLAG.sub("\U0001f3f4", name)
    for character in seen:
        if _is_refused(character):
            raise InvalidDisplayName(f"`displayName` must not contain {_called(character)}: nobody would see it for what it is.")
    name, seen = name.strip(), seen.strip()
    kinds = "".join(map(_kind, seen))
    if "V" not in kinds:
        raise InvalidDisplayName("`displayName` must have at least one character that can be seen.")
    if len(value) > _MOST_READ or len(name) > MAX_LENGTH:
        raise InvalidDisplayName(f"`displayName` has more than {MAX_LENGTH} characters.")
    if found := _MISPLACED.search(kinds):
        place = found.start() + next(at for at, kind in enumerate(found[0]) if kind in "MJX")
        raise InvalidDisplayName(f"`displayName` has {_called(seen[place])} where it belongs to no other character.")
    if _STACKED.search(kinds):
        raise InvalidDisplayName(f"`displayName` has more than {_MOST_MARKS} combining marks on one character.")
    return name


def folded_display_name(name: str) -> str:
    """The form in which display names are searched: without regard to case, and to how the characters were typed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _is_refused(character: str) -> bool:
    if character in _JOINERS or _VARIATIONS.match(character):
        return False
    is_none = ord(character) & 0xFFFE == 0xFFFE
    return is_none or unicodedata.category(character) in _REFUSED_CATEGORIES or bool(_REFUSED.match(character))


def _kind(character: str) -> str:
    """V of one that can be seen, S of a space, M of a mark on the one before it, J of a joiner, X of a variation selector."""
    if character in _JOINERS:
        return "J"
    if _VARIATIONS.match(character):
        return "X"
    if character in _BLANKS or unicodedata.category(character) == "Zs":
        return "S"
    return "M" if unicodedata.category(character) in ("Mn", "Me") else "V"


def _called(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} ({name})" if name else f"U+{ord(character):04X}"
