"""Dead letters through their endpoints and the operator's function, with a consumer at work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.adapters.rabbitmq.codec import RabbitEventCodec
from shared.adapters.rabbitmq.topology import DEAD_LETTERS
from shared.domain.score import RefusedMessage, ScoreAccepted
from shared.errors import InvalidParameter
from shared.services.catch_up import Pipeline, catch_up
from shared.wiring import Container
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, add_account, consuming, delivered, new_player
from tests.support.product import query
from tests.support.waiting import eventually

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
LIST, REDRIVE = "GET /api/admin/dead-letters", "POST /api/admin/dead-letters/redrive"


@pytest.fixture
def parked(deployed: Container) -> Iterator[ScoreAccepted]:
    """One update whose player is not known, among the dead letters."""
    event = ScoreAccepted(str(uuid4()), str(uuid4()), 4, 4, ACCEPTED_AT, "198.51.100.7")
    with delivered(deployed, DEAD_LETTERS):
        body = RabbitEventCodec(deployed.sealer).update(event)
        deployed.topology.park([RefusedMessage(body, "unknown_user", 4, event=event)])
        eventually(lambda: deployed.dead_letters.peek(1)[1] == 1, 10, "it parked")
        yield event


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


def listed(caller: Player, **query_string: str) -> HandlerReply:
    return call("list_dead_letters", LIST, headers=caller.authorization, query=query_string)


def redriven(caller: Player, body: object) -> HandlerReply:
    return call("redrive_dead_letters", REDRIVE, headers=caller.authorization, body=body)


def test_an_admin_sees_why(admin: Player, parked: ScoreAccepted) -> None:
    page = listed(admin)
    assert page.status == 200
    (letter,) = page.json["data"]
    assert (page.json["total"], page.json["nextCursor"]) == (1, None)
    assert letter["requestId"] == parked.request_id
    assert (letter["userId"], letter["increment"], letter["reason"], letter["attempts"]) == (parked.user_id, 4, "unknown_user", 4)


def test_a_redrive_after_the_cause_is_gone_counts_once(
    deployed: Container, admin: Player, parked: ScoreAccepted, database_url: str
) -> None:
    add_account(deployed, parked.user_id)
    with consuming(deployed):
        assert redriven(admin, {}).data == {"redriven": 1, "left": 0}
        eventually(lambda: deployed.ledger.totals([parked.user_id]) == {parked.user_id: 4}, 20, "it in the ledger")
        body = RabbitEventCodec(deployed.sealer).update(parked)
        deployed.topology.park([RefusedMessage(body, "unknown_user", 4, event=parked)])
        eventually(lambda: deployed.dead_letters.peek(1)[1] == 1, 10, "a second copy parked")
        assert redriven(admin, {"requestIds": [parked.request_id]}).data == {"redriven": 1, "left": 0}
        catch_up(Pipeline(deployed.ledger, deployed.outbox, deployed.publisher, deployed.clock, 20.0))
    assert deployed.ledger.totals([parked.user_id]) == {parked.user_id: 4}
    audited = query(
        database_url, "SELECT count(*) FROM audit_log WHERE action = 'dead_letters_redriven' AND actor = :id", id=admin.user_id
    )
    assert audited == [[2]]


def test_what_still_cannot_be_recorded_is_parked_again(deployed: Container, admin: Player, parked: ScoreAccepted) -> None:
    body = RabbitEventCodec(deployed.sealer).update(parked)[:-9] + b'ZZZZZZZ"}'  # cannot be opened
    with delivered(deployed, DEAD_LETTERS) as taken:
        deployed.topology.park([RefusedMessage(body, "cannot_be_decrypted", 0)])
        eventually(lambda: deployed.dead_letters.peek(1)[1] == 1, 10, "it parked")
        with consuming(deployed):
            assert redriven(admin, {"limit": 5}).data["redriven"] == 1
            eventually(lambda: deployed.dead_letters.peek(1)[1] == 1, 20, "it parked again")
        assert taken() == [body]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": True},
        {"limit": "7"},
        {"limit": 10_001},
        {"requestIds": []},
        {"requestIds": [1]},
        {"requestIds": None},
    ],
)
def test_a_redrive_that_says_nonsense_moves_nothing(admin: Player, parked: ScoreAccepted, body: dict[str, Any]) -> None:
    assert redriven(admin, body).problem == (422, "invalid_parameter")
    assert listed(admin).json["total"] == 1


@pytest.mark.parametrize("limit", ["0", "101", "all"])
def test_a_limit_out_of_range_is_told(admin: Player, limit: str) -> None:
    assert listed(admin, limit=limit).problem == (422, "invalid_parameter")


def test_players_are_kept_away(deployed: Container, parked: ScoreAccepted) -> None:
    player = new_player(deployed)
    for reply in (
        listed(player),
        redriven(player, {}),
        call("start_reconciliation", "POST /api/admin/reconciliations", headers=player.authorization, body={}),
    ):
        assert reply.problem == (403, "forbidden")
    assert deployed.dead_letters.peek(1)[1] == 1


def test_the_operators_function_lists_and_redrives(deployed: Container, parked: ScoreAccepted) -> None:
    assert invoke("manage_dead_letters", {"action": "list"})["data"][0]["requestId"] == parked.request_id
    with delivered(deployed, "score_history_queue") as taken:
        assert invoke("manage_dead_letters", {"action": "redrive", "requestIds": [str(uuid4())]})["redriven"] == 0
        assert invoke("manage_dead_letters", {"action": "redrive"}) == {"redriven": 1, "left": 0}
        eventually(lambda: len(taken()) == 1, 10, "it back in the queue")
    with pytest.raises(InvalidParameter):
        invoke("manage_dead_letters", {"action": "purge"})
