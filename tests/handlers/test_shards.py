"""Boards in several shards: of one Redis, and of another one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import redis

from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from shared.accounts.check_access import restore_sessions
from shared.boards.fill_boards import put_from_ledger
from shared.boards.known_boards import KnownBoards
from shared.boards.open_epoch import open_epoch
from shared.container import Container
from shared.core.config import Settings
from shared.core.errors import BoardBusy, BoardElsewhere
from shared.ledger.catch_up import catch_up
from shared.reconciliation import move_board as moving
from shared.reconciliation.move_board import move_board
from shared.stores.actor import Actor
from tests.handlers.boards import WEEKLY, add_entry
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, board_in_agreement, new_player
from tests.handlers.test_broadcast_views import tell, watch
from tests.handlers.test_issue_action_ticket import ticket_of
from tests.support.product import query
from tests.support.waiting import eventually

OPERATOR = Actor("operator")
SHARDS = ("main", "green", "blue")


@pytest.fixture(scope="module")
def other_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a second server."""
    server = PrivateRedis(tmp_path_factory.mktemp("blue"), "blue")
    with running(server):
        yield server.url


@pytest.fixture
def deps(redeploy: Redeploy, other_redis: str) -> Iterator[Container]:
    """`main` and `green` are in one Redis, `blue` is in another one; a consumer serves all of them."""
    tag = secrets.token_hex(6)

    def with_shards(**settings: str) -> Container:
        return redeploy(**settings, REDIS_SHARDS=f"green=#{{{tag}-green}}: blue={other_redis}#{{{tag}-blue}}:")

    with board_in_agreement(with_shards) as made:
        for shard in made.further_shards:
            shard.leaderboard.open()
            open_epoch(shard.leaderboard, shard.ledger)
            shard.rate_windows.results_restored(shard.rate_windows.losses())
        for each in made.everywhere:
            restore_sessions(each)
        yield made


def define(shard: str, **members: Any) -> str:
    """A board's id."""
    board_id = f"board-{secrets.token_hex(6)}"
    definition = {"title": "A board", "shard": shard, **members}
    plan = invoke("manage_boards", {"action": "apply", "boards": {board_id: definition}})
    assert [step["change"] for step in plan["boards"]] == ["create"]
    return board_id


def move(board_id: str, shard: str) -> Any:
    return invoke("manage_boards", {"action": "move", "id": board_id, "shard": shard})


def scores(board_id: str, reader: Player) -> dict[str, int]:
    reply = call(
        "get_board_scores", "GET /api/boards/{board}/scores", path_parameters={"board": board_id}, headers=reader.authorization
    )
    assert reply.status == 200
    return {line["userId"]: line["score"] for line in reply.data}


def shards_with(deps: Container, board_id: str) -> list[str]:
    return [shard.name for shard in deps.everywhere if shard.board_states.load(board_id)]


def is_balanced() -> bool:
    balance = invoke("check_balance", {})
    return (balance["outbox"], balance["inFlight"], balance["lost"]) == (0, 0, 0)


def differing() -> int:
    found: int = invoke("reconcile_scores", {"full": True, "dryRun": True})["found"]
    return found


@contextmanager
def another_process(deps: Container) -> Iterator[Container]:
    with closing(Container(deps.settings)) as other:
        yield other


@pytest.mark.parametrize("shard", SHARDS)
def test_a_board_is_entered_and_read_in_its_shard(deps: Container, shard: str) -> None:
    board_id, ada, bob = define(shard, periods=WEEKLY), new_player(deps), new_player(deps)
    for value in (3, 4):
        assert add_entry(board_id, ada, {"value": value}).status == 200
    assert add_entry(board_id, bob, {"value": 5}).data["rank"] == 2
    assert shards_with(deps, board_id) == [shard]
    assert scores(board_id, bob) == {ada.user_id: 7, bob.user_id: 5}
    asked = {"path_parameters": {"board": board_id, "user_id": ada.user_id}, "headers": bob.authorization}
    place = call("get_board_place", "GET /api/boards/{board}/scores/{user_id}", **asked)
    assert [(each["rank"], each["score"]) for each in place.data["places"]] == [(1, 7), (1, 7)]
    found = call(
        "query_board_scores",
        "POST /api/boards/{board}/scores/query",
        path_parameters={"board": board_id},
        headers=bob.authorization,
        body={"userIds": [bob.user_id]},
    )
    assert [line["rank"] for line in found.data] == [2]
    seasons = call(
        "get_seasons", "GET /api/boards/{board}/seasons", path_parameters={"board": board_id}, headers=bob.authorization
    )
    assert [season["players"] for season in seasons.data] == [2, 2]
    listed = call("get_boards", "GET /api/boards", headers=bob.authorization)
    assert [len(board["seasons"]) for board in listed.data if board["id"] == board_id] == [2]
    eventually(is_balanced, 60, "every entry in the ledger")
    assert differing() == 0


def test_new_boards_are_spread_over_the_shards(deps: Container) -> None:
    board_ids = [f"board-{secrets.token_hex(6)}" for _ in range(60)]
    invoke("manage_boards", {"action": "apply", "boards": {board_id: {} for board_id in board_ids}})
    found = {board["id"]: board["shard"] for board in invoke("manage_boards", {"action": "list"})["data"]}
    counts = [[found[board_id] for board_id in board_ids].count(shard) for shard in SHARDS]
    assert min(counts) >= 5
    assert [deps.shards.of(board_id).name for board_id in board_ids] == [found[board_id] for board_id in board_ids]


def test_a_file_says_in_which_shard_a_new_board_is_and_moves_none(deps: Container) -> None:
    board_id = define("blue")

    def step(shard: object) -> Any:
        members = {"title": "A board", "shard": shard}
        [found] = invoke("manage_boards", {"action": "plan", "boards": {board_id: members}})["boards"]
        return found

    assert step("blue")["change"] == "none"
    assert f"scoreboard boards move {board_id} green" in step("green")["detail"]
    assert "only `main`, `green`, `blue`" in step("red")["detail"]
    assert step(7)["change"] == "refused"


@pytest.mark.parametrize(("source", "target"), [("main", "blue"), ("blue", "green"), ("green", "main")])
def test_a_board_moves_with_all_that_is_kept_of_its_entries(deps: Container, source: str, target: str) -> None:
    board_id = define(source, periods=WEEKLY, updatesPerMinute=3, metadataBytes=20)
    ada, bob = new_player(deps), new_player(deps)
    first = add_entry(board_id, ada, {"value": 5, "metadata": {"lap": 1}}, Idempotency_Key="one")
    assert add_entry(board_id, bob, {"value": 5}).status == 200
    assert add_entry(board_id, ada, {"value": 0}).status == 200
    ticket = ticket_of(bob)["ticket"]
    assert add_entry(board_id, bob, {"value": 1}, X_Action_Ticket=ticket, Idempotency_Key="two").status == 200
    assert move(board_id, target) == {"board": board_id, "shard": target, "moved": True}
    assert shards_with(deps, board_id) == [target]
    assert scores(board_id, bob) == {bob.user_id: 6, ada.user_id: 5}
    again = add_entry(board_id, ada, {"value": 5, "metadata": {"lap": 1}}, Idempotency_Key="one")
    assert (again.status, again.headers["Idempotency-Replayed"], again.data) == (200, "true", first.data)
    kept = add_entry(board_id, bob, {"value": 1}, X_Action_Ticket=ticket, Idempotency_Key="two")
    assert (kept.status, kept.headers["Idempotency-Replayed"]) == (200, "true")
    assert add_entry(board_id, bob, {"value": 1}, X_Action_Ticket=ticket).problem == (409, "ticket_already_used")
    assert add_entry(board_id, ada, {"value": 1}).data["score"] == 6, "the third of three in the minute"
    assert add_entry(board_id, ada, {"value": 1}).problem == (429, "rate_limited")
    assert move(board_id, target)["moved"] is False
    assert move(board_id, source)["moved"] is True
    assert scores(board_id, bob) == {bob.user_id: 6, ada.user_id: 6}
    assert add_entry(board_id, bob, {"value": 2}).data["rank"] == 1
    eventually(is_balanced, 60, "every entry in the ledger")
    assert differing() == 0


def test_numbers_rise_on_a_board_wherever_it_is(deps: Container) -> None:
    board_id, ada = define("main"), new_player(deps)
    for shard in ("blue", "green", "main", "blue"):
        assert add_entry(board_id, ada, {"value": 1}).status == 200
        move(board_id, shard)
    assert add_entry(board_id, ada, {"value": 1}).status == 200
    eventually(is_balanced, 60, "every entry in the ledger")
    rows = query(
        deps.settings.database_url, "SELECT epoch FROM score_entries WHERE board_id = :board ORDER BY id", board=board_id
    )
    epochs = [epoch for [epoch] in rows]
    assert epochs == sorted(set(epochs)), "each move begins a higher one"
    assert len(epochs) == 5


def test_equal_scores_stay_in_their_order(deps: Container) -> None:
    board_id, players = define("green"), [new_player(deps) for _ in range(3)]
    for player, shard in zip(players, ("blue", "main", "green"), strict=True):
        assert add_entry(board_id, player, {"value": 7}).status == 200
        move(board_id, shard)
    assert list(scores(board_id, players[0])) == [player.user_id for player in players]


def test_another_process_follows_a_board(deps: Container) -> None:
    board_id, ada = define("main"), new_player(deps)
    assert add_entry(board_id, ada, {"value": 1}).status == 200
    for shard in ("blue", "green", "main"):
        with another_process(deps) as other:
            move_board(board_id, shard, OPERATOR, other.shards, other.boards)
        assert set(scores(board_id, ada)) == {ada.user_id}
        assert add_entry(board_id, ada, {"value": 1}).status == 200
        assert shards_with(deps, board_id) == [shard]
    assert scores(board_id, ada) == {ada.user_id: 4}


def test_who_comes_while_a_board_is_on_its_way_is_told_to_come_again(deps: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    board_id, ada = define("green"), new_player(deps)
    assert add_entry(board_id, ada, {"value": 1}).status == 200
    seen: list[HandlerReply] = []

    def look(*arguments: Any, **options: Any) -> Any:
        with another_process(deps) as other:
            assert other.boards.placed(board_id).moving_to == "blue"
        seen.append(add_entry(board_id, ada, {"value": 1}))
        asked = {"path_parameters": {"board": board_id}, "headers": ada.authorization}
        seen.append(call("get_board_scores", "GET /api/boards/{board}/scores", **asked))
        return filled(*arguments, **options)

    filled = put_from_ledger
    monkeypatch.setattr(moving, "put_from_ledger", look)
    move(board_id, "blue")
    assert [reply.problem for reply in seen] == [(503, "board_moving")] * 2
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in seen)
    assert scores(board_id, ada) == {ada.user_id: 1}


STEPS = ("_leave", "catch_up", "_restore_kept", "open_epoch", "put_from_ledger", "settle_board_places")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("ends", ["again", "by the schedule", "elsewhere", "back"])
def test_a_move_that_died_is_finished(deps: Container, monkeypatch: pytest.MonkeyPatch, step: str, ends: str) -> None:
    board_id, ada = define("green"), new_player(deps)
    assert add_entry(board_id, ada, {"value": 3}).status == 200
    calls = 0

    def die(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if step != "catch_up" or calls == 2:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    with monkeypatch.context() as patched:
        whole = getattr(moving, step)
        patched.setattr(moving, step, die)
        with pytest.raises(KeyboardInterrupt):
            move_board(board_id, "blue", OPERATOR, deps.shards, deps.boards)
    target = {"elsewhere": "main", "back": "green"}.get(ends, "blue")
    if ends == "by the schedule":
        invoke("rebuild_leaderboard", {})
    else:
        move(board_id, target)
    assert shards_with(deps, board_id) == [target]
    assert add_entry(board_id, ada, {"value": 4}).data["score"] == 7
    eventually(is_balanced, 60, "every entry in the ledger")
    assert differing() == 0


def test_only_one_moves_a_board(deps: Container) -> None:
    board_id = define("green")
    with deps.boards.turn_to_move(board_id), another_process(deps) as other, pytest.raises(BoardBusy):
        move_board(board_id, "blue", OPERATOR, other.shards, other.boards)
    assert move(board_id, "blue")["moved"] is True


def test_what_cannot_be_moved_is_refused(deps: Container) -> None:
    board_id = define("green")
    for wrong, shard, said in (("main", "blue", "first shard"), (board_id, "red", "no shard `red`"), ("none", "blue", "board")):
        with pytest.raises(Exception, match=said):
            move_board(wrong, shard, OPERATOR, deps.shards, deps.boards)
    assert shards_with(deps, board_id) == ["green"]


def test_who_read_the_database_before_a_move_puts_nothing_back(deps: Container) -> None:
    """Or entries would count where nobody looks."""
    board_id = define("green")

    class Slow:
        """Reads where the board is; it moves before the answer is used."""

        def __getattr__(self, name: str) -> Any:
            return getattr(green.boards, name)

        def here(self, wanted: str) -> Any:
            found = green.boards.here(wanted)
            move(board_id, "blue")
            return found

    green = deps.shards.named("green")
    green.board_states.drop(board_id)
    boards: Any = Slow()
    late = KnownBoards(green.board_states, boards, green.board_seasons, lambda: None)
    with pytest.raises(BoardElsewhere):
        late.current(board_id)
    assert shards_with(deps, board_id) == ["blue"]


def test_an_instance_that_is_not_told_of_a_shard_refuses_its_boards(deps: Container, redeploy: Redeploy) -> None:
    board_id, ada = define("blue"), new_player(deps)
    assert add_entry(board_id, ada, {"value": 1}).status == 200
    prefix = deps.settings.key_prefix
    known = redeploy(REDIS_SHARDS="", KEY_PREFIX=prefix)
    reply = add_entry(board_id, ada, {"value": 1})
    assert reply.problem == (503, "board_moving")
    assert "`blue`" in reply.json["detail"]
    assert known.board_states.load(board_id) is None
    listed = call("get_boards", "GET /api/boards", headers=ada.authorization)
    assert [board["seasons"] for board in listed.data if board["id"] == board_id] == [[]]


@pytest.mark.parametrize("shard", SHARDS)
def test_a_session_that_ended_and_an_account_that_was_disabled_count_in_every_shard(deps: Container, shard: str) -> None:
    board_id, ada, bob = define(shard), new_player(deps), new_player(deps)
    for player in (ada, bob):
        assert add_entry(board_id, player, {"value": 1}).status == 200
    assert call("log_out", "DELETE /api/tokens", headers=ada.authorization).status == 204
    assert add_entry(board_id, ada, {"value": 1}).problem == (401, "session_ended")
    invoke("change_users", {"userIds": [bob.user_id], "disabled": True})
    assert add_entry(board_id, bob, {"value": 1}).problem == (403, "unknown_user")
    admin = new_player(deps, role="admin")
    assert set(scores(board_id, admin)) == {ada.user_id}
    invoke(
        "manage_moderation",
        {"action": "hide", "board": "*", "userId": ada.user_id, "reason": "of the test"},
    )
    assert scores(board_id, admin) == {}
    invoke("change_users", {"userIds": [bob.user_id], "disabled": False})
    assert scores(board_id, admin) == {bob.user_id: 1}


def test_a_decision_about_a_score_counts_in_the_shard(deps: Container) -> None:
    board_id, ada = define("blue"), new_player(deps)
    add_entry(board_id, ada, {"value": 3})
    wrong = add_entry(board_id, ada, {"value": 40}).data["requestId"]
    eventually(is_balanced, 60, "every entry in the ledger")
    for move_to in ("green", "blue"):
        move(board_id, move_to)
    about = {"board": board_id, "userId": ada.user_id, "reason": "of the test"}
    invoke("manage_moderation", {"action": "strike", "requestId": wrong, **about})
    assert scores(board_id, ada) == {ada.user_id: 3}
    invoke("manage_moderation", {"action": "adjust", "value": 5, **about})
    assert scores(board_id, ada) == {ada.user_id: 8}
    move(board_id, "main")
    assert scores(board_id, ada) == {ada.user_id: 8}
    assert differing() == 0


@pytest.mark.parametrize(("one", "other"), [("green", "blue"), ("main", "blue"), ("blue", "main")])
def test_a_ticket_is_spent_in_one_shard_only(deps: Container, one: str, other: str) -> None:
    first, second, ada = define(one), define(other), new_player(deps)
    ticket = ticket_of(ada)["ticket"]
    assert add_entry(first, ada, {"value": 1}, X_Action_Ticket=ticket, Idempotency_Key="one").status == 200
    assert add_entry(second, ada, {"value": 1}, X_Action_Ticket=ticket).problem == (409, "ticket_already_used")
    assert ada.score(1, X_Action_Ticket=ticket).problem == (409, "ticket_already_used")
    again = add_entry(first, ada, {"value": 1}, X_Action_Ticket=ticket, Idempotency_Key="one")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (200, "true")


def test_what_the_first_shard_forgot_is_asked_of_the_ledger(deps: Container) -> None:
    """A ticket that was spent on `main` is not good for another shard, whatever Redis has lost."""
    board_id, ada = define("blue"), new_player(deps)
    spent, fresh = (ticket_of(ada)["ticket"] for _ in range(2))
    assert ada.score(1, X_Action_Ticket=spent).status == 200
    eventually(is_balanced, 60, "the update in the ledger")
    first: Any = deps
    first._redis.delete(first._shard.user(ada.user_id).spent_tickets, first._board_keys.whole)
    assert add_entry(board_id, ada, {"value": 1}, X_Action_Ticket=fresh).problem == (503, "leaderboard_rebuilding")
    assert add_entry(board_id, ada, {"value": 1}).status == 200, "without a ticket nobody asks there"
    first._redis.set(first._board_keys.whole, deps.board_states.now())
    first._redis.hdel(first._board_keys.numbers, "open")
    assert add_entry(board_id, ada, {"value": 1}, X_Action_Ticket=spent).problem == (409, "ticket_already_used")
    assert add_entry(board_id, ada, {"value": 1}, X_Action_Ticket=fresh).status == 200


@pytest.mark.parametrize("shard", SHARDS)
def test_a_board_is_live_wherever_it_is(deps: Container, shard: str) -> None:
    board_id, ada = define(shard), new_player(deps)
    named: Any = SimpleNamespace(board_id=board_id)
    view = watch(named, 5)
    versions = []
    with closing(redis.Redis.from_url(deps.settings.redis_url)) as client:
        for value, target in ((1, shard), (2, "blue"), (3, "green"), (4, "main")):
            move(board_id, target)
            assert add_entry(board_id, ada, {"value": value}).status == 200
            tell(deps, (board_id,))
            kept: Any = client.get(f"{deps.settings.broadcast_channel}{view}:last")
            frame = json.loads(kept)
            assert [(row["userId"], row["score"]) for row in frame["data"]] == [(ada.user_id, value * (value + 1) // 2)]
            versions.append(frame["version"])
    assert versions == sorted(set(versions))


def test_a_shard_that_is_away_keeps_nobody_from_watching_others(deps: Container, redeploy: Redeploy) -> None:
    blue, green, ada = define("blue"), define("green"), new_player(deps)
    named: Any = [SimpleNamespace(board_id=board_id) for board_id in (blue, green)]
    _, view = [watch(board, 5) for board in named]
    away(deps, redeploy)
    assert add_entry(green, ada, {"value": 3}).status == 200
    tell(deps, (blue, green))
    with closing(redis.Redis.from_url(deps.settings.redis_url)) as client:
        kept: Any = client.get(f"{deps.settings.broadcast_channel}{view}:last")
    assert [row["score"] for row in json.loads(kept)["data"]] == [3]


def lose(deps: Container, name: str) -> None:
    """All that a shard has."""
    shard: Any = deps.shards.named(name)
    client = shard._redis
    for key in list(client.scan_iter(f"{shard.place.key_prefix}*", 1000)):
        client.delete(key)


@pytest.mark.usefixtures("time_stands")
def test_a_shard_that_lost_everything_is_filled_from_the_ledger(deps: Container) -> None:
    board_id, ada = define("blue", updatesPerMinute=2), new_player(deps)
    gone_id = define("blue")
    first = add_entry(board_id, ada, {"value": 3}, Idempotency_Key="one")
    add_entry(gone_id, ada, {"value": 3})
    move(gone_id, "green")
    eventually(is_balanced, 60, "every entry in the ledger")
    lose(deps, "blue")
    assert add_entry(board_id, ada, {"value": 4}).status == 503
    assert add_entry(gone_id, ada, {"value": 4}).data["score"] == 7, "it is elsewhere"
    told = invoke("rebuild_leaderboard", {})
    assert told["shards"]["blue"]["rebuilt"] is True
    assert shards_with(deps, gone_id) == ["green"]
    again = add_entry(board_id, ada, {"value": 3}, Idempotency_Key="one")
    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert add_entry(board_id, ada, {"value": 4}).data["score"] == 7
    assert add_entry(board_id, ada, {"value": 4}).problem == (429, "rate_limited")
    eventually(is_balanced, 60, "every entry in the ledger")
    assert differing() == 0


def test_what_a_shard_did_not_publish_is_relayed(deps: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    board_id, ada = define("blue"), new_player(deps)
    with monkeypatch.context() as patched:
        patched.setattr(deps.publisher, "publish_accepted", lambda *_, **__: None)
        assert add_entry(board_id, ada, {"value": 3}).status == 200
    assert invoke("check_balance", {})["outbox"] == 1
    monkeypatch.setattr("shared.ledger.relay_outbox.OLDER_THAN_SECONDS", 0.0)
    catch_up(deps.shards.named("blue").pipeline)
    eventually(is_balanced, 60, "the entry in the ledger")
    assert invoke("check_balance", {})["shards"]["blue"]["outbox"] == 0


def test_seasons_of_boards_in_all_shards_turn(deps: Container) -> None:
    ada = new_player(deps)
    boards = [define(shard, periods=[{"name": "evening"}]) for shard in SHARDS]
    for board_id in boards:
        add_entry(board_id, ada, {"value": 2})
    for board_id in boards:
        invoke("manage_boards", {"action": "reset", "id": board_id, "period": "evening"})
    assert invoke("turn_seasons", {})["closed"] == 3
    move(boards[0], "blue")
    for board_id in boards:
        season = {"path_parameters": {"board": board_id}, "headers": ada.authorization}
        found = call("get_seasons", "GET /api/boards/{board}/seasons", **season).data
        assert [(each["season"], each["state"], each["players"]) for each in found] == [(2, "open", 0), (1, "closed", 1)]


def away(deps: Container, redeploy: Callable[..., Container]) -> Container:
    """The same with a `blue` where nobody answers."""
    green = deps.shards.named("green").place.key_prefix
    return redeploy(REDIS_SHARDS=f"green=#{green} blue=redis://127.0.0.1:1/0#{{nobody}}:", KEY_PREFIX=deps.settings.key_prefix)


def test_a_shard_that_is_away_takes_only_its_boards_with_it(deps: Container, redeploy: Redeploy) -> None:
    blue, green, ada = define("blue"), define("green"), new_player(deps)
    add_entry(blue, ada, {"value": 1})
    left = away(deps, redeploy)
    assert add_entry(blue, ada, {"value": 1}).status == 503
    assert add_entry(green, ada, {"value": 1}).status == 200
    assert ada.score(1).status == 200
    listed = {board["id"]: board for board in call("get_boards", "GET /api/boards", headers=ada.authorization).data}
    assert listed[blue]["seasons"] == []
    assert len(listed[green]["seasons"]) == 1
    report = left.readiness.latest()
    assert (report.status, report.shards) == ("degraded", {"green": "", "blue": "Redis does not answer"})
    ready = call("check_health", "GET /readyz")
    assert ready.data["shards"] == {"green": {"ok": True}, "blue": {"ok": False, "reason": "Redis does not answer"}}
    up = invoke("measure_stores", {})
    assert (up["redis"], up["redis (green)"], up["redis (blue)"]) == (True, True, False)
    assert reconcile_says(green) == ["blue"]
    assert invoke("prepare_stores", {})["installation"], "an instance starts"
    assert invoke("relay_outbox", {})["published"] >= 0
    for schedule in ("forget_windows", "forget_sessions", "turn_seasons", "rebuild_leaderboard"):
        with suppress(Exception):
            invoke(schedule, {})
    assert call("log_out", "DELETE /api/tokens", headers=ada.authorization).status == 503
    assert add_entry(green, ada, {"value": 1}).problem == (401, "session_ended"), "where it can be known it is known"


def reconcile_says(_board_id: str) -> list[str]:
    told: list[str] = invoke("reconcile_scores", {"dryRun": True})["shardsAway"]
    return told


def test_the_marks_of_shards_keep_strangers_and_mistakes_out(deps: Container, redeploy: Redeploy) -> None:
    assert invoke("prepare_stores", {})["installation"]
    for shard in deps.further_shards:
        holder = shard.board_mark.holder()
        assert holder is not None
        assert holder.endswith(f"/{shard.name}")
    green, blue = (deps.shards.named(name).place for name in ("green", "blue"))
    swapped = f"green={blue.url}#{blue.key_prefix} blue=#{green.key_prefix}"
    redeploy(REDIS_SHARDS=swapped, KEY_PREFIX=deps.settings.key_prefix)
    with pytest.raises(Exception, match="REDIS_SHARDS: `green` leads to the Redis of"):
        invoke("prepare_stores", {})


def test_keys_of_servers_count_in_every_shard(deps: Container) -> None:
    admin = new_player(deps, role="admin")
    player = new_player(deps)
    made = call(
        "create_server_key", "POST /api/admin/server-keys", headers=admin.authorization, body={"name": f"game {uuid4()}"}
    ).data
    boards = [define(shard, write="server") for shard in SHARDS]

    def write(board_id: str) -> HandlerReply:
        return call(
            "add_entries",
            "POST /api/boards/{board}/scores",
            path_parameters={"board": board_id},
            headers={"Authorization": f"Bearer {made['key']}"},
            body={"entries": [{"userId": player.user_id, "value": 1}]},
        )

    assert [write(board_id).status for board_id in boards] == [200] * 3
    revoke = {"path_parameters": {"key_id": made["keyId"]}, "headers": admin.authorization}
    assert call("revoke_server_key", "DELETE /api/admin/server-keys/{key_id}", **revoke).status == 204
    assert [write(board_id).status for board_id in boards] == [401] * 3


def test_settings_are_read_whole(function_environment: dict[str, str]) -> None:
    settings = Settings.from_environment(
        {**function_environment, "REDIS_SHARDS": "blue=redis://:hunter2@host:7000/1#b: green=#g:"}
    )
    assert [(place.name, place.url, place.key_prefix) for place in settings.redis_shards] == [
        ("blue", "redis://:hunter2@host:7000/1", "b:"),
        ("green", "", "g:"),
    ]
    assert "hunter2" not in repr(settings)
