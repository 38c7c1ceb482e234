"""Which texts of people are taken: any script, and nothing that breaks the line or that nobody sees."""

from __future__ import annotations

import pytest

from shared.accounts.server_key import parse_new_key
from shared.boards.definition import BoardDefinition
from shared.boards.moderation import checked_reason
from shared.core.errors import InvalidBoard, InvalidParameter
from shared.core.text import is_readable

PERSIAN, FAMILY = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f469\u200d\U0001f467"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "text",
    [
        "bots",
        PERSIAN,
        FAMILY,
        SCOTLAND,
        "\u0915\u094d\u200d\u0937",
        "\u706b\u661f\u3000\u5927\u4f1a",  # with the space of Japanese
        "Bravo\u202f!",  # with that of French
        "\u05e9\u05dc\u05d5\u05dd",
        " a ",
    ],
)
def test_a_text_of_any_script_is_taken_as_reason_name_and_title(text: str) -> None:
    assert is_readable(text)
    assert checked_reason({"reason": text}) == text.strip()
    assert parse_new_key({"name": text})[0] == text.strip()
    assert BoardDefinition.parse("b", {"title": text}).title == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "\u200d",
        " \u200c ",
        "two\nlines",
        "a\tb",
        "a\0",
        "a\u202eb",
        "a\u2028b",
        "\ud800",
        "a\x1b[2J",
        "\u3000",
        "a\U000e0067",
    ],
)
def test_what_breaks_a_line_or_is_not_seen_is_refused_everywhere(text: str) -> None:
    assert not is_readable(text)
    with pytest.raises(InvalidParameter, match="on one line"):
        checked_reason({"reason": text})
    with pytest.raises(InvalidParameter, match="on one line"):
        parse_new_key({"name": text})
    with pytest.raises(InvalidBoard, match="title"):
        BoardDefinition.parse("b", {"title": text})
