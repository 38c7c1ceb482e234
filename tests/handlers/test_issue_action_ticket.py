"""POST /api/score/{user_id}/tickets, and updates with what it gave."""

from __future__ import annotations

import base64
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared.boards.action_tickets import ActionTicket
from shared.container import Container
from shared.ledger.events import ScoreAccepted
from shared.reconciliation.rebuild_leaderboard import pages
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, consuming, new_board, new_player
from tests.support.waiting import eventually


@pytest.fixture
def player(deployed: Container) -> Player:
    return new_player(deployed)


def ask(user_id: str, headers: dict[str, str]) -> HandlerReply:
    route = "POST /api/score/{user_id}/tickets"
    return call("issue_action_ticket", route, path_parameters={"user_id": user_id}, headers=headers)


def ticket_of(player: Player) -> dict[str, str]:
    issued: dict[str, str] = ask(player.user_id, player.authorization).data
    return issued


def test_a_player_gets_a_ticket_for_a_minute(deployed: Container, player: Player) -> None:
    before = deployed.clock.now()
    reply = ask(player.user_id, player.authorization)
    assert reply.status == 201
    assert set(reply.data) == {"requestId", "ticket", "expiresAt"}
    assert UUID(reply.data["requestId"]).version == 4
    expires_at = datetime.fromisoformat(reply.data["expiresAt"])
    assert timedelta(seconds=59) <= expires_at - before <= timedelta(seconds=75)


def test_a_ticket_of_a_known_player_needs_neither_the_database_nor_the_broker(player: Player, redeploy: Redeploy) -> None:
    assert ask(player.user_id, player.authorization).status == 201
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/s", AMQP_URL="amqp://127.0.0.1:1/%2F")
    assert ask(player.user_id, player.authorization).status == 201


def test_a_player_gets_two_tickets_for_each_update_there_may_be(deployed: Container, player: Player, redeploy: Redeploy) -> None:
    redeploy(RATE_LIMIT_REQUESTS="1", RATE_WINDOW_SECONDS="86400")
    replies = [ask(player.user_id, player.authorization) for _ in range(3)]
    assert [reply.status for reply in replies] == [201, 201, 429]
    assert replies[-1].problem == (429, "too_many_requests")
    assert int(replies[-1].headers["Retry-After"]) > 35_000
    assert player.score(1).status == 200, "updates have a limit of their own"
    other = new_player(deployed)
    assert ask(player.user_id, other.authorization).status == 403
    assert ask(other.user_id, other.authorization).status == 201


def test_only_the_player_gets_it(deployed: Container, player: Player) -> None:
    admin = new_player(deployed, "admin")
    assert ask(player.user_id, {}).problem == (401, "missing_token")
    assert ask(player.user_id, admin.authorization).problem == (403, "not_your_score")
    assert ask(player.user_id, new_player(deployed).authorization).problem == (403, "not_your_score")
    assert ask(admin.user_id, admin.authorization).problem == (403, "not_a_player")


@pytest.mark.parametrize("setting", ["true", "false"])
def test_an_update_spends_it_under_its_request_id(player: Player, redeploy: Redeploy, setting: str) -> None:
    redeploy(REQUIRE_ACTION_TICKET=setting)
    issued = ticket_of(player)
    reply = player.score(4, X_Action_Ticket=issued["ticket"])
    assert (reply.data["score"], reply.data["requestId"]) == (4, issued["requestId"])
    assert player.score(4, X_Action_Ticket=issued["ticket"]).problem == (409, "ticket_already_used")
    assert player.score(1, X_Action_Ticket=ticket_of(player)["ticket"]).data["score"] == 5


@pytest.mark.parametrize(("setting", "answer"), [("true", 428), ("false", 200)])
def test_the_board_can_be_closed_to_updates_without_a_ticket(
    player: Player, redeploy: Redeploy, setting: str, answer: int
) -> None:
    redeploy(REQUIRE_ACTION_TICKET=setting)
    reply = player.score()
    assert reply.status == answer
    assert answer == 200 or reply.problem == (428, "ticket_required")


def test_whose_score_it_is_and_by_how_much_comes_before_the_ticket(player: Player, redeploy: Redeploy) -> None:
    redeploy(REQUIRE_ACTION_TICKET="true")
    assert player.score(6).problem == (422, "invalid_increment")
    assert player.score(1, X_Action_Ticket="nonsense", Idempotency_Key="").problem == (422, "invalid_parameter")


@pytest.mark.parametrize("kind", ["nonsense", "empty", "long", "foreign", "other key", "expired", "changed"])
def test_a_ticket_that_is_none_is_refused(deployed: Container, player: Player, kind: str) -> None:
    good = ticket_of(player)["ticket"]
    long_ago = deployed.clock.now() - timedelta(seconds=61)
    other_keys = f"test:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    tickets = {
        "nonsense": "nonsense",
        "empty": "",
        "long": "x" * 5000,
        "foreign": ticket_of(new_player(deployed))["ticket"],
        "other key": _signed_with(deployed, other_keys, player.user_id),
        "expired": deployed.ticket_signer.sign(ActionTicket.new(player.user_id, str(uuid4()), long_ago)),
        "changed": f"{good[:-1]}{'A' if good[-1] != 'A' else 'Q'}",
    }
    assert player.score(1, X_Action_Ticket=tickets[kind]).problem == (403, "invalid_action_ticket")
    assert deployed.leaderboard.scores([player.user_id]) == {player.user_id: 0}
    assert player.score(1, X_Action_Ticket=good).status == 200, "the good one is not spent by that"


def _signed_with(deployed: Container, keys: str, user_id: str) -> str:
    from shared.boards.hmac_tickets import TicketSigner

    return TicketSigner.from_setting(keys).sign(ActionTicket.new(user_id, str(uuid4()), deployed.clock.now()))


def test_a_ticket_outlives_a_change_of_keys(deployed: Container, player: Player, redeploy: Redeploy) -> None:
    issued = ticket_of(player)
    redeploy(PAYLOAD_KEYS=f"newer:{base64.b64encode(secrets.token_bytes(32)).decode()},{deployed.settings.payload_keys}")
    assert ticket_of(player)["ticket"].startswith("newer.")
    assert player.score(1, X_Action_Ticket=issued["ticket"]).data["requestId"] == issued["requestId"]


def test_of_many_who_send_one_ticket_at_once_one_scores(deployed: Container, player: Player) -> None:
    ticket = ticket_of(player)["ticket"]
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: player.score(5, X_Action_Ticket=ticket), range(24)))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 23
    assert deployed.leaderboard.scores([player.user_id]) == {player.user_id: 5}


def test_a_retry_with_the_key_gets_the_first_answer(deployed: Container, player: Player, redeploy: Redeploy) -> None:
    redeploy(REQUIRE_ACTION_TICKET="true")
    ticket = ticket_of(player)["ticket"]
    first = player.score(3, Idempotency_Key="k", X_Action_Ticket=ticket)
    for again in (ticket, ticket_of(player)["ticket"]):
        reply = player.score(3, Idempotency_Key="k", X_Action_Ticket=again)
        assert (reply.data, reply.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert player.score(4, Idempotency_Key="k", X_Action_Ticket=ticket).problem == (422, "idempotency_key_reused")
    assert player.score(3, Idempotency_Key="another", X_Action_Ticket=ticket).problem == (409, "ticket_already_used")
    assert player.score(3, Idempotency_Key="k").problem == (428, "ticket_required")
    assert deployed.leaderboard.scores([player.user_id]) == {player.user_id: 3}


def test_an_update_over_the_limit_spends_no_ticket(deployed: Container, player: Player, redeploy: Redeploy) -> None:
    redeploy(RATE_LIMIT_REQUESTS="1")
    player.score()
    ticket = ticket_of(player)["ticket"]
    assert player.score(1, X_Action_Ticket=ticket).problem == (429, "rate_limited")
    redeploy(RATE_LIMIT_REQUESTS="2")
    assert player.score(1, X_Action_Ticket=ticket).data["score"] == 2


@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "k"}])
def test_a_ticket_spent_before_redis_lost_everything_is_not_spent_again(
    deployed: Container, redeploy: Redeploy, key: dict[str, str]
) -> None:
    new_board(redeploy)
    player = new_player(deployed)
    spent, unspent = ticket_of(player)["ticket"], ticket_of(player)["ticket"]
    with consuming(deployed):
        first = player.score(3, X_Action_Ticket=spent, **key).data
        eventually(lambda: deployed.ledger.recorded(first["requestId"]), what="the update is in the ledger")
    board = _empty_board(redeploy)
    retried = player.score(3, X_Action_Ticket=spent, **key)
    if key:
        assert (retried.data["requestId"], retried.data["score"]) == (first["requestId"], 3)
        assert retried.headers["Idempotency-Replayed"] == "true"
    else:
        assert retried.problem == (409, "ticket_already_used")
    assert board.leaderboard.scores([player.user_id]) == {player.user_id: 3}
    assert player.score(1, X_Action_Ticket=unspent).data["score"] == 4, "what was never spent is still good"


def test_a_ticket_spent_on_an_update_that_the_ledger_refused_is_not_spent_again(deployed: Container, redeploy: Redeploy) -> None:
    player = new_player(deployed)
    spent = ticket_of(player)
    refused = ScoreAccepted(spent["requestId"], player.user_id, 3, 2**40, deployed.clock.now(), "198.51.100.7")
    assert list(deployed.ledger.record([refused]).refused) == [spent["requestId"]]
    board = new_board(redeploy)
    assert player.score(3, X_Action_Ticket=spent["ticket"]).problem == (409, "ticket_already_used")
    assert board.leaderboard.scores([player.user_id]) == {player.user_id: 3}


def _empty_board(redeploy: Redeploy) -> Container:
    """A Redis that remembers nothing, filled from the ledger."""
    board = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:")
    board.leaderboard.rebuild(pages(board.reconciliations), board.hidden_players.pages_of_main())
    return board
