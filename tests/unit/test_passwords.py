"""argon2id as OWASP has it, in a column of 100 characters; which names and passwords are acceptable."""

from __future__ import annotations

import statistics
import time

import pytest

from shared.adapters.crypto.argon2 import Argon2PasswordHasher
from shared.domain.player import checked_password, checked_role, checked_username
from shared.errors import InvalidParameter, InvalidUsername, WeakPassword

HASHER = Argon2PasswordHasher()


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


@pytest.mark.parametrize("password", ["short", "x" * 129, "aaaaaaaaaaaaaa", "abcabcabcabc", "Ada.Lovelace1", None, 7, {}])
def test_weak_passwords_are_refused(password: object) -> None:
    with pytest.raises(WeakPassword):
        checked_password(password, "ada.lovelace1")


@pytest.mark.parametrize("role", [None, "root", "Player", 1])
def test_there_are_two_roles(role: object) -> None:
    assert (checked_role("player"), checked_role("admin")) == ("player", "admin")
    with pytest.raises(InvalidParameter):
        checked_role(role)
