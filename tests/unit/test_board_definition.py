"""What may be said of a board."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_runtime.cli.yaml_file import read_plain
from local_runtime.settings import PROJECT_ROOT
from shared.boards.definition import BoardDefinition, Period, changes_meaning
from shared.core.errors import InvalidBoard
from shared.core.limits import LARGEST

WEEKLY = {"name": "weekly", "cron": "0 0 * * MON", "timeZone": "Europe/Berlin"}
WHOLE = {
    "title": "Sprints",
    "order": "ascending",
    "operator": "best",
    "minValue": 1,
    "maxValue": 3_600_000,
    "secondColumn": True,
    "ties": "first_to_reach",
    "periods": [
        WEEKLY,
        {"name": "evening", "startsAt": "2026-12-01T18:00:00.000Z", "endsAt": "2026-12-01T22:00:00.000Z"},
        {"name": "all_time"},
    ],
    "write": "server",
    "public": True,
    "metadataBytes": 256,
    "updatesPerMinute": 30,
}


def parsed(**members: Any) -> BoardDefinition:
    return BoardDefinition.parse("sprints", members)


def test_what_is_absent_has_its_default() -> None:
    assert parsed() == BoardDefinition("sprints", "sprints")
    assert parsed().as_json() == {
        "title": "sprints",
        "order": "descending",
        "operator": "add",
        "minValue": 0,
        "maxValue": LARGEST,
        "secondColumn": False,
        "ties": "first_to_reach",
        "periods": [{"name": "all_time"}],
        "write": "player",
        "public": False,
        "metadataBytes": 0,
        "updatesPerMinute": 100,
    }


def test_a_whole_definition_is_read_and_written() -> None:
    definition = BoardDefinition.parse("sprints", WHOLE)
    assert definition.as_json() == WHOLE
    assert BoardDefinition.from_json("sprints", definition.as_json() | {"member of a later version": 1}) == definition
    weekly, evening, _ = definition.periods
    assert weekly == Period("weekly", "0 0 * * MON", "Europe/Berlin")
    assert evening.starts_at == datetime(2026, 12, 1, 18, tzinfo=UTC)


def test_what_means_the_same_is_written_in_one_way() -> None:
    period = {"name": "p", "cron": " 0  0 * * 1", "startsAt": "2026-12-01T19:00:00.1239+01:00"}
    definition = parsed(title=" Cafe\u0301 ", periods=[period])
    assert definition.title == "Caf\u00e9"
    assert definition.as_json()["periods"] == [
        {"name": "p", "cron": "0 0 * * 1", "timeZone": "UTC", "startsAt": "2026-12-01T18:00:00.123Z"}
    ]


@pytest.mark.parametrize("board_id", ["a", "0-_", "a" * 40])
def test_an_id_is_small_letters_digits_dashes_and_underscores(board_id: str) -> None:
    assert BoardDefinition.parse(board_id, {}).board_id == board_id


@pytest.mark.parametrize("board_id", ["", "A", "-a", "a" * 41, "a:b", "ä", "a\n", "main"])
def test_another_id_is_refused(board_id: str) -> None:
    with pytest.raises(InvalidBoard):
        BoardDefinition.parse(board_id, {})


def period(**members: Any) -> dict[str, Any]:
    return {"periods": [{"name": "weekly", **members}]}


REFUSED = [
    ({"titel": "x"}, "titel", "did you mean `title`?"),
    ({"xyz": "x"}, "xyz", "known are `title`, `order`"),
    ({"title": ""}, "title", "1 to 100 characters"),
    ({"title": "a\u202eb"}, "title", "control character"),
    ({"title": "x" * 101}, "title", "1 to 100 characters"),
    ({"title": f"a{' ' * 400}\0"}, "title", "control character"),
    ({"title": f"a{' ' * 5000}b"}, "title", "1 to 100 characters"),
    ({"title": 1}, "title", "must be a text"),
    ({"order": "up"}, "order", "`descending` or `ascending`"),
    ({"operator": ["add"]}, "operator", "`add`, `best` or `latest`"),
    ({"ties": None}, "ties", "`first_to_reach` or `shared`"),
    ({"write": "admin"}, "write", "`player` or `server`"),
    ({"public": "yes"}, "public", "true or false"),
    ({"secondColumn": 1}, "secondColumn", "true or false"),
    ({"secondColumn": True, "ties": "shared"}, "ties", "secondColumn"),
    ({"minValue": True}, "minValue", "integer"),
    ({"minValue": 1.0}, "minValue", "integer"),
    ({"maxValue": LARGEST + 1}, "maxValue", f"from -{LARGEST} to {LARGEST}"),
    ({"minValue": 2, "maxValue": 1}, "minValue", "must not be above `maxValue`"),
    ({"metadataBytes": 1025}, "metadataBytes", "from 0 to 1024"),
    ({"updatesPerMinute": 0}, "updatesPerMinute", "from 1 to 1000"),
    ({"periods": []}, "periods", "1 to 4 periods"),
    ({"periods": [{"name": f"p{n}"} for n in range(5)]}, "periods", "1 to 4 periods"),
    ({"periods": {"weekly": {}}}, "periods", "must be a list"),
    ({"periods": ["weekly"]}, "periods[0]", "must be a period"),
    ({"periods": [{"name": "a"}, {"name": "a"}]}, "periods[1].name", "another period"),
    ({"periods": [{}]}, "periods[0].name", "small letters"),
    (period(zone="UTC"), "zone", "`periods[0]`"),
    ({"periods": [{"name": "all_time", "cron": "0 0 * * *"}]}, "periods[0].cron", "never reset"),
    (period(cron="@weekly"), "periods[0].cron", "five fields"),
    (period(cron="0 0 0 * * MON"), "periods[0].cron", "five fields"),
    (period(cron="0 0 30 2 *"), "periods[0].cron", "comes round"),
    (period(cron="0 24 * * *"), "periods[0].cron", "five fields"),
    (period(cron="0 0 14W * *"), "periods[0].cron", "five fields"),
    (period(cron="0 0 * * friday"), "periods[0].cron", "five fields"),
    (period(cron="0 0 1 1 * 2030"), "periods[0].cron", "five fields"),
    (period(cron=7), "periods[0].cron", "five fields"),
    (period(cron=""), "periods[0].cron", "five fields"),
    (period(cron="0 0 * * *", timeZone="Europe/Berln"), "periods[0].timeZone", "did you mean `Europe/Berlin`?"),
    (period(cron="0 0 * * *", timeZone="../etc/passwd"), "periods[0].timeZone", "IANA"),
    (period(cron="0 0 * * *", timeZone="+02:00"), "periods[0].timeZone", "IANA"),
    (period(cron="0 0 * * *", timeZone=None), "periods[0].timeZone", "IANA"),
    (period(timeZone="UTC"), "periods[0].timeZone", "`cron`"),
    (period(startsAt="2026-12-01"), "periods[0].startsAt", "instant"),
    (period(startsAt="2026-12-01T18:00:00"), "periods[0].startsAt", "with its offset"),
    (period(endsAt="2026-13-01T18:00:00Z"), "periods[0].endsAt", "instant"),
    (period(endsAt="0001-01-01T00:00:00+14:00"), "periods[0].endsAt", "instant"),
    (period(startsAt="2026-12-01T18:00:00Z", endsAt="2026-12-01T18:00:00Z"), "periods[0].endsAt", "after `startsAt`"),
]


@pytest.mark.parametrize(("members", "member", "told"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_refusal_names_the_member_and_what_is_allowed(members: dict[str, Any], member: str, told: str) -> None:
    with pytest.raises(InvalidBoard) as refusal:
        parsed(**members)
    assert refusal.value.extensions == {"member": member}
    assert f"`{member}`" in refusal.value.detail
    assert told in refusal.value.detail


@given(st.dictionaries(st.sampled_from([*WHOLE]), st.none() | st.text() | st.integers() | st.lists(st.dictionaries(
    st.sampled_from(["name", "cron", "timeZone", "startsAt", "endsAt"]), st.text() | st.just("weekly") | st.none(),
))))  # fmt: skip
def test_nothing_but_a_definition_or_a_refusal_comes_of_anything(members: dict[str, Any]) -> None:
    try:
        definition = parsed(**members)
    except InvalidBoard:
        return
    assert BoardDefinition.parse("sprints", definition.as_json()) == definition


@given(st.lists(st.text("0123456789*/,-#LWMONTUE", min_size=1, max_size=5), min_size=5, max_size=5).map(" ".join))
def test_a_schedule_is_one_or_is_refused(cron: str) -> None:
    with contextlib.suppress(InvalidBoard):
        assert parsed(periods=[{"name": "p", "cron": cron}]).periods[0].cron == cron


@pytest.mark.parametrize(
    "change",
    [{"title": "x"}, {"minValue": 2}, {"maxValue": 9}, {"write": "player"}, {"public": False}, {"metadataBytes": 0},
     {"updatesPerMinute": 1}, {"periods": [*WHOLE["periods"], {"name": "monthly", "cron": "0 0 1 * *"}]},  # type: ignore[misc]
     {"periods": [WEEKLY | {"endsAt": "2030-01-01T00:00:00Z"}, *WHOLE["periods"][1:]]}],  # type: ignore[index]
)  # fmt: skip
def test_what_concerns_only_entries_to_come_changes_no_meaning(change: dict[str, Any]) -> None:
    assert changes_meaning(BoardDefinition.parse("b", WHOLE), BoardDefinition.parse("b", WHOLE | change)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"order": "descending"}, [("order", None)]),
        ({"operator": "latest"}, [("operator", None)]),
        ({"secondColumn": False, "ties": "shared"}, [("ties", None), ("secondColumn", None)]),
        ({"periods": [WEEKLY]}, [("periods[evening]", "evening"), ("periods[all_time]", "all_time")]),
        (
            {"periods": [WEEKLY | {"cron": "0 0 * * SUN", "timeZone": "UTC"}, *WHOLE["periods"][1:]]},  # type: ignore[index]
            [("periods[weekly].cron", "weekly"), ("periods[weekly].timeZone", "weekly")],
        ),
    ],
)
def test_what_would_read_entries_otherwise_changes_their_meaning(change: dict[str, Any], told: list[tuple[str, str]]) -> None:
    assert changes_meaning(BoardDefinition.parse("b", WHOLE), BoardDefinition.parse("b", WHOLE | change)) == told


def test_what_the_page_on_boards_shows_are_boards() -> None:
    page = (PROJECT_ROOT / "docs" / "boards.md").read_text(encoding="utf-8")
    files = [read_plain(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert len(files) >= 3
    for file in files:
        for board_id, members in file["boards"].items():
            assert BoardDefinition.parse(board_id, members).title == members["title"]
    for member in BoardDefinition("b", "b").as_json():
        assert f"`{member}`" in page
