"""argon2id as OWASP has it, in a column of 100 characters; which names and passwords are acceptable."""

from __future__ import annotations

import statistics
import sys
import time
import unicodedata

import pytest

from shared.accounts.argon2 import PasswordHasher
from shared.accounts.password import MAX_LENGTH, checked_password, common_passwords, normalized
from shared.accounts.player import checked_role, checked_username
from shared.core.errors import InvalidParameter, InvalidUsername, WeakPassword

HASHER = PasswordHasher()


def test_a_hash_has_the_chosen_parameters_and_fits_its_column() -> None:
    hashed = HASHER.hash("correct horse battery staple")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(hashed) <= 100


def test_only_the_password_fits() -> None:
    hashed = HASHER.hash("correct horse battery staple")
    assert HASHER.verify(hashed, "correct horse battery staple")
    assert not HASHER.verify(hashed, "correct horse battery stapl")
    assert not HASHER.verify(hashed, "")


def test_the_same_characters_typed_differently_are_the_same_password() -> None:
    assert HASHER.verify(HASHER.hash("caf\u00e9 caf\u00e9 caf\u00e9"), "cafe\u0301 cafe\u0301 cafe\u0301")
    assert HASHER.verify(HASHER.hash("office \uff21\uff22\uff23"), "o\ufb03ce ABC")


@pytest.mark.parametrize(
    ("typed", "length"), [("\u03b1\u0313\u0300\u0345", 1), ("\u1112\u1161\u11ab", 1), ("\ufdfa", 18), ("e\u0301", 1)]
)
def test_the_longest_password_may_be_typed_in_as_many_characters_as_it_takes(typed: str, length: int) -> None:
    times = MAX_LENGTH // length
    assert len(normalized(typed * times)) == times * length <= MAX_LENGTH
    assert len(normalized(typed * (times + 1))) == (times + 1) * length > MAX_LENGTH
    assert len(normalized(typed * 10_000)) > MAX_LENGTH


def test_no_character_comes_from_more_than_four() -> None:
    characters = map(chr, range(sys.maxunicode + 1))
    assert max(len(unicodedata.normalize("NFD", character)) for character in characters) == 4


def test_a_heap_of_accents_takes_no_longer_than_any_password_that_is_too_long() -> None:
    accents = "\u0344" * 16_000 + "\u0323" * 16_000  # 64 KiB, the greatest body: ten seconds to put in order

    def seconds(password: str) -> float:
        began = time.thread_time()
        with pytest.raises(WeakPassword):
            checked_password(password, "ada", common_passwords())
        assert not HASHER.verify(None, password[:MAX_LENGTH])
        return time.thread_time() - began

    assert seconds(accents) < 10 * seconds("x" * 64_000)


@pytest.mark.parametrize("hashed", [None, "", "not a hash"])
def test_no_account_and_no_hash_fit_nothing(hashed: str | None) -> None:
    assert not HASHER.verify(hashed, "correct horse battery staple")


def test_an_unknown_name_costs_what_a_known_one_does() -> None:
    hashed = HASHER.hash("correct horse battery staple")

    def seconds(candidate: str | None) -> float:
        began = time.thread_time()
        HASHER.verify(candidate, "wrong password here")
        return time.thread_time() - began

    known = statistics.median(seconds(hashed) for _ in range(5))
    unknown = statistics.median(seconds(None) for _ in range(5))
    assert known / 3 < unknown < known * 3


@pytest.mark.parametrize("name", ["abc", "Ada.Lovelace", "a-b_c", "0zero", "a" * 50])
def test_good_names_pass(name: str) -> None:
    assert checked_username(name) == name


@pytest.mark.parametrize("name", ["ab", "a" * 51, "-ab", "a b c", "ädä", "abc\n", "", None, 7, ["abc"]])
def test_bad_names_are_refused(name: object) -> None:
    with pytest.raises(InvalidUsername):
        checked_username(name)


def choose(password: object, username: str = "ada.lovelace1") -> str:
    return checked_password(password, username, common_passwords())


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "x" * 129,
        "many words " * 12,
        None,
        7,
        {},
        # A pattern.
        "aaaaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghijkl",
        "987654321098"[::-1],
        "ZYXWVUTSRQPO",
        "passwordpassword",
        # Of the list, however it is written.
        "qwertyuiop[]",
        "leavemealone",
        "LeaveMeAlone",
        "1qaz2wsx3edc4rfv",
        "administrator",
        # A word of the list with something around it.
        "password1234",
        "Password2026!",
        "P@ssw0rd2026!",
        "$unshine2024!!",
        "2024sunshine2024",
        "**sunshine**",
        "iloveyou1234567",
        # What anybody can know.
        "Ada.Lovelace1",
        "ada.lovelace1!",
        "2026-Ada.Lovelace1",
        "Scoreboard26",
        "scoreboardscoreboard",
        "\uff33\uff43\uff4f\uff52\uff45\uff42\uff4f\uff41\uff52\uff4426",
    ],
)
def test_weak_passwords_are_refused(password: object) -> None:
    with pytest.raises(WeakPassword):
        choose(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "purple monkey dishwasher",
        "            a b",
        "пароль от сердца",
        "\U0001f600\U0001f601\U0001f602\U0001f603 four faces",
        "x7#Kq-4mPz!2",
        "839201748362",
        "scoreboard of the rings",
        "as ada.lovelace1 would say",
        "love 8492 7730 16x4",
        "w" + "ords and " * 14 + "!",
    ],
)
def test_whatever_is_long_and_of_ones_own_is_a_good_password(password: str) -> None:
    assert choose(password) == password


def test_a_short_name_in_a_password_is_no_hint() -> None:
    assert choose("adamantine-wall", username="ada")
    with pytest.raises(WeakPassword):
        choose("ada ada ada ada 12", username="ada")


def test_lengths_are_those_of_the_characters_however_they_were_typed() -> None:
    decomposed = "e\u0301" * 6 + "abc"
    with pytest.raises(WeakPassword):
        choose(decomposed)
    assert choose("zwölf w" + "o\u0308" * 3 + "rter" * 29) == "zwölf wööö" + "rter" * 29
    assert choose("\ufb03" * 4 + "z") == "ffi" * 4 + "z"


def test_the_list_has_what_the_policy_lets_through_otherwise() -> None:
    """ASVS asks for the 3,000 most frequent passwords that are long enough."""
    assert sum(len(word) >= 12 for word in common_passwords()) == 10_000
    assert len(common_passwords()) == 30_000
    assert all(word == word.casefold().strip() for word in common_passwords())


@pytest.mark.parametrize("role", [None, "root", "Player", 1])
def test_there_are_two_roles(role: object) -> None:
    assert (checked_role("player"), checked_role("admin")) == ("player", "admin")
    with pytest.raises(InvalidParameter):
        checked_role(role)
