"""Simulated players are patient, honest about what was acknowledged, and stop when they are told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from local_runtime.simulate.crew import Crew
from local_runtime.simulate.game import Difference, Game
from local_runtime.simulate.player import SimulatedPlayer, Unreachable
from local_runtime.simulate.tally import Tally
from tests.runtime.scripted_api import ScriptedApi, scripted_api


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


Enough = Callable[[Tally, float], bool]


def game_of(api: ScriptedApi, players: int = 2, seconds: float = 90.0) -> Game:
    return Game(api.base_url, None, players, seconds)


def some_are_accepted(tally: Tally, _gone: float) -> bool:
    return tally.accepted > 2


def joined(game: Game) -> list[SimulatedPlayer]:
    players = game.join(lambda: None)
    for player in players:
        player.scoreboard.close()  # it connects again when it is needed
    return players


def play(game: Game, players: list[SimulatedPlayer], enough: Enough) -> Tally:
    """Until enough has happened, however long that takes."""
    tally = Tally()
    ended: list[float] = []

    def look(gone: float) -> None:
        if not ended and enough(tally, gone):
            ended.append(gone)
            raise KeyboardInterrupt

    game.play(players, tally, look)
    return tally


def played(game: Game, enough: Enough = some_are_accepted) -> tuple[Tally, list[Difference]]:
    players = game.join(lambda: None)
    tally = play(game, players, enough)
    return tally, game.differences(players)


def test_every_acknowledged_point_is_compared(api: ScriptedApi) -> None:
    tally, wrong = played(game_of(api, seconds=8.0), lambda *_: False)
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
    tally, wrong = played(game_of(api, players=1))
    assert tally.counted().refused == {"unavailable": 2}
    assert wrong == []


def test_an_update_still_unanswered_at_the_end_is_settled_before_the_sums_are_compared(api: ScriptedApi) -> None:
    api.counted_then_failed = 1
    game = game_of(api, players=1)
    (player,) = players = game.join(lambda: None)
    tally = play(game, players, lambda tally, _gone: bool(tally.counted().refused))
    assert tally.counted().refused == {"unavailable": 1}
    assert player.acknowledged == api.scores[player.scoreboard.user_id] > 0
    assert game.differences(players) == []


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
    game = game_of(api, players=1)
    players = game.join(lambda: None)
    tally = play(game, players, lambda tally, gone: tally.frames > 0 and gone > 3.5)
    assert game.differences(players) == []
    assert (api.viewers, tally.frames) == (1, 1)


def test_without_viewers_the_game_goes_on(api: ScriptedApi) -> None:
    api.ws_url = "ws://127.0.0.1:9/ws"
    tally, wrong = played(game_of(api, players=1))
    assert wrong == []
    assert (tally.frames, tally.accepted > 0) == (0, True)


def test_interrupted_it_ends_at_once_and_still_compares_every_sum(api: ScriptedApi) -> None:
    game, tally = game_of(api, seconds=60.0), Tally()
    players = game.join(lambda: None)

    def interrupt(gone: float) -> None:
        if tally.accepted and threading.current_thread() is threading.main_thread() and not interrupted:
            interrupted.append(gone)
            raise KeyboardInterrupt

    interrupted: list[float] = []
    assert game.play(players, tally, interrupt) < 60
    assert game.differences(players) == []
    assert sum(api.scores.values()) == sum(player.acknowledged for player in players) > 0


def test_players_are_marked_when_they_are_made_and_end_together(api: ScriptedApi) -> None:
    done: list[tuple[list[str], str]] = []
    crew = Crew(lambda user_ids, flag: done.append((sorted(user_ids), flag)))
    game = replace(game_of(api), crew=crew)
    players = joined(game)
    ids = sorted(player.scoreboard.user_id for player in players)
    assert sorted(done) == [([user_id], "simulated") for user_id in ids]
    assert sorted(crew.usernames) == sorted(player.username for player in players)
    assert (crew.end(), done[-1]) == (2, (ids, "disabled"))
    assert (crew.usernames, crew.end(), len(done)) == ([], 0, 3)


def test_without_rights_the_players_who_stay_are_known(api: ScriptedApi) -> None:
    game = game_of(api)
    players = joined(game)
    assert game.crew.end() == 0
    assert sorted(game.crew.usernames) == sorted(player.username for player in players)


def test_players_are_known_even_when_not_all_of_them_could_join(api: ScriptedApi) -> None:
    game = game_of(api, players=3)

    def refuse_the_rest() -> None:
        api.registrations_refused, api.retry_after = 9, "86400"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        game.join(refuse_the_rest)
    assert game.crew.usernames


def test_a_page_that_is_no_scoreboard_is_told(api: ScriptedApi) -> None:
    api.page_only = True
    with pytest.raises(Unreachable, match="no answer of a scoreboard"):
        game_of(api).join(lambda: None)


@pytest.mark.parametrize("url", ["scoreboard", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(Unreachable, match="no URL"):
        Game(url, None, 1, 1.0).join(lambda: None)


def test_an_instance_that_wants_a_ticket_with_every_update_gets_one(api: ScriptedApi) -> None:
    api.ticket_required = True
    api.counted_then_failed = 1
    tally, wrong = played(game_of(api, players=1))
    assert wrong == []
    assert tally.accepted >= 2
    assert set(tally.counted().refused) == {"unavailable"}
    assert len(api.spent) == tally.accepted, "what is sent again goes with the same ticket"
    assert api.count("POST", "/tickets") == tally.accepted, "only the first update has to be told"


def test_a_ticket_that_is_no_good_any_more_is_replaced(api: ScriptedApi) -> None:
    api.ticket_required, api.tickets_refused = True, 1
    (player,) = joined(game_of(api, players=1))
    assert player.score(3, threading.Event()) is None
    assert player.acknowledged == 3
    assert api.count("POST", "/tickets") == 2
    player.scoreboard.close()
