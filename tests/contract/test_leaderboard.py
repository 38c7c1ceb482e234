"""The live board: the script of an update, the exact rate window, rebuilding."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest
import redis

from shared.accounts.player import Role
from shared.accounts.session import Missing
from shared.boards.board import MAIN
from shared.boards.ranking import Position
from shared.boards.redis import BoardCache, Leaderboard
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.core.errors import (
    IdempotencyKeyReused,
    InvalidApiKey,
    LeaderboardRebuilding,
    NotAPlayer,
    RateLimited,
    RedisUnavailable,
    ScoreboardError,
    ScoreOutOfBounds,
    UnknownPlayer,
)
from shared.ledger.events import FirstResult
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from tests.contract.board import API_KEY, SOURCE_IP, WINDOW_MS, Board, Clock

MAX_SCORE = 2**31 - 1  # score_history.new_score is INT


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(redis_client: redis.Redis) -> Board:
    return Board(redis_client)


def test_an_update_answers_score_rank_instant_and_window(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=3, now=clock)
    leader, player = board.player(score=10), board.player()
    accepted = board.update(player, 5, api_key=API_KEY)
    assert (accepted.user_id, accepted.increment, accepted.score, accepted.rank) == (player, 5, 5, 2)
    assert (accepted.accepted_at, accepted.replayed) == (clock.at, False)
    assert accepted.rate_window.headers() == {"RateLimit-Policy": '"updates";q=3;w=60', "RateLimit": '"updates";r=2;t=60'}
    assert board.leaderboard.scores([leader, player]) == {leader: 10, player: 5}


def test_an_accepted_update_waits_in_the_outbox_as_it_was_accepted(board: Board) -> None:
    accepted = board.update(board.player(), 4)
    [event] = board.outbox.pending(0, 10)
    assert (event.outbox_id, event.number) == (accepted.outbox_id, accepted.number)
    assert (event.request_id, event.user_id, event.increment) == (accepted.request_id, accepted.user_id, 4)
    assert (event.new_score, event.accepted_at, event.source_ip) == (4, accepted.accepted_at, SOURCE_IP)


def test_without_a_clock_of_ours_redis_tells_the_time(board: Board) -> None:
    assert abs(board.update(board.player()).accepted_at - datetime.now(UTC)) < timedelta(seconds=60)


def test_what_is_wrong_is_told_in_a_fixed_order(redis_client: redis.Redis) -> None:
    board = Board(redis_client, limit=1)
    player = board.player()
    board.update(player, 1, key="used")
    board.client.delete(board.keys.whole, board.shard.user(player).profile)
    board.client.zrem(board.keys.leaderboard, MAIN.member(player))

    def outcome(api_key: str = "wrong", key: str = "used") -> type[ScoreboardError] | AcceptedUpdate | Missing:
        try:
            return board.try_update(player, 2, api_key=api_key, key=key)
        except ScoreboardError as error:
            return type(error)

    assert outcome() is LeaderboardRebuilding
    board.leaderboard.rebuild([])
    assert outcome() is Missing.EPOCH
    board.open_epoch()
    assert outcome() is Missing.PROFILE
    board.profile(player, role="admin", disabled=True)
    assert outcome() is UnknownPlayer
    board.profile(player, role="admin")
    assert outcome() is NotAPlayer
    board.profile(player)
    assert outcome() is InvalidApiKey
    assert outcome(api_key=API_KEY) is IdempotencyKeyReused
    assert outcome(api_key=API_KEY, key="fresh") is RateLimited
    board.client.delete(board.shard.user(player).requests)
    assert outcome(api_key=API_KEY, key="fresh") is Missing.MEMBER
    board.leaderboard.enter(player)
    assert isinstance(outcome(api_key=API_KEY, key="fresh"), AcceptedUpdate)


@pytest.mark.parametrize(
    ("refusal", "role", "disabled", "api_key"),
    [
        (NotAPlayer, "admin", False, None),
        (UnknownPlayer, "player", True, None),
        (InvalidApiKey, "player", False, "b" * 64),
    ],
)
def test_a_refused_update_changes_nothing(
    board: Board, refusal: type[ScoreboardError], role: Role, disabled: bool, api_key: str | None
) -> None:
    player = board.player(role=role, disabled=disabled, score=7)
    before = board.contents()
    with pytest.raises(refusal):
        board.update(player, api_key=api_key, key="k")
    assert board.contents() == before


@pytest.mark.parametrize("score", [MAX_SCORE - 4, MAX_SCORE, MAX_SCORE + 1, 2**53, 1e300, float("inf"), float("-inf")])
def test_a_score_that_could_not_be_recorded_is_refused_and_changes_nothing(board: Board, score: float) -> None:
    player = board.player()
    board.client.zadd(board.keys.leaderboard, {MAIN.member(player): score})
    before = board.contents()
    with pytest.raises(ScoreOutOfBounds):
        board.update(player, 5, key="k")
    assert board.contents() == before


def test_the_highest_score_is_reached_exactly(board: Board) -> None:
    player = board.player(score=MAX_SCORE - 5)
    assert board.update(player, 5).score == MAX_SCORE


def test_too_many_updates_change_nothing_and_say_when_to_come_back(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=2, now=clock)
    player = board.player()
    board.update(player)
    clock.move(10_500)
    board.update(player)
    clock.move(20_000)
    before = board.contents()
    with pytest.raises(RateLimited) as refused:
        board.update(player)
    assert board.contents() == before
    assert refused.value.retry_after_seconds == 29.5
    assert refused.value.headers == {"RateLimit-Policy": '"updates";q=2;w=60', "RateLimit": '"updates";r=0;t=30'}


def test_the_window_is_exact_at_both_edges(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=2, now=clock)
    player = board.player()
    board.update(player)
    clock.move(WINDOW_MS - 1)
    assert board.update(player).rate_window.remaining == 0, "the first one is in the window for its last millisecond"
    with pytest.raises(RateLimited) as refused:
        board.update(player)
    assert refused.value.retry_after_seconds == 0.001
    clock.move(1)
    accepted = board.update(player)
    assert (accepted.score, accepted.rate_window.remaining) == (3, 0)
    assert accepted.rate_window.reset_seconds == 59.999
    with pytest.raises(RateLimited):
        board.update(player)


def test_refused_updates_do_not_lengthen_the_wait(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=1, now=clock)
    player = board.player()
    board.update(player)
    for _ in range(5):
        clock.move(10_000)
        with pytest.raises(RateLimited):
            board.update(player)
    clock.move(10_000)
    assert board.update(player).score == 2


def test_players_have_windows_of_their_own(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=1, now=clock)
    assert [board.update(board.player()).score for _ in range(3)] == [1, 1, 1]


def test_only_the_result_of_a_key_is_kept(board: Board) -> None:
    player = board.player()
    board.update(player, key="k")
    board.update(player)
    results = list(board.client.scan_iter(f"{board.shard.prefix}user:{player}:result:*", 1000))
    assert len(results) == 1, "an id that nobody can send again is not kept"


def test_a_retry_gets_the_first_result_and_counts_nothing(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=3, now=clock)
    player = board.player()
    first = board.update(player, 3, key="k")
    clock.move(1000)
    board.update(player, 5)
    before = board.contents()
    again = board.update(player, 3, key="k")
    assert (again.score, again.rank, again.accepted_at) == (3, 1, first.accepted_at)
    assert (again.replayed, again.outbox_id, again.number) == (True, first.outbox_id, first.number)
    assert (again.rate_window.remaining, again.rate_window.reset_seconds) == (1, 59)
    assert board.contents() == before


def test_a_retry_is_answered_even_when_the_window_is_full(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=1, now=clock)
    player = board.player()
    board.update(player, 3, key="k")
    again = board.update(player, 3, key="k")
    assert (again.replayed, again.rate_window.remaining) == (True, 0)


def test_an_update_that_is_replayed_is_published_again_while_it_waits_in_the_outbox(board: Board) -> None:
    player = board.player()
    command = ScoreUpdate(str(uuid4()), player, 3, SOURCE_IP, key_id="k")
    board.update(player, 3, key="before")
    first = board.leaderboard.apply(command)
    board.update(player, 3, key="after")
    again = board.leaderboard.apply(ScoreUpdate(str(uuid4()), player, 3, SOURCE_IP, key_id="k"))
    assert isinstance(first, AcceptedUpdate)
    assert isinstance(again, AcceptedUpdate)
    assert (again.replayed, again.request_id) == (True, first.request_id)
    assert (again.outbox_id, again.number) == (first.outbox_id, first.number)
    board.leaderboard.ensure_kept([(command, again)])
    board.client.xdel(board.shard.outbox, first.outbox_id or "")
    again = board.leaderboard.apply(ScoreUpdate(str(uuid4()), player, 3, SOURCE_IP, key_id="k"))
    assert isinstance(again, AcceptedUpdate)
    assert (again.replayed, again.outbox_id, again.number) == (True, None, None)


def test_an_update_is_kept_until_redis_has_lost_it(board: Board) -> None:
    player = board.player()
    command = ScoreUpdate(str(uuid4()), player, 3, SOURCE_IP, key_id="k")
    first, again = board.leaderboard.apply(command), board.leaderboard.apply(command)
    assert isinstance(first, AcceptedUpdate)
    assert isinstance(again, AcceptedUpdate)
    assert again.replayed
    for accepted in (first, again):
        board.leaderboard.ensure_kept([(command, accepted)])
    board.client.hdel(board.keys.numbers, "open")
    with pytest.raises(RedisUnavailable):
        board.leaderboard.ensure_kept([(command, first)])
    board.open_epoch()
    with pytest.raises(RedisUnavailable):
        board.leaderboard.ensure_kept([(command, first)])
    board.leaderboard.ensure_kept([(command, again)])
    board.client.delete(board.shard.user(player).result("k"))
    with pytest.raises(RedisUnavailable):
        board.leaderboard.ensure_kept([(command, again)])


def test_what_was_accepted_together_is_asked_about_once(board: Board) -> None:
    updates = [ScoreUpdate(str(uuid4()), board.player(), 3, SOURCE_IP) for _ in range(5)]
    done = [(update, answer) for update in updates if isinstance(answer := board.leaderboard.apply(update), AcceptedUpdate)]
    assert len(done) == 5
    board.client.config_resetstat()
    board.leaderboard.ensure_kept([])
    board.leaderboard.ensure_kept(done)
    assert board.client.info("commandstats")["cmdstat_hmget"]["calls"] == 1


def test_a_key_with_another_increment_is_refused_and_changes_nothing(board: Board) -> None:
    player = board.player()
    board.update(player, 3, key="k")
    before = board.contents()
    with pytest.raises(IdempotencyKeyReused):
        board.update(player, 4, key="k")
    assert board.contents() == before


def test_the_keys_of_two_players_are_not_the_same(board: Board) -> None:
    assert [board.update(board.player(), 2, key="k").replayed for _ in range(2)] == [False, False]


def test_racing_increments_lose_nothing(redis_client: redis.Redis) -> None:
    board = Board(redis_client, limit=1000)
    players = [board.player() for _ in range(3)]
    with ThreadPoolExecutor(32) as threads:
        accepted = list(threads.map(lambda n: board.update(players[n % 3], n % 5 + 1), range(300)))
    totals = {player: sum(n % 5 + 1 for n in range(300) if players[n % 3] == player) for player in players}
    assert board.leaderboard.scores(players) == totals
    assert len({(update.user_id, update.score) for update in accepted}) == 300, "no score was answered twice"
    entries = board.outbox.pending(0, 1000)
    assert {event.outbox_id for event in entries} == {update.outbox_id for update in accepted}
    for player in players:
        own = [event for event in entries if event.user_id == player]
        assert [event.new_score for event in own] == sorted(event.new_score for event in own)
        assert sum(event.increment for event in own) == totals[player]


def test_racing_retries_count_once(board: Board) -> None:
    player = board.player()
    with ThreadPoolExecutor(32) as threads:
        accepted = list(threads.map(lambda _: board.update(player, 4, key="k"), range(60)))
    assert {(update.score, update.rank) for update in accepted} == {(4, 1)}
    assert sum(not update.replayed for update in accepted) == 1
    assert board.leaderboard.scores([player]) == {player: 4}
    assert len(board.outbox.pending(0, 10)) == 1


def test_an_update_is_one_round_trip(redis_url: str, board: Board) -> None:
    player = board.player()
    board.update(player)
    observer = connect(redis_url, 1)
    observer.ping()

    def reads_and_scripts() -> tuple[int, int]:
        stats, commands = observer.info("stats", "commandstats"), observer.info("commandstats")
        return int(stats["total_reads_processed"]), int(commands["cmdstat_evalsha"]["calls"])

    reads, scripts = reads_and_scripts()
    nothing_but_us = reads_and_scripts()[0] - reads
    before = reads_and_scripts()
    for _ in range(20):
        board.update(player)
    after = reads_and_scripts()
    observer.close()
    assert (after[0] - before[0] - nothing_but_us, after[1] - scripts) == (20, 20)


def test_a_script_that_redis_forgot_is_sent_again(board: Board) -> None:
    player = board.player()
    board.update(player)
    board.client.script_flush()
    assert board.update(player).score == 2


def test_a_board_that_is_not_whole_takes_no_updates(board: Board) -> None:
    player = board.player(score=3)
    assert board.leaderboard.is_whole()
    board.client.delete(board.keys.whole)
    assert not board.leaderboard.is_whole()
    before = board.contents()
    with pytest.raises(LeaderboardRebuilding):
        board.update(player)
    assert board.contents() == before


def test_a_rebuilt_board_holds_the_totals_and_takes_updates(board: Board) -> None:
    scorer, newcomer = str(uuid4()), str(uuid4())
    board.client.delete(*board.contents())
    assert board.rebuild(iter([{scorer: 41}, {newcomer: 0}])) == 2
    assert board.leaderboard.is_whole()
    board.profile(scorer)
    assert board.update(scorer).score == 42
    assert board.scores() == {scorer: 42, newcomer: 0}


def test_very_many_players_are_rebuilt_even_twice_at_once(board: Board) -> None:
    points = {f"p-{number:05}": number for number in range(10_001)}
    pages = [dict(list(points.items())[start : start + 1000]) for start in range(0, len(points), 1000)]
    board.client.delete(*board.contents())
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(board.leaderboard.rebuild, [pages, pages])) == [len(points)] * 2
    assert board.scores() == points
    assert not list(board.client.scan_iter(f"{board.shard.prefix}*rebuild*")), "no board is left halfway"


def test_a_slower_rebuild_does_not_undo_the_updates_since_a_faster_one(board: Board) -> None:
    player = str(uuid4())
    board.client.delete(*board.contents())

    def slow_pages() -> Iterator[dict[str, int]]:
        yield {player: 41}
        board.rebuild([{player: 41}])
        board.profile(player)
        assert board.update(player).score == 42

    assert board.leaderboard.rebuild(slow_pages()) == 1
    assert board.scores() == {player: 42}


def test_one_who_registers_during_a_rebuild_stands_on_the_board_after_it(board: Board) -> None:
    player, newcomer = str(uuid4()), str(uuid4())
    board.client.delete(*board.contents())

    def pages() -> Iterator[dict[str, int]]:
        yield {player: 41}
        board.leaderboard.enter(newcomer)

    board.leaderboard.rebuild(pages())
    assert board.scores() == {player: 41, newcomer: 0}


def test_a_board_that_is_not_whole_shows_nobody_a_wrong_place(board: Board) -> None:
    player = board.player(score=3)
    board.client.delete(board.keys.whole)
    board.client.zrem(board.keys.leaderboard, MAIN.member(player))
    with pytest.raises(LeaderboardRebuilding):
        board.leaderboard.top(10)


def test_one_of_many_who_find_the_board_empty_asks_for_its_rebuild(board: Board) -> None:
    with ThreadPoolExecutor(8) as threads:
        asked = list(threads.map(lambda _: board.leaderboard.ask_for_rebuild(), range(8)))
    assert sorted(asked) == [False] * 7 + [True]
    assert board.client.pttl(board.keys.rebuild_asked) in {-2, *range(1, 5001)}, "it is over, or will be"
    board.client.set(board.keys.rebuild_asked, 1)
    board.client.pexpire(board.keys.rebuild_asked, 3_600_000)  # the clock was set back
    assert board.leaderboard.ask_for_rebuild()
    assert not board.leaderboard.ask_for_rebuild()


def test_after_a_rebuild_the_ledger_is_asked_for_a_key_that_is_not_known_here(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, now=clock)
    player = board.player()
    board.client.delete(board.keys.whole)
    board.rebuild([{player: 7}])
    clock.move(1000)
    update = ScoreUpdate("r-1", player, 2, SOURCE_IP, None, "key")
    assert board.leaderboard.apply(update) is Missing.HISTORY
    assert isinstance(board.try_update(player), AcceptedUpdate), "one without a key cannot be sent again"
    board.leaderboard.remember([FirstResult("key", "r-1", player, 2, 6, 3, clock.at)])
    replayed = board.leaderboard.apply(update)
    assert isinstance(replayed, AcceptedUpdate)
    assert (replayed.score, replayed.rank, replayed.replayed, replayed.outbox_id) == (6, 3, True, None)
    other = ScoreUpdate("r-2", player, 2, SOURCE_IP, None, "another key")
    accepted = board.leaderboard.apply(other, not_in_ledger=True)
    assert isinstance(accepted, AcceptedUpdate)
    assert (accepted.score, accepted.replayed) == (10, False)
    clock.move(24 * 3600 * 1000)
    board.profile(player)
    assert isinstance(board.update(player, key="the next day"), AcceptedUpdate)


def test_a_clock_that_goes_back_locks_out_for_a_window_at_most_and_allows_no_more(
    redis_client: redis.Redis, clock: Clock
) -> None:
    board = Board(redis_client, limit=2, now=clock)
    player = board.player()
    for _ in range(2):
        board.update(player)
    clock.move(-3_600_000)
    with pytest.raises(RateLimited) as refused:
        board.update(player)
    assert refused.value.retry_after_seconds == 60
    clock.move(59_999)
    with pytest.raises(RateLimited):
        board.update(player)
    clock.move(1)
    assert board.update(player).score == 3


def test_a_player_without_a_member_is_asked_for_and_counted_afterwards(board: Board) -> None:
    player = str(uuid4())
    board.profile(player)
    before = board.contents()
    assert board.try_update(player) is Missing.MEMBER
    assert board.contents() == before
    board.leaderboard.enter(player)
    assert board.update(player).score == 1
    board.leaderboard.enter(player)
    assert board.leaderboard.scores([player, "nobody"]) == {player: 1}
    assert board.leaderboard.scores([]) == {}


def test_the_best_stand_first_and_of_equals_the_greater_id(board: Board) -> None:
    for user_id, score in {"b": 5, "a": 5, "c": 9, "d": 0}.items():
        board.set(user_id, score)
    assert board.leaderboard.top(3).positions == [Position("c", 1, 9), Position("b", 2, 5), Position("a", 3, 5)]
    assert board.leaderboard.top(10).positions[-1] == Position("d", 4, 0)


def test_a_redis_that_is_away_is_told_so() -> None:
    away = Leaderboard(
        connect("redis://127.0.0.1:1/0"), MAIN, MAIN.keys(ShardKeys()), ShardKeys(), rate_limit_requests=1, rate_window_seconds=1
    )
    for ask in (
        away.is_whole,
        away.ask_for_rebuild,
        lambda: away.top(1),
        lambda: away.apply(ScoreUpdate("r", "u", 1, SOURCE_IP)),
    ):
        with pytest.raises(RedisUnavailable):
            ask()


def hidden(board: Board) -> dict[str, int]:
    rows = cast("list[tuple[bytes, float]]", board.client.zrange(board.keys.hidden, 0, -1, withscores=True))
    return {MAIN.user_id_of(member.decode()): int(score) for member, score in rows}


def test_a_hidden_player_keeps_every_point_and_stands_nowhere(board: Board) -> None:
    first, second = board.player(score=9), board.player(score=5)
    assert board.leaderboard.hide([first, "never-there"]) == 1
    assert (board.scores(), hidden(board)) == ({second: 5}, {first: 9, "never-there": 0})
    assert [(place.user_id, place.rank) for place in board.leaderboard.top(10).positions] == [(second, 1)]
    assert board.leaderboard.hide([first]) == 0
    board.leaderboard.enter(first)
    assert first not in board.scores(), "who is hidden does not enter"
    assert board.try_update(first) is Missing.MEMBER
    assert board.leaderboard.show([first, second, "nobody"]) == 1
    assert (board.scores(), hidden(board)) == ({first: 9, second: 5}, {"never-there": 0})


def test_who_stands_on_both_has_the_points_of_both(board: Board) -> None:
    player = board.player(score=9)
    board.client.zadd(board.keys.hidden, {MAIN.member(player): 4})
    assert board.leaderboard.hide([player]) == 1
    assert (board.scores(), hidden(board)) == ({}, {player: 13})
    board.set(player, 2)
    assert board.leaderboard.show([player]) == 1
    assert (board.scores(), hidden(board)) == ({player: 15}, {})


def test_prepared_boards_go_when_somebody_moves_and_at_no_other_time(board: Board) -> None:
    player, cache = board.player(score=1), BoardCache(board.client, board.keys)
    sizes = (MAIN.top, MAIN.max_top)
    for move, are_left in (("enter", True), ("show", True), ("hide", False), ("hide", True), ("show", False)):
        for size in sizes:
            cache.put(size, b"{}")
        getattr(board.leaderboard, move)(player if move == "enter" else [player])
        assert [cache.get(size) is not None for size in sizes] == [are_left] * 2, move


def test_very_many_players_are_hidden_in_steps(board: Board) -> None:
    points = {f"p-{number:05}": number for number in range(2_500)}
    board.client.delete(*board.contents())
    board.rebuild([points])
    assert board.leaderboard.hide(points) == len(points)
    assert (board.scores(), hidden(board)) == ({}, points)


def test_a_rebuilt_board_has_its_disabled_players_hidden(board: Board) -> None:
    player, banned, newcomer, unknown = (str(uuid4()) for _ in range(4))
    board.client.delete(*board.contents())
    board.client.zadd(board.keys.hidden, {"user:from-before": 3})

    def disabled() -> Iterator[list[str]]:
        board.leaderboard.enter(newcomer)
        board.leaderboard.enter(banned)
        yield [banned, unknown]

    assert board.leaderboard.rebuild([{player: 41, banned: 7}], disabled()) == 2
    assert (board.scores(), hidden(board)) == ({player: 41, newcomer: 0}, {banned: 7})
    assert board.client.ttl(board.keys.hidden) == -1
    assert not list(board.client.scan_iter(f"{board.shard.prefix}*rebuild*"))
