"""Simulated players are patient, honest about what was acknowledged, and stop when they are told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from local_runtime.simulate.client import Unreachable
from local_runtime.simulate.game import Difference, Game
from local_runtime.simulate.player import SimulatedPlayer
from local_runtime.simulate.tally import Tally
from tests.runtime.scripted_api import ScriptedApi, scripted_api


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


def game_of(api: ScriptedApi, players: int = 2, seconds: float = 2.5) -> Game:
    return Game(api.base_url, api.ws_url, None, players, seconds)


def joined(game: Game) -> list[SimulatedPlayer]:
    players = game.join(lambda: None)
    for player in players:
        player.client.close()  # it connects again when it is needed
    return players


def played(game: Game) -> tuple[Tally, list[Difference]]:
    tally = Tally()
    players = game.join(lambda: None)
    game.play(players, tally, lambda _gone: None)
    return tally, game.differences(players)


def test_every_acknowledged_point_is_compared(api: ScriptedApi) -> None:
    tally, wrong = played(game_of(api))
    assert wrong == []
    assert tally.accepted > 0
    assert sum(api.scores.values()) > 0


def test_a_difference_names_the_player_and_both_sums(api: ScriptedApi) -> None:
    api.stolen_points = 1
    _, wrong = played(game_of(api, players=1))
    (difference,) = wrong
    assert difference.username.startswith("sim-")
    assert difference.shown == difference.acknowledged - 1


def test_told_to_come_again_later_a_player_registers_later(api: ScriptedApi) -> None:
    api.registrations_refused = 1
    joined(game_of(api, players=1))
    first, second = [at for at, _, path in api.asked if path == "/api/users"]
    assert second - first >= 1.0


def test_told_to_come_again_tomorrow_the_simulation_ends(api: ScriptedApi) -> None:
    api.registrations_refused, api.retry_after = 1, "86400"
    with pytest.raises(Unreachable, match="86400 s"):
        game_of(api, players=1).join(lambda: None)


def test_a_date_to_come_again_at_is_understood_as_a_moment(api: ScriptedApi) -> None:
    api.registrations_refused, api.retry_after = 1, "Mon, 23 Nov 2026 12:00:00 GMT"
    assert len(joined(game_of(api, players=1))) == 1


def test_an_update_that_failed_after_it_was_counted_is_sent_again_and_counts_once(api: ScriptedApi) -> None:
    api.counted_then_failed = 2
    tally, wrong = played(game_of(api, players=1, seconds=4.0))
    assert tally.counted().refused == {"unavailable": 2}
    assert wrong == []


def test_an_update_still_unanswered_at_the_end_is_settled_before_the_sums_are_compared(api: ScriptedApi) -> None:
    game = game_of(api, players=1, seconds=0.1)
    (player,) = players = game.join(lambda: None)
    api.counted_then_failed = 1
    assert (player.score(5, threading.Event()).status, player.acknowledged) == (503, 0)
    assert game.differences(players) == []
    assert player.acknowledged == 5


def test_an_update_whose_answer_is_lost_is_sent_again_and_counts_once(api: ScriptedApi) -> None:
    api.counted_then_cut = 1
    tally, wrong = played(game_of(api, players=1))
    assert wrong == []
    assert tally.counted().refused == {}


def test_a_player_whose_token_has_expired_logs_in_again(api: ScriptedApi) -> None:
    api.expired = 1
    tally, wrong = played(game_of(api, players=1))
    assert wrong == []
    assert tally.counted().refused == {}
    assert api.count("POST", "/api/tokens") == 2


def test_a_viewer_stays_connected_while_nobody_scores(api: ScriptedApi) -> None:
    game = Game(api.base_url, api.ws_url, None, 1, 3.5)
    tally = Tally()
    players = game.join(lambda: None)
    game.play(players, tally, lambda _gone: None)
    assert game.differences(players) == []
    assert (api.viewers, tally.frames) == (1, 1)


def test_without_viewers_the_game_goes_on(api: ScriptedApi) -> None:
    tally, wrong = played(Game(api.base_url, "ws://127.0.0.1:9/ws", None, 1, 1.5))
    assert wrong == []
    assert (tally.frames, tally.accepted > 0) == (0, True)


def test_interrupted_it_ends_at_once(api: ScriptedApi) -> None:
    game = game_of(api, seconds=60.0)
    players = game.join(lambda: None)

    def interrupt(_gone: float) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        game.play(players, Tally(), interrupt)
    assert time.monotonic() - began < 5


def test_a_page_that_is_no_scoreboard_is_told(api: ScriptedApi) -> None:
    api.page_only = True
    with pytest.raises(Unreachable, match="answered 200: None"):
        game_of(api).join(lambda: None)


@pytest.mark.parametrize("url", ["scoreboard", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(Unreachable, match="no URL"):
        Game(url, "ws://127.0.0.1:9", None, 1, 1.0).join(lambda: None)


def test_an_instance_that_wants_a_ticket_with_every_update_gets_one(api: ScriptedApi) -> None:
    api.ticket_required = True
    api.counted_then_failed = 1
    tally, wrong = played(game_of(api, players=1, seconds=4.0))
    assert wrong == []
    assert tally.accepted >= 2
    assert set(tally.counted().refused) == {"unavailable"}
    assert len(api.spent) == tally.accepted, "what is sent again goes with the same ticket"
    assert api.count("POST", "/tickets") == tally.accepted, "only the first update has to be told"


def test_a_ticket_that_is_no_good_any_more_is_replaced(api: ScriptedApi) -> None:
    api.ticket_required, api.tickets_refused = True, 1
    (player,) = joined(game_of(api, players=1))
    over = threading.Event()
    assert player.score(3, over).status == 200
    assert player.acknowledged == 3
    assert api.count("POST", "/tickets") == 2
    player.client.close()
