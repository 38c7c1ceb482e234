"""Every Lua script names what it is given, and refuses any other number of keys and arguments before it writes anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

from shared.stores.redis.scripts import LAYER, run_script

SCRIPTS = sorted(LAYER.glob("*/lua/*.lua"), key=lambda path: path.stem)
HEAD = re.compile(
    r"(--[^\n]*\n)+\nif (?P<condition>[^\n]+) then\n  return redis.error_reply\('ERR (?P<name>\w+) takes [^\n]+'\)\nend\n"
)


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_a_script_begins_with_what_it_is_given(script: Path) -> None:
    text = script.read_text()
    head = HEAD.match(text)
    assert head, "a comment, then the check"
    assert head["name"] == script.stem
    assert "#KEYS" in head["condition"]
    assert "#ARGV" in head["condition"]
    named, _, body = text[head.end() - 1 :].partition("\n\n")
    places = re.compile(r"\b(?:KEYS|ARGV)\[\d+\]")
    assert not places.search(body), "by its name"
    assert all(line.startswith(("local ", "  ")) for line in named.split("\n")[1:])


@pytest.mark.parametrize(("keys", "arguments"), [(0, 0), (0, 1000), (3, 1000)])
def test_a_script_refuses_another_number(script: Path, redis_client: redis.Redis, keys: int, arguments: int) -> None:
    with pytest.raises(redis.ResponseError, match=f"{script.stem} takes"):
        run_script(redis_client, script.stem, [f"{{scripts}}:{place}" for place in range(keys)], ["1"] * arguments)
    assert not redis_client.keys("{scripts}:*")
