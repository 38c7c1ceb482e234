"""Boards beside `main`, live where API Gateway holds the sockets: answers and frames are posted."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from local_runtime.gateway.websocket.limits import MAX_FRAME_BYTES
from shared.accounts.session import EndedSession
from shared.container import Container
from shared.stores.actor import Actor
from shared.viewers.view import MAX_SUBSCRIPTIONS
from tests.handlers.board_rows import RowBoard, Standing
from tests.handlers.conftest import Cloud, Redeploy
from tests.handlers.events import call, invoke, websocket_event
from tests.handlers.players import Player, add_account, delivered, new_player
from tests.handlers.test_broadcast_views import tell
from tests.support import aws
from tests.support.product import query

pytestmark = pytest.mark.usefixtures("nothing_public")
RECEIVED = {"statusCode": 200, "headers": {}}


class Viewer:
    """A connection that API Gateway holds."""

    def __init__(self, api: aws.Connections, name: str, headers: dict[str, str] | None, query: dict[str, str] | None) -> None:
        self.api, self.connection_id = api, api.connect(name)
        event = websocket_event("$connect", connection_id=name, headers=headers, query=query)
        assert invoke("ws_connect", event)["statusCode"] == 200
        self._taken = 0

    def send(self, message: object) -> Any:
        """What the function answers, which API Gateway drops."""
        text = message if isinstance(message, str) else json.dumps(message)
        return invoke("ws_message", websocket_event("$default", connection_id=self.connection_id, body=text))

    def subscribe(self, board_id: str, message_id: str = "1", top: int = 10, **members: str) -> Any:
        """The one message that is the answer."""
        message = {"type": "subscribe", "id": message_id, "board": board_id, "view": {"top": top}, **members}
        self.send(message)
        return self.one()

    def told(self) -> list[Any]:
        """What came since it was last asked, of `main` nothing."""
        frames = self.api.frames(self.connection_id)
        new, self._taken = frames[self._taken :], len(frames)
        return [frame for frame in new if "board" in frame or frame["type"] != "leaderboard"]

    def one(self) -> Any:
        """The only message that came."""
        [message] = self.told()
        return message

    def leave(self) -> None:
        """The connection ends."""
        self.api.open.discard(self.connection_id)
        invoke("ws_disconnect", websocket_event("$disconnect", connection_id=self.connection_id))


@pytest.fixture
def api(cloud: Cloud) -> aws.Connections:
    return cloud[0]


@pytest.fixture
def deps(cloud: Cloud) -> Container:
    return cloud[1]


@pytest.fixture
def player(deps: Container) -> Player:
    return new_player(deps)


def watching(api: aws.Connections, player: Player, name: str = "viewer=") -> Viewer:
    return Viewer(api, name, player.authorization, None)


def guest_of(api: aws.Connections, name: str = "guest=") -> Viewer:
    ticket = call("issue_ws_ticket", "POST /api/ws-tickets", source_ip="203.0.113.9").data["ticket"]
    return Viewer(api, name, None, {"ticket": ticket})


def keys_of_views(deps: Container) -> list[str]:
    """What is kept of viewers and what they watch, without the shards of `main` and what is there for all."""
    client: Any = deps._redis
    found = [
        key.decode().removeprefix(deps.settings.key_prefix) for key in client.scan_iter(f"{deps.settings.key_prefix}viewer*")
    ]
    return [key for key in found if (":view:" in key and not key.endswith((":frame", ":round"))) or key.startswith("viewer:")]


def scores(frame: Any) -> list[int]:
    return [row["score"] for row in frame["data"]]


def test_the_answer_is_posted_and_every_change_follows_until_the_end(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    board = RowBoard(deps, periods=[{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}])
    board.put(Standing(player.user_id, 3))
    viewer = watching(api, player)
    answer = viewer.subscribe(board.board_id, "a b/é")
    assert (answer["board"], answer["period"], answer["season"], answer["id"]) == (board.board_id, "all_time", 1, "a b/é")
    assert scores(answer) == [3]
    assert viewer.subscribe(board.board_id, "w", period="weekly")["data"] == []
    board.put(Standing(player.user_id, 4))
    tell(deps, (board.board_id,))
    frame = viewer.one()
    assert list(frame) == ["type", "version", "board", "period", "season", "data", "cache_time"]
    assert (frame["period"], scores(frame)) == ("all_time", [4, 3])
    assert frame["version"] > answer["version"]
    viewer.send({"type": "unsubscribe", "id": "a b/é"})
    assert viewer.one() == {"type": "unsubscribed", "id": "a b/é"}
    board.put(Standing(player.user_id, 5))
    board.put(Standing(player.user_id, 1), period="weekly")
    tell(deps, (board.board_id,))
    assert viewer.one()["period"] == "weekly"


def test_what_did_not_change_is_not_posted_again(api: aws.Connections, deps: Container, player: Player) -> None:
    board, other = RowBoard(deps), new_player(deps)
    board.put(Standing(player.user_id, 9))
    first, second = watching(api, player, "first="), watching(api, player, "second=")
    answers = [viewer.subscribe(board.board_id, top=1) for viewer in (first, second)]
    assert answers[0]["version"] == answers[1]["version"]
    board.put(Standing(other.user_id, 1))  # behind the first row
    tell(deps, (board.board_id,))
    assert first.told() == second.told() == []
    board.put(Standing(other.user_id, 10))
    tell(deps, (board.board_id,))
    frames = [first.one(), second.one()]
    assert frames[0] == frames[1]
    assert scores(frames[0]) == [10]


def test_no_message_is_larger_than_a_frame_of_api_gateway(api: aws.Connections, deps: Container, player: Player) -> None:
    """API Gateway ends a connection that is posted more at once; the last rows are left out then."""
    board = RowBoard(deps)
    crowd = [add_account(deps, str(uuid4())).user_id for _ in range(100)]
    query(
        deps.settings.database_url,
        "UPDATE users SET display_name = :name WHERE user_id = ANY(CAST(:crowd AS text[]))",
        name="\U0001f9d9" * 50,
        crowd=crowd,
    )
    for score, user_id in enumerate(crowd):
        board.put(Standing(user_id, score))
    viewer = watching(api, player)
    answer = viewer.subscribe(board.board_id, "\U0001f9d9" * 64, top=100)
    board.put(Standing(player.user_id, 200))
    tell(deps, (board.board_id,))
    frame = viewer.one()
    assert max(map(len, api.received[viewer.connection_id])) <= MAX_FRAME_BYTES
    assert scores(answer) == list(range(99, 99 - len(answer["data"]), -1))
    assert scores(frame) == [200, *scores(answer)[: len(frame["data"]) - 1]]
    assert 80 < len(answer["data"]) <= len(frame["data"]) < 100


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"board": "no-such-board"}, "unknown_board"),
        ({"view": {"top": 0}}, "invalid_parameter"),
        ({"type": "unsubscribe"}, "invalid_parameter"),
        ({"padding": "x" * 5000}, "payload_too_large"),
    ],
)
def test_refusals_are_posted(
    api: aws.Connections, deps: Container, player: Player, message: dict[str, object], code: str
) -> None:
    viewer = watching(api, player)
    viewer.send({"type": "subscribe", "id": "1", "board": RowBoard(deps).board_id, "view": {"top": 1}, **message})
    refusal = viewer.one()
    assert (refusal["type"], refusal["id"], refusal["code"]) == ("error", "1", code)
    assert refusal["status"] >= 400
    assert refusal["detail"]


@pytest.mark.parametrize("message", ["", "no json", "[]", '{"type": "ping"}'])
def test_whatever_else_is_sent_is_not_answered(api: aws.Connections, player: Player, message: str) -> None:
    viewer = watching(api, player)
    posts = api.requests
    assert viewer.send(message) == RECEIVED
    assert api.requests == posts


def test_a_connection_watches_ten_boards_and_may_change_one_of_them(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    one, other, viewer = RowBoard(deps), RowBoard(deps), watching(api, player)
    for number in range(MAX_SUBSCRIPTIONS):
        assert viewer.subscribe(one.board_id, str(number), top=number + 1)["id"] == str(number)
    assert viewer.subscribe(one.board_id, "one too many")["code"] == "too_many_requests"
    assert viewer.subscribe(other.board_id, "0")["board"] == other.board_id
    one.put(Standing(player.user_id, 3))
    other.put(Standing(player.user_id, 4))
    tell(deps, (one.board_id, other.board_id))
    assert sorted(frame["board"] for frame in viewer.told()) == sorted([*[one.board_id] * 9, other.board_id])


def test_two_subscriptions_to_one_view_are_sent_one_frame_until_both_have_ended(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    viewer.subscribe(board.board_id, "a")
    viewer.subscribe(board.board_id, "b")
    for ended, frames in (("a", 1), ("b", 0)):
        viewer.send({"type": "unsubscribe", "id": ended})
        viewer.told()
        board.put(Standing(player.user_id, 1 + frames))
        tell(deps, (board.board_id,))
        assert len(viewer.told()) == frames


def test_a_guest_watches_public_boards_only_and_hears_nothing_of_main(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    public, private = RowBoard(deps, public=True), RowBoard(deps)
    guest, viewer = guest_of(api), watching(api, player)
    assert guest.subscribe(private.board_id)["code"] == "missing_token"
    assert guest.subscribe("no-such-board")["code"] == "missing_token"
    assert guest.subscribe(public.board_id, "public")["data"] == []
    assert viewer.subscribe(private.board_id)["data"] == []
    for board in (public, private):
        board.put(Standing(player.user_id, 2))
    tell(deps, ("main", public.board_id, private.board_id))
    assert [frame.get("board") for frame in api.frames(guest.connection_id)[3:]] == [public.board_id]
    assert {frame.get("board") for frame in api.frames(viewer.connection_id)[1:]} == {None, private.board_id}


def test_views_that_are_no_more_end_with_a_reason_that_is_posted_once(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    board = RowBoard(deps, public=True, periods=[{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}])
    guest, viewer = guest_of(api), watching(api, player)
    for each in (guest, viewer):
        each.subscribe(board.board_id, "1")
    viewer.subscribe(board.board_id, "w", period="weekly")
    board.define(public=True)
    tell(deps, (board.board_id,))
    ended = viewer.one()
    about = {"type": "error", "board": board.board_id, "period": "weekly", "code": "invalid_parameter"}
    assert {name: ended[name] for name in about} == about
    board.define()
    tell(deps, (board.board_id,))
    assert guest.one()["code"] == "missing_token"
    assert viewer.told() == [], "with a token it is watched on"
    deps.boards.delete(board.board_id, Actor("operator"))
    deps.known_boards.redefined(board.board_id)
    for _ in range(2):
        tell(deps, (board.board_id,))
    assert viewer.one()["code"] == "unknown_board"
    assert guest.told() == []
    assert [key for key in keys_of_views(deps) if ":view:" in key] == []


def test_who_leaves_is_forgotten(api: aws.Connections, deps: Container, player: Player) -> None:
    board, stays, leaves = RowBoard(deps), watching(api, player, "stays="), watching(api, player, "leaves=")
    for viewer in (stays, leaves):
        viewer.subscribe(board.board_id)
    before = len(keys_of_views(deps))
    leaves.leave()
    board.put(Standing(player.user_id, 3))
    tell(deps, (board.board_id,))
    assert leaves.told() == []
    assert scores(stays.one()) == [3]
    assert len(keys_of_views(deps)) < before
    stays.leave()
    assert keys_of_views(deps) == []


def test_who_is_gone_without_a_word_is_forgotten_with_a_post(api: aws.Connections, deps: Container, player: Player) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    viewer.subscribe(board.board_id, "1")
    viewer.subscribe(board.board_id, "2", top=1)
    api.open.clear()
    board.put(Standing(player.user_id, 3))
    tell(deps, (board.board_id,))
    assert keys_of_views(deps) == []
    gone = watching(api, player, "gone=")
    api.open.clear()
    gone.send({"type": "subscribe", "id": "1", "board": board.board_id, "view": {"top": 1}})
    assert keys_of_views(deps) == []


def test_a_session_that_ends_takes_the_subscriptions_with_it(api: aws.Connections, deps: Container, player: Player) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    viewer.subscribe(board.board_id)
    caller = deps.identify(player.access_token)
    deps.access.end([EndedSession(caller.session_id, deps.clock.now())])
    deps.viewers.dismiss(player.user_id, [caller.session_id], deps.clock.now())
    board.put(Standing(player.user_id, 3))
    tell(deps, (board.board_id,))
    assert viewer.told() == []
    assert viewer.subscribe(board.board_id)["code"] == "token_expired"
    assert invoke("sweep_viewers", {}) == {"ended": 1}
    assert api.open == set()
    assert keys_of_views(deps) == []


def test_a_guest_whose_session_is_over_is_told_nothing_more_and_swept(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    board = RowBoard(deps, public=True)
    guest = guest_of(api)
    guest.subscribe(board.board_id)
    client: Any = deps._redis
    client.hset(deps._shard.viewer(guest.connection_id), "ends_at", 1)
    client.zadd(deps._shard.quiet_viewers, {guest.connection_id: 1})
    assert guest.subscribe(board.board_id)["code"] == "token_expired"
    assert invoke("sweep_viewers", {}) == {"ended": 1}
    assert api.open == set()
    assert keys_of_views(deps) == []


def test_a_change_while_the_answer_is_under_way_is_seen_afterwards_and_never_before_it(
    api: aws.Connections, deps: Container, player: Player
) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    board.put(Standing(player.user_id, 1))

    def meanwhile(_: str) -> None:
        api.verdict = lambda _: None
        board.put(Standing(player.user_id, 2))
        tell(deps, (board.board_id,))  # nobody is posted to: the subscription begins behind its answer

    with delivered(deps, "score_updated_queue") as messages:
        api.verdict = meanwhile
        assert scores(viewer.subscribe(board.board_id, top=1)) == [1]
        assert deps.board_views is not None
        assert deps.board_views.behind() == [board.board_id]
        changes = [deps.event_codec.open_recorded(body).boards for body in messages(1)]
    assert (board.board_id,) in changes, "a broadcast was asked for"
    tell(deps, (board.board_id,))
    assert scores(viewer.one()) == [2]


@pytest.mark.parametrize("status", [429, 500, 0], ids=["too many requests", "error", "no answer"])
def test_posts_that_fail_are_made_again(api: aws.Connections, deps: Container, player: Player, status: int) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    refusals = [status] * 2
    api.verdict = lambda _: refusals.pop() if refusals else None
    assert viewer.subscribe(board.board_id)["data"] == []
    refusals += [status] * 2
    board.put(Standing(player.user_id, 3))
    tell(deps, (board.board_id,))
    assert scores(viewer.one()) == [3]
    assert refusals == []


def test_an_answer_that_cannot_be_posted_begins_no_subscription(api: aws.Connections, deps: Container, player: Player) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    api.verdict = lambda _: 403
    answer = viewer.send({"type": "subscribe", "id": "1", "board": board.board_id, "view": {"top": 1}})
    assert answer["statusCode"] == 503
    api.verdict = lambda _: None
    board.put(Standing(player.user_id, 3))
    tell(deps, (board.board_id,))
    assert viewer.told() == []


def test_a_sweep_has_those_served_whom_a_crash_left_waiting(api: aws.Connections, deps: Container, player: Player) -> None:
    board, viewer = RowBoard(deps), watching(api, player)
    viewer.subscribe(board.board_id)
    tell(deps, ("main",))
    board.put(Standing(player.user_id, 3))
    api.verdict = lambda _: 403
    with pytest.raises(Exception, match="is not accepting messages"):
        tell(deps, (board.board_id,))
    api.verdict = lambda _: None
    with delivered(deps, "score_updated_queue") as messages:
        invoke("sweep_viewers", {})
        [body] = messages(1)
    assert deps.event_codec.open_recorded(body).boards == (board.board_id,)
    tell(deps, (board.board_id,))
    assert scores(viewer.one()) == [3]


def test_redis_that_is_away_is_told_to_the_viewer(
    api: aws.Connections, deps: Container, player: Player, redeploy: Redeploy
) -> None:
    viewer = watching(api, player)
    redeploy(
        BROADCAST_CHANNEL="", REDIS_URL="redis://127.0.0.1:1/0", WEBSOCKET_MANAGEMENT_URL=deps.settings.websocket_management_url
    )
    assert viewer.subscribe("board")["code"] == "leaderboard_unavailable"


def test_a_board_that_is_another_one_is_told_of_before_the_answer(deps: Container) -> None:
    """Behind it Lambda freezes whatever goes on."""
    board = RowBoard(deps, periods=[{"name": "round"}])
    deps._telling.close()
    with delivered(deps, "score_updated_queue") as messages:
        invoke("manage_boards", {"action": "reset", "id": board.board_id, "period": "round"})
        assert not deps._telling.is_running
        assert [deps.event_codec.open_recorded(body).boards for body in messages(1)] == [(board.board_id,)]
