"""The audit log through its functions: what is refused and why, what admins do, who reads it, and whether it is what it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from shared.container import Container
from shared.core.errors import InvalidParameter
from tests.handlers.commands import commands, open_connections
from tests.handlers.conftest import Redeploy
from tests.handlers.events import REQUEST_ID, SOURCE_IP, HandlerReply, call, invoke, websocket_event
from tests.handlers.players import Player, consuming, new_board, new_player
from tests.support.product import query
from tests.support.waiting import eventually

LOG = "GET /api/admin/audit-log"
PASSWORD = "correct horse battery"
NONE = {"requestIds": ["not-there"]}  # dead letters of other tests are nobody's business here
Row = tuple[str, str, str | None, str | None]


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Container:
    """With refusals of its own."""
    return new_board(redeploy)


@pytest.fixture
def player(board: Container) -> Player:
    return new_player(board)


@pytest.fixture
def admin(board: Container) -> Player:
    return new_player(board, "admin")


@pytest.fixture
def recorded(database_url: str, board: Container) -> Callable[[], list[Row]]:
    """What record_refusals writes now: action, reason, actor, user."""
    last_id = query(database_url, "SELECT coalesce(max(id), 0) FROM audit_log")[0][0]

    def rows() -> list[Row]:
        made = invoke("record_refusals", {})["rows"]
        found = query(
            database_url,
            "SELECT action, detail ->> 'reason', actor, user_id, source_ip, request_id FROM audit_log"
            " WHERE id > :id AND detail ? 'reason' ORDER BY id",
            id=last_id,
        )
        assert len(found) == made
        assert all(row[5] in (REQUEST_ID, None) or row[0] == "viewer_refused" for row in found)
        return [(row[0], row[1], row[2], row[3]) for row in found]

    return rows


def read(caller: Player, **filters: str) -> HandlerReply:
    return call("get_audit_log", LOG, headers=caller.authorization, query=filters)


def score_of(player: Player, headers: dict[str, str]) -> HandlerReply:
    return call(
        "update_score",
        "POST /api/score/{user_id}",
        path_parameters={"user_id": player.user_id},
        headers=headers,
        body={"increment": 1},
    )


def log_in(username: str, password: str = PASSWORD) -> HandlerReply:
    return call("issue_token", "POST /api/tokens", body={"username": username, "password": password})


def test_scoring_for_another_is_audited(board: Container, player: Player, recorded: Callable[[], list[Row]]) -> None:
    victim = new_player(board)
    assert score_of(victim, player.authorization).status == 403
    assert recorded() == [("score_refused", "not_your_score", player.user_id, victim.user_id)]


def test_a_bad_token_is_audited_and_names_nobody(player: Player, recorded: Callable[[], list[Row]]) -> None:
    assert score_of(player, {"Authorization": "Bearer nonsense"}).status == 401
    assert recorded() == [("score_refused", "invalid_token", "anonymous", player.user_id)]


def test_a_replay_with_another_body_is_audited(player: Player, recorded: Callable[[], list[Row]]) -> None:
    player.score(1, Idempotency_Key="k")
    assert player.score(2, Idempotency_Key="k").status == 422
    assert recorded() == [("score_refused", "idempotency_key_reused", player.user_id, player.user_id)]


def test_a_wrong_api_key_is_audited(player: Player, recorded: Callable[[], list[Row]]) -> None:
    assert player.score(1, X_API_Key="wrong").status == 401
    assert recorded() == [("score_refused", "invalid_api_key", player.user_id, player.user_id)]


def test_the_rate_limit_is_audited_once_a_minute_however_often_it_is_hit(
    board: Container, redeploy: Redeploy, recorded: Callable[[], list[Row]]
) -> None:
    limited = redeploy(RATE_LIMIT_REQUESTS="1")
    player = new_player(limited)
    assert [player.score().status for _ in range(30)] == [200] + [429] * 29
    assert set(recorded()) == {("score_refused", "rate_limited", player.user_id, player.user_id)}


def test_bad_and_spent_action_tickets_are_audited(board: Container, player: Player, recorded: Callable[[], list[Row]]) -> None:
    path = {"user_id": player.user_id}
    tickets = "POST /api/score/{user_id}/tickets"
    ticket = call("issue_action_ticket", tickets, path_parameters=path, headers=player.authorization).data["ticket"]
    assert [player.score(1, X_Action_Ticket=text).status for text in (ticket, ticket, "forged")] == [200, 409, 403]
    other = new_player(board)
    assert call("issue_action_ticket", tickets, path_parameters=path, headers=other.authorization).status == 403
    assert sorted(recorded()) == [
        ("action_ticket_refused", "not_your_score", other.user_id, player.user_id),
        ("score_refused", "invalid_action_ticket", player.user_id, player.user_id),
        ("score_refused", "ticket_already_used", player.user_id, player.user_id),
    ]


def test_failed_log_ins_are_audited_under_the_account_and_never_under_what_was_typed(
    board: Container, recorded: Callable[[], list[Row]], database_url: str
) -> None:
    name, typed = f"name-{uuid4().hex[:12]}", f"typed-{uuid4().hex[:12]}"
    account = call("register_user", "POST /api/users", body={"username": name, "password": PASSWORD}).data
    assert log_in(name, "not the right one").status == 401
    assert log_in(typed).status == 401
    assert log_in("not a name", typed).status == 401
    found = recorded()
    assert set(found) == {
        ("login_refused", "invalid_credentials", "anonymous", account["userId"]),
        ("login_refused", "invalid_credentials", "anonymous", None),
    }
    assert query(database_url, "SELECT count(*) FROM audit_log WHERE detail::text LIKE :typed", typed=f"%{typed}%") == [[0]]


def test_a_refresh_token_that_nobody_has_is_audited(board: Container, recorded: Callable[[], list[Row]]) -> None:
    assert call("issue_token", "POST /api/tokens", body={"refreshToken": "nonsense"}).status == 401
    assert recorded() == [("login_refused", "invalid_credentials", "anonymous", None)]


def test_refused_handshakes_are_audited(board: Container, recorded: Callable[[], list[Row]], database_url: str) -> None:
    by_ticket = websocket_event("$connect", query={"ticket": "nonsense"})
    event = websocket_event("$connect", headers={"Authorization": "Bearer nonsense"})
    assert [invoke("ws_connect", one) for one in (by_ticket, event)] == [{"statusCode": 401}] * 2
    assert set(recorded()) == {
        ("viewer_refused", "invalid_ticket", "anonymous", None),
        ("viewer_refused", "invalid_token", "anonymous", None),
    }
    row = query(database_url, "SELECT request_id, source_ip FROM audit_log ORDER BY id DESC LIMIT 1")[0]
    assert row == [event["requestContext"]["requestId"], event["requestContext"]["identity"]["sourceIp"]]


@pytest.mark.parametrize(
    ("function", "route_key", "action"),
    [
        ("get_audit_log", LOG, "audit_log_refused"),
        ("list_dead_letters", "GET /api/admin/dead-letters", "dead_letters_refused"),
        ("redrive_dead_letters", "POST /api/admin/dead-letters/redrive", "dead_letters_refused"),
        ("start_reconciliation", "POST /api/admin/reconciliations", "reconciliation_refused"),
    ],
)
def test_who_is_no_admin_is_audited(
    player: Player, recorded: Callable[[], list[Row]], function: str, route_key: str, action: str
) -> None:
    body: object = {} if route_key.startswith("POST") else None
    assert call(function, route_key, headers=player.authorization, body=body).problem == (403, "forbidden")
    assert recorded() == [(action, "forbidden", player.user_id, None)]


@pytest.mark.parametrize(
    ("function", "route_key"),
    [
        ("get_scores", "GET /api/scores"),
        ("get_user_score", "GET /api/score/{user_id}"),
        ("get_score_history", "GET /api/score/{user_id}/history"),
        ("issue_ws_ticket", "POST /api/ws-tickets"),
    ],
)
def test_a_bad_token_is_audited_wherever_one_is_read(
    player: Player, recorded: Callable[[], list[Row]], function: str, route_key: str
) -> None:
    path = {"user_id": player.user_id} if "{" in route_key else None
    reply = call(function, route_key, path_parameters=path, headers={"Authorization": "Bearer nonsense"})
    assert reply.problem == (401, "invalid_token")
    assert [(row[1], row[2]) for row in recorded()] == [("invalid_token", "anonymous")]


def test_slips_are_not_audited(player: Player, recorded: Callable[[], list[Row]]) -> None:
    assert [player.score(0).status, player.score(1, Idempotency_Key="two words").status] == [422, 422]
    assert score_of(player, {}).status == 401
    assert log_in("").status in (401, 422)
    assert [row for row in recorded() if row[0] == "score_refused"] == []


def test_a_redis_that_is_away_changes_no_answer(player: Player, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert score_of(player, {"Authorization": "Bearer nonsense"}).problem == (401, "invalid_token")


def test_an_accepted_update_pays_nothing(board: Container, player: Player) -> None:
    player.score()
    open_connections(board)
    redis = board._redis
    before = commands(redis)["evalsha"]
    for _ in range(20):
        assert player.score().status == 200
    assert commands(redis)["evalsha"] - before == 20
    assert "refusals" not in vars(board)  # nobody even asked for what counts them
    assert redis.exists(board._shard.refusals, board._shard.refusal_kinds) == 0


def test_what_admins_do_is_audited_with_where_it_came_from(board: Container, admin: Player) -> None:
    call("redrive_dead_letters", "POST /api/admin/dead-letters/redrive", headers=admin.authorization, body=NONE)
    (entry,) = read(admin, actor=admin.user_id, action="dead_letters_redriven").json["data"]
    assert (entry["sourceIp"], entry["requestId"]) == (SOURCE_IP, REQUEST_ID)


def test_an_admin_reads_page_by_page(player: Player, admin: Player) -> None:
    for _ in range(3):
        score_of(admin, player.authorization)
        invoke("record_refusals", {})
    wanted = {"actor": player.user_id, "action": "score_refused"}
    first = read(admin, **wanted, limit="2").json
    assert [entry["detail"]["count"] for entry in first["data"]] == [1, 1]
    second = read(admin, **wanted, limit="2", cursor=first["nextCursor"]).json
    assert second["nextCursor"] is None
    (entry,) = second["data"]
    assert (entry["userId"], entry["sourceIp"]) == (admin.user_id, SOURCE_IP)
    assert read(admin, **wanted, to="2020-01-01").json["data"] == []
    assert len(read(admin, userId=admin.user_id, **wanted, **{"from": entry["at"][:10]}).json["data"]) == 3


def test_entries_of_a_request_are_found_an_accepted_update_among_them(board: Container, player: Player, admin: Player) -> None:
    with consuming(board):
        accepted = [player.score(2, Idempotency_Key=str(uuid4())).data["requestId"] for _ in range(3)]
        eventually(lambda: len(read(admin, requestId=accepted[-1]).data) == 1, 60, "the last one recorded")
    page = read(admin, requestId=accepted[1]).json
    (entry,) = page["data"]
    assert (entry["action"], entry["userId"], entry["requestId"]) == ("score_accepted", player.user_id, accepted[1])
    assert page["usernames"] == {player.user_id: player.username}
    assert read(admin, requestId=accepted[1], actor="somebody").data == []
    assert read(admin, requestId=accepted[1], to="2020-01-01").data == []
    call("redrive_dead_letters", "POST /api/admin/dead-letters/redrive", headers=admin.authorization, body=NONE)
    found = read(admin, requestId=REQUEST_ID, actor=admin.user_id)
    assert [entry["action"] for entry in found.data] == ["dead_letters_redriven"]
    assert read(admin, requestId=str(uuid4())).data == []


@pytest.mark.parametrize("filters", [{"requestId": ""}, {"from": "then"}, {"userId": ""}, {"limit": "201"}, {"cursor": "x"}])
def test_nonsense_is_told(admin: Player, filters: dict[str, str]) -> None:
    assert read(admin, **filters).problem == (422, "invalid_parameter")


def test_what_was_written_is_sealed_and_verified(board: Container, player: Player) -> None:
    score_of(new_player(board), player.authorization)
    invoke("record_refusals", {})
    sealed = invoke("seal_audit", {})
    assert sealed["rows"] >= 1
    assert invoke("seal_audit", {}) == {"seals": 0, "rows": 0}
    report = invoke("verify_audit", {})
    assert (report["intact"], report["remembered"], report["unsealedRows"]) == (True, True, 0)
    head = report["head"]
    assert invoke("verify_audit", {"fromSeal": head["seq"], "head": f"{head['seq']}:{head['hash']}"})["found"] == 0
    with pytest.raises(InvalidParameter):
        invoke("verify_audit", {"head": "nonsense"})


def test_an_export_has_what_was_written(board: Container, player: Player, database_url: str) -> None:
    last_id = query(database_url, "SELECT coalesce(max(id), 0) FROM audit_log")[0][0]
    score_of(new_player(board), player.authorization)
    invoke("record_refusals", {})
    part = invoke("export_audit_log", {"after": last_id})
    assert part["after"] is None
    assert [entry["detail"]["reason"] for entry in part["entries"] if entry["actor"] == player.user_id] == ["not_your_score"]
    assert json.dumps(part)
