"""User ids: among equal scores the one who registered earlier stands first."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.ids import RANDOM_BYTES, canonical_id, new_user_id

instants = st.datetimes(datetime(2020, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st wants them naive
randoms = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(instants, st.timedeltas(timedelta(microseconds=1), timedelta(days=36500)), randoms, randoms)
def test_an_earlier_id_is_the_greater_one(now: datetime, later_by: timedelta, random: bytes, other: bytes) -> None:
    assert new_user_id(now, random) > new_user_id(now + later_by, other)


@given(instants, randoms)
def test_an_id_is_a_uuid_of_version_8(now: datetime, random: bytes) -> None:
    user_id = new_user_id(now, random)
    assert len(user_id) == 36
    assert (UUID(user_id).version, UUID(user_id).variant) == (8, RFC_4122)


def test_ids_of_one_instant_differ() -> None:
    now = datetime.now(UTC)
    assert len({new_user_id(now, secrets.token_bytes(RANDOM_BYTES)) for _ in range(1000)}) == 1000


@given(st.uuids(), st.lists(st.booleans(), min_size=36, max_size=36))
def test_a_uuid_is_one_id_however_its_letters_are_written(number: UUID, capitals: list[bool]) -> None:
    written = "".join(letter.upper() if capital else letter for letter, capital in zip(str(number), capitals, strict=True))
    assert canonical_id(written) == str(number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auth0|A-B-C",
        "ABCDEF" * 4,
        "ABCDEF01" * 4,
        "{FE5DF23A-7FCE-8C5A-B8B2-8E04316DDAFF}",
        "FE5DF23A-7FCE-8C5A-B8B2-8E04316DDAFF\n",
        "FE5DF23A-7FCE-8C5A-B8B2-8E04316DDAF\u0130",
        "FE5DF23A7FCE8C5AB8B2-8E04316DDAFF-0-0",
    ],
)
def test_what_is_no_uuid_stays_as_it_is(text: str) -> None:
    assert canonical_id(text) == text
