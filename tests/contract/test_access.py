"""Who may come in: ended sessions and cached profiles in Redis, and the database they come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import uuid4

import pytest
import redis

from shared.accounts.player import Caller, Profile
from shared.accounts.redis import Access
from shared.accounts.session import Admission, EndedSession, Missing, Question
from shared.boards.board import MAIN
from shared.boards.ranking import Places, Position
from shared.boards.redis import BoardCache
from shared.core.errors import LeaderboardRebuilding, SessionEnded, UnknownPlayer
from tests.contract.board import API_KEY, Board

NOW = datetime.now(UTC)
T = TypeVar("T")


@pytest.fixture
def board(redis_client: redis.Redis) -> Board:
    return Board(redis_client)


@pytest.fixture
def access(board: Board) -> Access:
    return Access(board.client, board.shard)


@pytest.fixture
def caller(board: Board, access: Access) -> Caller:
    """One who may come in."""
    access.restore([])
    return Caller(board.player(), "player", NOW + timedelta(minutes=15), str(uuid4()))


def asked(access: Access, caller: Caller, question: Question[T]) -> T:
    """The answer to somebody who may come in."""
    admission = access.admit(caller, question)
    assert isinstance(admission, Admission)
    return question.read(admission.answer)


def test_the_role_is_the_accounts_not_the_tokens(board: Board, access: Access, caller: Caller) -> None:
    assert access.admit(replace(caller, role="admin")) == Admission("player")
    board.profile(caller.user_id, role="admin")
    assert access.admit(caller) == Admission("admin")


def test_the_prepared_board_comes_along(board: Board, access: Access, caller: Caller) -> None:
    cache = BoardCache(board.client, board.keys)
    assert asked(access, caller, cache.cached(10)) is None
    cache.put(10, b"document")
    assert asked(access, caller, cache.cached(10)) == cache.get(10) == b"document"
    assert asked(access, caller, cache.cached(100)) is None
    board.client.pexpire(board.keys.cached_top(10), 3_600_000)  # the clock was set back
    assert asked(access, caller, cache.cached(10)) is cache.get(10) is None


@pytest.mark.parametrize(
    ("user_id", "neighbours", "expected"),
    [
        ("p1", 2, [1, 2, 3]),
        ("p5", 2, [3, 4, 5, 6, 7]),
        ("p9", 2, [7, 8, 9]),
        ("p5", 0, [5]),
        ("p5", 50, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("nobody", 2, []),
    ],
)
def test_a_place_comes_along_with_those_on_both_sides_as_far_as_there_are_any(
    board: Board, access: Access, caller: Caller, user_id: str, neighbours: int, expected: list[int]
) -> None:
    for place in range(1, 10):
        board.set(f"p{place}", 100 - place)
    board.client.zrem(board.keys.leaderboard, MAIN.member(caller.user_id))
    positions = [Position(f"p{n}", n, 100 - n) for n in expected]
    [(noted_at, _)] = cast("Any", board.client).xrange(board.shard.changed_profiles)
    noted = (noted_at.decode(), caller.user_id)
    assert asked(access, caller, board.leaderboard.places(user_id, neighbours)) == (
        Places(positions, "", [noted]) if positions else None
    )


def test_a_board_that_is_not_whole_shows_nobody_a_wrong_place(board: Board, access: Access, caller: Caller) -> None:
    board.client.delete(board.keys.whole)
    with pytest.raises(LeaderboardRebuilding):
        asked(access, caller, board.leaderboard.places(caller.user_id, 2))
    assert access.admit(caller) == Admission("player")
    access.end([EndedSession(caller.session_id, NOW)])
    with pytest.raises(SessionEnded):
        asked(access, caller, board.leaderboard.places(caller.user_id, 2))


def test_a_session_that_ended_is_over_and_no_other(access: Access, caller: Caller) -> None:
    access.end([EndedSession(caller.session_id, NOW)])
    with pytest.raises(SessionEnded):
        access.admit(caller)
    assert access.admit(replace(caller, session_id=str(uuid4()))) == Admission("player")


def test_a_disabled_account_stays_outside(board: Board, access: Access, caller: Caller) -> None:
    board.profile(caller.user_id, disabled=True)
    with pytest.raises(UnknownPlayer):
        access.admit(caller)


def test_an_empty_redis_admits_nobody_before_it_knows_which_sessions_ended(board: Board, access: Access, caller: Caller) -> None:
    board.client.delete(board.shard.ended_sessions)
    assert access.admit(caller) is Missing.SESSIONS
    assert board.try_update(caller.user_id, session_id=caller.session_id) is Missing.SESSIONS
    access.end([EndedSession(str(uuid4()), NOW)])
    assert access.admit(caller) is Missing.SESSIONS, "one that was added is not all of them"
    ended = [EndedSession(str(uuid4()), NOW) for _ in range(2500)]
    access.restore(ended)
    assert access.admit(caller) == Admission("player")
    for one in (ended[0], ended[-1]):
        with pytest.raises(SessionEnded):
            access.admit(replace(caller, session_id=one.session_id))


def test_a_token_of_no_session_of_ours_is_not_asked_for_one(board: Board, access: Access, caller: Caller) -> None:
    board.client.delete(board.shard.ended_sessions)
    assert access.admit(replace(caller, session_id="")) == Admission("player")


def test_one_without_an_account_is_a_player_whatever_the_token_says(access: Access, caller: Caller) -> None:
    stranger = replace(caller, user_id=str(uuid4()), role="admin")
    assert access.admit(stranger) is Missing.PROFILE
    assert access.admit(stranger, no_account=True) == Admission("player")


def test_the_script_of_an_update_asks_the_same(board: Board, access: Access, caller: Caller) -> None:
    assert board.update(caller.user_id, 3, session_id=caller.session_id).score == 3
    access.end([EndedSession(caller.session_id, NOW)])
    before = board.contents()
    with pytest.raises(SessionEnded):
        board.try_update(caller.user_id, 3, session_id=caller.session_id)
    assert board.contents() == before
    assert board.update(caller.user_id, 1, session_id=str(uuid4())).score == 4


def test_ended_sessions_never_expire_by_themselves_and_are_forgotten_when_their_tokens_are_dead(
    board: Board, access: Access, caller: Caller
) -> None:
    now = datetime.now(UTC)
    old = EndedSession(str(uuid4()), now - timedelta(minutes=17))
    young = EndedSession(str(uuid4()), now - timedelta(minutes=12))
    access.end([old, young])
    assert board.client.ttl(board.shard.ended_sessions) == -1
    assert access.forget() == 1
    assert access.forget() == 0
    with pytest.raises(SessionEnded):
        access.admit(replace(caller, session_id=young.session_id))
    assert access.admit(replace(caller, session_id=old.session_id)) == Admission("player")


def test_a_profile_that_was_read_does_not_replace_one_that_has_changed_since(board: Board) -> None:
    user_id = board.player()
    read = Profile(user_id, "Ada", "player", API_KEY)
    board.profiles.replace(replace(read, role="admin", disabled=True))
    board.profiles.put_many([read, replace(read, user_id="another")])
    found = board.profiles.get_many([user_id, "another"])
    assert found == {user_id: replace(read, role="admin", disabled=True), "another": replace(read, user_id="another")}
    for known in found:
        assert 0 < board.client.ttl(board.shard.user(known).profile) <= 60


def test_a_question_whose_script_redis_does_not_know_is_answered(board: Board, access: Access, caller: Caller) -> None:
    for _ in range(2):
        board.client.script_flush()
        found = asked(access, caller, board.leaderboard.places(caller.user_id, 2))
        assert found is not None
        assert [position.user_id for position in found.positions] == [caller.user_id]


def test_an_error_of_the_question_is_an_error_and_only_for_who_may_come_in(board: Board, access: Access, caller: Caller) -> None:
    board.client.delete(board.keys.leaderboard)
    board.client.set(board.keys.leaderboard, "something else")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        access.admit(caller, board.leaderboard.places(caller.user_id, 2))
    access.end([EndedSession(caller.session_id, NOW)])
    with pytest.raises(SessionEnded):
        access.admit(caller, board.leaderboard.places(caller.user_id, 2))


def test_asking_is_one_round_trip(redis_client: redis.Redis, board: Board, access: Access, caller: Caller) -> None:
    client: Any = redis_client
    questions = [None, BoardCache(client, board.keys).cached(10), board.leaderboard.places("nobody", 2)]
    for question in questions:
        access.admit(caller, question)

    class Counting:
        calls = 0

        def execute_command(self, *words: Any) -> Any:
            self.calls += 1
            return client.execute_command(*words)

        def ask_together(self, *commands: tuple[Any, ...]) -> list[Any]:
            self.calls += 1
            return client.ask_together(*commands)  # type: ignore[no-any-return]

    for question in questions:
        counting = Counting()
        Access(cast("Any", counting), board.shard).admit(caller, question)
        assert counting.calls == 1
