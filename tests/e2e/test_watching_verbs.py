"""`top` and `tail` on the running product, in terminals and pipes, and across its restart."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.support.api import Player
from tests.support.product import Product
from tests.support.terminal import ENTER_SCREEN, HIDE_CURSOR, LEAVE_SCREEN, SHOW_CURSOR, Shown
from tests.support.waiting import eventually


@pytest.fixture
def player(product: Product) -> Player:
    return product.api.new_player()


@pytest.fixture
def data_dir(product: Product) -> str:
    return str(product.data_dir)


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("ends_with", [signal.SIGINT, signal.SIGTERM])
def test_top_moves_on_a_screen_of_its_own_and_gives_the_terminal_back(
    player: Player, data_dir: str, columns: int, ends_with: signal.Signals
) -> None:
    player.climb()
    with Shown("top", "--data-dir", data_dir, columns=columns) as top:
        top.wait_for(player.username)
        player.add_points(4)
        top.wait_for("+4")
        assert top.interrupt(ends_with) == 0
        assert top.raw.index(ENTER_SCREEN) < top.raw.index(LEAVE_SCREEN)
        assert top.raw.rindex(HIDE_CURSOR) < top.raw.rindex(SHOW_CURSOR)
        assert "Traceback" not in top.text


def test_top_has_no_colour_where_none_is_wanted_and_no_screen_where_there_is_none(player: Player, data_dir: str) -> None:
    player.climb()
    with Shown("top", "--data-dir", data_dir, columns=80, NO_COLOR="1") as plain:
        plain.wait_for(player.username)
        assert plain.interrupt() == 0
        assert "\x1b[36m" not in plain.raw
        assert "38;5" not in plain.raw
    with Shown("top", "--data-dir", data_dir, columns=80, TERM="dumb") as dumb:
        dumb.wait_for(player.username)
        assert dumb.interrupt() == 0
        assert "\x1b" not in dumb.raw


def test_top_in_a_pipe_is_a_line_a_change(player: Player, data_dir: str) -> None:
    player.climb()
    with Shown("top", "--data-dir", data_dir, "--json", "--limit", "10") as top:
        top.wait_for(player.username)
        player.add_points(5)
        eventually(lambda: len(top.lines) > 1, 60, "a second board")
        assert top.interrupt() == 0
        boards = [json.loads(line) for line in top.lines]
    versions = [board["version"] for board in boards]
    assert versions == sorted(set(versions))
    assert all(len(board["data"]) <= 10 for board in boards)


def test_tail_shows_what_was_asked_for(player: Player, data_dir: str) -> None:
    first = player.add_points(5)
    with Shown("tail", "--data-dir", data_dir, "--user", player.username, "--json") as tail:
        tail.wait_for(first)
        second = player.add_points(5)
        tail.wait_for(second)
        assert tail.interrupt() == 0
        entries = [json.loads(line) for line in tail.lines]
    assert {entry["userId"] for entry in entries} == {player.user_id}
    assert [entry["requestId"] for entry in entries if entry["action"] == "score_accepted"] == [first, second]
    with Shown("tail", "--data-dir", data_dir, "--request-id", second, "--no-follow", columns=80) as one:
        assert one.wait() == 0
        assert second in one.text
        assert first not in one.text


@pytest.mark.parametrize("detail", ["null", '["a", 1]', "7", f"{'[' * 2000}{']' * 2000}"])
def test_tail_survives_a_detail_that_is_no_object(product: Product, player: Player, data_dir: str, detail: str) -> None:
    """As a row of an earlier version may have it."""
    name = "audit_log_detail_is_an_object"
    product.query(f"ALTER TABLE audit_log DROP CONSTRAINT IF EXISTS {name}")
    with Shown("tail", "--data-dir", data_dir, "--user", player.username, columns=80) as tail:
        product.query(
            "INSERT INTO audit_log (action, actor, user_id, detail) VALUES ('odd', 'test', :user_id, CAST(:detail AS jsonb))",
            user_id=player.user_id,
            detail=detail,
        )
        product.query(f"ALTER TABLE audit_log ADD CONSTRAINT {name} CHECK (jsonb_typeof(detail) = 'object') NOT VALID")
        tail.wait_for("odd")
        tail.wait_for(player.add_points(5))
        assert tail.interrupt() == 0
        assert "Traceback" not in tail.text


@pytest.fixture
def own() -> Iterator[Product]:
    with Product() as product:
        yield product


def test_both_go_on_when_the_instance_has_started_again(own: Product) -> None:
    player = own.api.new_player()
    with ExitStack() as stack:
        tail = stack.enter_context(Shown("tail", "--data-dir", str(own.data_dir), "--json", "--action", "score_accepted"))
        top = stack.enter_context(Shown("top", "--data-dir", str(own.data_dir)))
        wanted = [player.add_points(5) for _ in range(10)]
        tail.wait_for(wanted[-1])
        top.wait_for(f"{player.username} 50")
        assert own.stop() == 0
        tail.wait_for("the instance does not answer: waiting for it")
        own.start()
        player = replace(player, api=own.api)
        wanted += [player.add_points(5) for _ in range(10)]
        tail.wait_for(wanted[-1])
        top.wait_for(f"{player.username} 100")
        assert (tail.interrupt(), top.interrupt()) == (0, 0)
        entries = [json.loads(line) for line in tail.lines if line.startswith("{")]
    assert [entry["requestId"] for entry in entries] == wanted
    assert "the instance answers again" in tail.lines
