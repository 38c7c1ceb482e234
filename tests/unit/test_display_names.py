"""A display name may be of any script; what cannot be seen, or turns the text around it, is refused and named."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.accounts.display_name import MAX_LENGTH, checked_display_name, folded_display_name
from shared.core.errors import InvalidDisplayName

NAMES = [
    "x",
    "Ada Lovelace",
    "Олег",
    "小明",
    "José",
    "नमस्ते दुनिया",
    "علي بابا",
    "می‌خواهم",  # with a joiner in it
    "שָׁלוֹם",
    "ක්‍රි",
    "ဝှို့",
    "葛\U000e0100飾",  # a variant of a character
    "☃",
    "👩🏽‍🚀",
    "❤️‍🔥 1️⃣",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "O'Brien & <b>Söhne</b>",
    "\U0001fae9",  # of a newer Unicode than some Pythons know
    "山田　太郎",
    "x" * MAX_LENGTH,
]
# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt 15.1) but for joiners and variation selectors.
IGNORABLE = [
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x200E, 0x200F, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFFF0, 0xFFF9),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE0100),
    *range(0xE01F0, 0xE1000),
]


def refused(value: object) -> str:
    """What is said of a name that is refused."""
    with pytest.raises(InvalidDisplayName) as error:
        checked_display_name(value)
    return error.value.detail


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_scripts_are_accepted_as_they_are(name: str) -> None:
    assert checked_display_name(name) == unicodedata.normalize("NFC", name)


def test_a_name_is_kept_composed_and_without_the_spaces_around_it() -> None:
    assert checked_display_name(" Jose\u0301\u3000") == "José"
    assert checked_display_name("e\u0301" * MAX_LENGTH) == "é" * MAX_LENGTH, "counted as it is kept"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "can be seen"),
        (" \u3000", "can be seen"),
        ("\u2800", "can be seen"),
        ("\u200d\ufe0f", "can be seen"),
        ("x" * (MAX_LENGTH + 1), "more than 50"),
        ("x" * 1_000_000, "more than 50"),
        (None, "must be a text"),
        (7, "must be a text"),
        ("a\nb", "U+000A:"),
        ("a\x00", "U+0000:"),
        ("gnp.\u202etxt", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("a\u2067b", "U+2067 (RIGHT-TO-LEFT ISOLATE)"),
        ("a\u200b", "U+200B (ZERO WIDTH SPACE)"),
        ("\u3164", "U+3164 (HANGUL FILLER)"),
        ("a\ud800", "U+D800:"),
        ("a\uffff", "U+FFFF:"),
        ("\uf8ff", "U+F8FF:"),
        ("hidden\U000e0061\U000e007f", "U+E0061 (TAG LATIN SMALL LETTER A)"),
        ("\u0301a", "U+0301 (COMBINING ACUTE ACCENT) where"),
        ("a\u200d", "U+200D (ZERO WIDTH JOINER) where"),
        ("a \u200cb", "U+200C (ZERO WIDTH NON-JOINER) where"),
        ("a\ufe0f\ufe0f", "U+FE0F (VARIATION SELECTOR-16) where"),
        ("Z" + "\u0335" * 7, "more than 6 combining marks"),
        ("Z" + "\u0335\u200d" * 6 + "\u0335", "more than 6 combining marks"),
    ],
)
def test_what_is_refused_is_named(name: object, said: str) -> None:
    assert said in refused(name)


def test_no_character_that_is_never_seen_gets_through() -> None:
    for code in IGNORABLE:
        assert f"U+{code:04X}" in refused(f"a{chr(code)}b")


def test_every_control_and_format_character_but_the_joiners_is_refused() -> None:
    accepted = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"):
            try:
                checked_display_name(f"a{chr(code)}b")
            except InvalidDisplayName:
                continue
            accepted.append(code)
    assert accepted == [0x200C, 0x200D]


@given(
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Mn", "Mc"]) | st.sampled_from("\u200c\u200d\ufe0f"), max_size=60)
)
def test_whatever_is_accepted_is_normal_bounded_and_accepted_again(text: str) -> None:
    try:
        name = checked_display_name(text)
    except InvalidDisplayName:
        return
    assert 1 <= len(name) <= MAX_LENGTH
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.strip() == checked_display_name(name)
    assert not unicodedata.category(name[0]).startswith(("Mn", "C", "Z"))
    assert "\x00" not in folded_display_name(name)


@given(
    st.text(
        st.characters(categories=["Lu", "Ll", "Lo", "Nd"], exclude_characters="\u115f\u1160\u3164\uffa0"), min_size=1, max_size=12
    )
)
def test_letters_and_digits_of_any_script_are_accepted(text: str) -> None:
    assert checked_display_name(text) == unicodedata.normalize("NFC", text)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from([*map(chr, IGNORABLE), "\u202e", "\x1b", "\u2028"]),
)
def test_nothing_around_it_lets_an_unseen_character_through(text: str, unseen: str) -> None:
    refused(text + unseen + text)


def test_names_are_searched_without_regard_to_case_and_width() -> None:
    for one, other in (("ОЛЕГ", "олег"), ("Straße", "STRASSE"), ("\uff21da", "ada"), ("İ", "i̇"), ("Jose\u0301", "josé")):
        assert folded_display_name(one) == folded_display_name(other)
