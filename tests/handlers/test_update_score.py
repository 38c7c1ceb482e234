"""POST /api/score/{user_id}."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import redis

from shared.container import Container
from shared.reconciliation.rebuild_leaderboard import pages
from tests.handlers.conftest import Redeploy
from tests.handlers.events import SOURCE_IP, HandlerReply, call
from tests.handlers.players import Player, board_in_agreement, delivered, give, new_board, new_player
from tests.support.product import query
from tests.support.waiting import eventually

ROUTE = "POST /api/score/{user_id}"


@pytest.fixture
def player(deployed: Container) -> Player:
    return new_player(deployed)


def post(user_id: str, body: object, headers: dict[str, str] | None = None) -> HandlerReply:
    return call("update_score", ROUTE, path_parameters={"user_id": user_id}, body=body, headers=headers)


def board_of(deployed: Container, player: Player) -> int | None:
    return deployed.leaderboard.scores([player.user_id]).get(player.user_id)


def test_an_update_is_accepted_with_a_receipt_and_the_state_of_the_window(deployed: Container, player: Player) -> None:
    reply = player.score(3)
    assert reply.status == 200
    assert set(reply.data) == {"userId", "score", "rank", "increment", "requestId"}
    assert (reply.data["userId"], reply.data["score"], reply.data["increment"]) == (player.user_id, 3, 3)
    assert UUID(reply.data["requestId"]).version == 4
    assert reply.data["rank"] >= 1
    assert reply.headers["RateLimit-Policy"] == '"updates";q=100;w=60'
    assert reply.headers["RateLimit"] == '"updates";r=99;t=60'
    assert "Idempotency-Replayed" not in reply.headers
    assert player.score(5).data["score"] == 8
    assert board_of(deployed, player) == 8


def test_an_accepted_update_is_on_its_way_to_the_ledger_when_the_answer_comes(deployed: Container, redeploy: Redeploy) -> None:
    board = new_board(redeploy)
    player = new_player(board)
    backlog = deployed.topology.backlog()
    player.score()
    assert deployed.topology.backlog() == backlog + 1
    assert len(board.outbox.pending(0, 10)) == 1, "until the ledger has it"


def test_a_broker_that_is_away_costs_the_player_nothing(deployed: Container, redeploy: Redeploy) -> None:
    new_board(redeploy)
    board = redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    player = new_player(board)
    request_ids = [player.score(3).data["requestId"], player.score(5).data["requestId"]]
    waiting = board.outbox.pending(0, 10)
    assert [event.request_id for event in waiting] == request_ids
    assert [(event.user_id, event.increment, event.new_score) for event in waiting] == [
        (player.user_id, 3, 3),
        (player.user_id, 5, 8),
    ]
    assert {event.source_ip for event in waiting} == {SOURCE_IP}


@pytest.mark.parametrize("increment", [0, 6, -1, 2.5, 3.0, True, "3", None, [3], {}, 10**30])
def test_only_one_to_five_points_are_accepted(deployed: Container, player: Player, increment: object) -> None:
    assert player.score(increment).problem == (422, "invalid_increment")
    assert board_of(deployed, player) == 0


def test_other_members_of_the_body_are_not_listened_to(player: Player) -> None:
    body = {"increment": 2, "score": 999, "userId": "somebody", "requestId": "r"}
    reply = post(player.user_id, body, player.authorization)
    assert (reply.data["score"], reply.data["userId"]) == (2, player.user_id)
    assert post(player.user_id, {}, player.authorization).problem == (422, "invalid_increment")


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        ("{", {}, (400, "malformed_json")),
        ("[3]", {}, (400, "malformed_json")),
        ("3", {}, (400, "malformed_json")),
        ('{"increment": NaN}', {}, (400, "malformed_json")),
        ('{"increment": 3}', {"content-type": "text/plain"}, (415, "unsupported_media_type")),
        (f'{{"increment": 3, "x": "{"x" * 65536}"}}', {}, (413, "payload_too_large")),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    player: Player, body: str, headers: dict[str, str], problem: tuple[int, str]
) -> None:
    assert post(player.user_id, body, {**player.authorization, **headers}).problem == problem


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_token"),
        ({"authorization": "Basic eDp5"}, "missing_token"),
        ({"authorization": "Bearer nonsense"}, "invalid_token"),
    ],
)
def test_nobody_scores_without_a_token(player: Player, headers: dict[str, str], code: str) -> None:
    assert post(player.user_id, {"increment": 1}, headers).problem == (401, code)


def test_nobody_raises_the_score_of_another(deployed: Container, player: Player) -> None:
    admin = new_player(deployed, "admin")
    for caller in (new_player(deployed), admin):
        assert post(player.user_id, {"increment": 1}, caller.authorization).problem == (403, "not_your_score")
    assert board_of(deployed, player) == 0


def test_an_admin_has_no_score(deployed: Container) -> None:
    admin = new_player(deployed, "admin")
    assert admin.score().problem == (403, "not_a_player")
    assert board_of(deployed, admin) is None


def test_a_token_of_nobody_is_of_no_use(deployed: Container) -> None:
    user_id = str(uuid4())
    token, _ = deployed.access_tokens.issue(user_id, "player", deployed.clock.now())
    assert post(user_id, {"increment": 1}, {"authorization": f"Bearer {token}"}).problem == (403, "unknown_user")
    assert deployed.leaderboard.scores([user_id]) == {}


def test_a_disabled_account_does_not_score(deployed: Container, database_url: str, player: Player) -> None:
    query(database_url, "UPDATE users SET disabled = true WHERE user_id = :id", id=player.user_id)
    deployed.profiles.drop(player.user_id)
    assert player.score().problem == (403, "unknown_user")
    assert board_of(deployed, player) == 0


def test_an_api_key_may_be_sent_but_must_be_the_players_own(deployed: Container, player: Player) -> None:
    assert player.score(1, X_API_Key=player.api_key).data["score"] == 1
    for wrong in (new_player(deployed).api_key, ""):
        assert player.score(1, X_API_Key=wrong).problem == (401, "invalid_api_key")
    assert board_of(deployed, player) == 1


def test_no_score_rises_above_what_the_ledger_can_record(deployed: Container, redeploy: Redeploy) -> None:
    highest = 2**31 - 1
    with board_in_agreement(redeploy) as board:
        player = new_player(board)
        give(board, {player.user_id: highest - 3})
        refused = player.score(4)
        assert refused.problem == (409, "score_out_of_bounds")
        assert f"exceed {highest}" in refused.json["detail"]
        assert board_of(board, player) == highest - 3
        accepted = player.score(3)
        assert accepted.data["score"] == highest
        recorded = eventually(lambda: board.ledger.recorded(accepted.data["requestId"]), 60, "the update in the ledger")
        assert recorded is not None
        assert recorded.new_score == highest
        assert player.score(1).problem == (409, "score_out_of_bounds")


def test_the_hundred_and_first_update_in_a_minute_is_refused(deployed: Container, player: Player) -> None:
    assert [player.score().status for _ in range(100)] == [200] * 100
    reply = player.score()
    assert reply.problem == (429, "rate_limited")
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert reply.headers["RateLimit"] == f'"updates";r=0;t={reply.headers["Retry-After"]}'
    assert board_of(deployed, player) == 100


def test_a_refused_update_does_not_use_the_window(player: Player) -> None:
    for _ in range(3):
        player.score(6)
    assert player.score().headers["RateLimit"] == '"updates";r=99;t=60'


def test_a_retry_gets_the_first_answer_and_counts_once(deployed: Container, player: Player) -> None:
    key = {"Idempotency_Key": "k" * 255}
    first = player.score(3, **key)
    player.score(1)
    again = player.score(3, **key)
    assert again.data == first.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert board_of(deployed, player) == 4


def test_racing_retries_count_once(deployed: Container, player: Player) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: player.score(4, Idempotency_Key="k"), range(24)))
    assert {str(reply.data) for reply in replies} == {str(replies[0].data)}
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert board_of(deployed, player) == 4


def test_the_same_key_of_two_players_is_two_updates(deployed: Container, player: Player) -> None:
    other = new_player(deployed)
    replies = [one.score(4, Idempotency_Key="k") for one in (player, other)]
    assert [reply.data["score"] for reply in replies] == [4, 4]
    assert replies[0].data["requestId"] != replies[1].data["requestId"]


def test_a_key_with_another_increment_is_refused(deployed: Container, player: Player) -> None:
    player.score(3, Idempotency_Key="k")
    assert player.score(4, Idempotency_Key="k").problem == (422, "idempotency_key_reused")
    assert board_of(deployed, player) == 3


@pytest.mark.parametrize("key", ["", "k" * 256, "two words", "ключ", "tab\t"])
def test_a_key_that_is_no_key_is_refused(player: Player, key: str) -> None:
    assert player.score(1, Idempotency_Key=key).problem == (422, "invalid_parameter")


def test_one_who_is_not_on_the_board_yet_enters_with_the_first_update(deployed: Container, redeploy: Redeploy) -> None:
    player = new_player(deployed)
    board = redeploy(KEY_PREFIX=f"{{{uuid4()}}}:")
    board.leaderboard.rebuild([])
    assert player.score(2).data["score"] == 2


def test_one_whose_place_was_removed_does_not_begin_again_from_nothing(deployed: Container, redeploy: Redeploy) -> None:
    player = new_player(deployed)
    accepted = player.score(5).data
    from shared.ledger.events import ScoreAccepted

    deployed.ledger.record([ScoreAccepted(accepted["requestId"], player.user_id, 5, 5, deployed.clock.now(), SOURCE_IP)])
    board = redeploy(KEY_PREFIX=f"{{{uuid4()}}}:")
    board.leaderboard.rebuild([])
    reply = player.score(1)
    assert reply.problem == (503, "leaderboard_rebuilding")
    assert reply.headers["Retry-After"] == "30"
    assert board.leaderboard.scores([player.user_id]) == {}


def test_an_empty_redis_takes_no_updates_until_it_is_rebuilt(deployed: Container, player: Player, redeploy: Redeploy) -> None:
    board = redeploy(KEY_PREFIX=f"{{{uuid4()}}}:")
    reply = player.score(1)
    assert reply.problem == (503, "leaderboard_rebuilding")
    assert reply.headers["Retry-After"] == "1"
    board.leaderboard.rebuild(pages(board.reconciliations), board.hidden_players.pages_of_main())
    assert player.score(1).status == 200


def test_after_another_redis_an_update_goes_on_in_an_epoch_that_the_ledger_gave_out(
    deployed: Container, redeploy: Redeploy, redis_url: str
) -> None:
    """And the board is looked at: what the other Redis did not have is to be brought back."""
    board = new_board(redeploy)
    player = new_player(board)
    player.score(5)
    prefix = board.settings.key_prefix
    with redis.Redis.from_url(redis_url) as client, delivered(board, "leaderboard_rebuild_queue") as messages:
        client.hset(f"{prefix}leaderboard:numbers", "server", "another")
        client.zadd(f"{prefix}ended-sessions", {"*": 4e12})
        board._redis.close()
        assert player.score(1).problem == (429, "rate_limited"), "until the windows are known again"
        eventually(lambda: len(messages()) == 1, 60, "one message: who asks first need not be the one that answers")
        board.rate_windows.windows_restored()
        assert player.score(1).data["score"] == 6
        assert player.score(1).data["score"] == 7
        assert messages() == []
    first, second, third = (event.number for event in board.outbox.pending(0, 10))
    assert first is not None
    assert second is not None
    assert second > first
    assert (second.sequence, third) == (1, (second.epoch, 2))
    rows = query(board.settings.database_url, "SELECT last_sequence FROM number_epochs WHERE epoch = :id", id=first.epoch)
    assert rows == [[1]], "how far the Redis before had counted"


def test_without_an_epoch_no_update_is_accepted_while_the_ledger_is_away(
    deployed: Container, redeploy: Redeploy, redis_url: str
) -> None:
    board = new_board(redeploy)
    player = new_player(board)
    player.score(5)
    with redis.Redis.from_url(redis_url) as client:
        client.hdel(f"{board.settings.key_prefix}leaderboard:numbers", "open")
    away = redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/scoreboard")
    assert player.score().problem == (503, "database_unavailable")
    assert board_of(away, player) == 5
    redeploy(DATABASE_URL=board.settings.database_url)
    assert player.score().data["score"] == 6


def test_a_database_that_is_away_does_not_stop_known_players(deployed: Container, player: Player, redeploy: Redeploy) -> None:
    player.score()
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/scoreboard")
    assert player.score().data["score"] == 2
    deployed.profiles.drop(player.user_id)
    assert player.score().problem == (503, "database_unavailable")


def test_without_the_replicas_that_must_have_it_no_update_is_acknowledged(
    deployed: Container, player: Player, redeploy: Redeploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.stores.redis.replicas.WAIT_MS", 100)
    redeploy(REDIS_REPLICAS="1")
    refused = player.score(3, Idempotency_Key="kept")
    assert refused.problem == (503, "leaderboard_unavailable")
    assert "Retry-After" in refused.headers
    redeploy(REDIS_REPLICAS="0")
    again = player.score(3, Idempotency_Key="kept")
    assert (again.status, again.data["score"], again.headers["Idempotency-Replayed"]) == (200, 3, "true")


def test_a_redis_that_is_away_is_told_so(player: Player, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert player.score().problem == (503, "leaderboard_unavailable")
