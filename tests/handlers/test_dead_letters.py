"""Dead letters through their endpoints and the operator's function, with a consumer at work."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.boards.board import MAIN
from shared.container import Container
from shared.core.errors import InvalidParameter, NotFound
from shared.ledger.catch_up import Pipeline, catch_up
from shared.ledger.dead_letter import PARKED
from shared.ledger.events import Number, RefusedMessage, ScoreAccepted
from shared.ledger.messages import EventCodec
from shared.ledger.queues import DEAD_LETTERS
from tests.handlers.boards import define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.consumer import HISTORY, RETRIES, Bench
from tests.handlers.events import HandlerReply, call, invoke
from tests.handlers.players import Player, accepted_points, add_account, consuming, new_player
from tests.support.product import query
from tests.support.waiting import eventually

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
LIST, SHOW = "GET /api/admin/dead-letters", "GET /api/admin/dead-letters/{id}"
REDRIVE, DISCARD = "POST /api/admin/dead-letters/redrive", "POST /api/admin/dead-letters/discard"
UNREADABLE = b'{"request_id": "no message"}'


@pytest.fixture
def bench(deployed: Container, database_url: str) -> Iterator[Bench]:
    """No letters but the test's own."""
    made = Bench(deployed)
    query(database_url, "DELETE FROM unrecorded_updates")
    made.drain(HISTORY)
    yield made
    query(database_url, "DELETE FROM unrecorded_updates")
    for queue in (HISTORY, DEAD_LETTERS):
        made.drain(queue)


@pytest.fixture
def parked(bench: Bench) -> ScoreAccepted:
    """One update whose player is not known, among the dead letters."""
    event = bench.event(str(uuid4()), 4)
    bench.record(bench.codec.update(event), x_attempts=3)
    eventually(lambda: bench.deployed.dead_letter_queue.count() == 1, 60, "it parked")
    return event


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


def listed(caller: Player, **query_string: str) -> HandlerReply:
    return call("list_dead_letters", LIST, headers=caller.authorization, query=query_string)


def shown(caller: Player, name: object) -> HandlerReply:
    return call("show_dead_letter", SHOW, headers=caller.authorization, path_parameters={"id": str(name)})


def redriven(caller: Player, body: object) -> HandlerReply:
    return call("redrive_dead_letters", REDRIVE, headers=caller.authorization, body=body)


def discarded(caller: Player, body: object) -> HandlerReply:
    return call("discard_dead_letters", DISCARD, headers=caller.authorization, body=body)


def test_an_admin_sees_why(admin: Player, parked: ScoreAccepted) -> None:
    page = listed(admin)
    assert page.status == 200
    (letter,) = page.json["data"]
    assert (page.json["total"], page.json["nextCursor"]) == (1, None)
    assert letter["requestId"] == parked.request_id
    assert (letter["userId"], letter["increment"], letter["reason"], letter["attempts"]) == (parked.user_id, 4, "unknown user", 4)
    assert (letter["state"], letter["origin"]) == ("parked", "score_history_queue")


def test_they_are_paged_and_chosen_by_state(bench: Bench, admin: Player) -> None:
    events = [bench.event(str(uuid4())) for _ in range(5)]
    for event, attempts in zip(events, (3, 3, 0, 3, 0), strict=True):
        bench.record(bench.codec.update(event), x_attempts=attempts)
    first = listed(admin, limit="3").json
    second = listed(admin, limit="3", cursor=first["nextCursor"]).json
    assert [letter["requestId"] for letter in first["data"] + second["data"]] == [event.request_id for event in events]
    assert (first["total"], second["nextCursor"]) == (5, None)
    assert listed(admin, state="waiting").json["total"] == 2
    assert listed(admin, state="discarded").json["data"] == []
    assert listed(admin, state="lost").problem == listed(admin, cursor="x").problem == (422, "invalid_parameter")


def test_one_is_shown_whole_and_opened(admin: Player, parked: ScoreAccepted) -> None:
    (letter,) = listed(admin).json["data"]
    whole = shown(admin, letter["id"]).data
    assert whole == shown(admin, parked.request_id).data
    assert letter.items() <= whole.items()
    assert whole["content"] == {
        "requestId": parked.request_id,
        "userId": parked.user_id,
        "increment": 4,
        "newScore": 4,
        "acceptedAt": "2026-11-23T12:00:00.123Z",
        "sourceIp": "198.51.100.7",
    }
    assert (json.loads(whole["body"])["request_id"], whole["unreadable"], whole["isWhole"]) == (parked.request_id, None, True)
    assert [(step["state"], step["attempts"], step["reason"]) for step in whole["history"]] == [("parked", 4, "unknown user")]
    for name in (2**62, "9" * 40, "no-such-letter"):
        assert shown(admin, name).problem == (404, "not_found")


def test_one_that_cannot_be_opened_is_shown_with_what_came(bench: Bench, admin: Player) -> None:
    bench.record(b"\xff\x00 nonsense")
    (letter,) = listed(admin).json["data"]
    assert (letter["requestId"], letter["userId"], letter["increment"]) == (None, None, None)
    whole = shown(admin, letter["id"]).data
    assert (whole["content"], whole["unreadable"]) == (None, "not a message of score_history_queue")
    assert whole["body"] == "\\xff\x00 nonsense"


def test_a_redrive_after_the_cause_is_gone_counts_once(
    bench: Bench, admin: Player, parked: ScoreAccepted, database_url: str
) -> None:
    deployed = bench.deployed
    add_account(deployed, parked.user_id)
    with consuming(deployed):
        done = redriven(admin, {}).data
        (told,) = done.pop("letters")
        assert done == {"redriven": 1, "left": 0, "outcomes": {"recorded": 1}}
        assert (told["requestId"], told["outcome"], told["reason"]) == (parked.request_id, "recorded", None)
        assert deployed.ledger.totals([parked.user_id]) == {parked.user_id: 4}
        body = EventCodec(deployed.sealer, MAIN.increments).update(parked)
        deployed.topology.park([RefusedMessage(body, "unknown user", 4)])
        eventually(lambda: deployed.dead_letter_queue.count() == 1, 60, "a second copy parked")
        again = redriven(admin, {"requestIds": [parked.request_id]}).data
        assert (again["redriven"], again["left"], again["outcomes"]) == (0, 0, {"already_recorded": 1})
        catch_up(Pipeline(deployed.ledger, deployed.outbox, deployed.publisher, deployed.clock, 20.0))
    assert bench.drain(DEAD_LETTERS) == [], "no copy is left"
    assert deployed.ledger.totals([parked.user_id]) == {parked.user_id: 4}
    audited = query(
        database_url, "SELECT count(*) FROM audit_log WHERE action = 'dead_letters_redriven' AND actor = :id", id=admin.user_id
    )
    assert audited == [[2]]


def test_what_still_cannot_be_recorded_is_returned_with_its_reason(bench: Bench, admin: Player, parked: ScoreAccepted) -> None:
    bench.record(UNREADABLE)
    with consuming(bench.deployed):
        done = redriven(admin, {"limit": 5}).data
    assert (done["redriven"], done["left"], done["outcomes"]) == (2, 2, {"returned": 2})
    reasons = {told["requestId"]: told["reason"] for told in done["letters"]}
    assert reasons == {parked.request_id: "unknown user", None: "not a message of score_history_queue"}
    letters = {letter["requestId"]: letter for letter in listed(admin).json["data"]}
    assert {letter["attempts"] for letter in letters.values()} == {5, 2}
    states = [step["state"] for step in shown(admin, parked.request_id).data["history"]]
    assert states == ["parked", "redriven", "parked"]
    copies = bench.drain(DEAD_LETTERS)
    assert {(properties.headers["x-reason"], properties.headers["x-attempts"]) for properties, _ in copies} == {
        ("unknown user", 5),
        ("not a message of score_history_queue", 2),
    }
    assert len(copies) == 2, "the copies of before are gone"


def test_one_that_could_not_be_opened_is_recorded_when_its_key_is_back(bench: Bench, admin: Player) -> None:
    player = new_player(bench.deployed)
    event = bench.event(player.user_id, 3)
    refused = RefusedMessage(bench.codec.update(event), "sealed with the key k9, which is not here", 1)
    bench.deployed.ledger.record([], unreadable=[refused])
    with consuming(bench.deployed):
        done = redriven(admin, {}).data
    assert (done["outcomes"], done["left"]) == ({"recorded": 1}, 0)
    assert bench.deployed.ledger.totals([player.user_id]) == {player.user_id: 3}


def test_without_a_consumer_it_is_moved_and_its_outcome_not_known(bench: Bench, parked: ScoreAccepted) -> None:
    done = invoke("manage_dead_letters", {"action": "redrive", "waitSeconds": 0})
    assert (done["redriven"], done["left"], done["outcomes"]) == (1, 0, {"moved": 1})
    assert len(bench.drain(HISTORY)) == 1
    again = invoke("manage_dead_letters", {"action": "redrive", "requestIds": [parked.request_id], "waitSeconds": 0})
    assert (again["redriven"], again["letters"][0]["outcome"]) == (0, "not_found")


def test_an_update_that_waits_for_another_try_is_redriven_now(bench: Bench, admin: Player) -> None:
    event = bench.event(str(uuid4()), 2)
    bench.record(bench.codec.update(event))
    add_account(bench.deployed, event.user_id)
    with consuming(bench.deployed):
        assert redriven(admin, {}).data["outcomes"] == {"recorded": 1}
    assert bench.deployed.ledger.totals([event.user_id]) == {event.user_id: 2}
    assert bench.deployed.ledger.recorded(event.request_id) is not None


def test_a_broker_that_takes_nothing_leaves_them_parked(bench: Bench, admin: Player, parked: ScoreAccepted) -> None:
    with bench.without(HISTORY):
        assert redriven(admin, {}).problem == (503, "broker_unavailable")
    (letter,) = listed(admin).json["data"]
    assert (letter["state"], letter["requestId"]) == ("parked", parked.request_id)


def test_without_the_broker_they_are_listed_shown_and_discarded(
    bench: Bench, redeploy: Redeploy, admin: Player, parked: ScoreAccepted
) -> None:
    redeploy(AMQP_URL="amqp://u:p@127.0.0.1:1/%2F", AMQP_CA_FILE="")
    assert listed(admin).json["total"] == 1
    assert shown(admin, parked.request_id).status == 200
    assert redriven(admin, {}).problem == (503, "broker_unavailable")
    assert discarded(admin, {"all": True, "reason": "test"}).data["outcomes"] == {"discarded": 1}


def test_a_discarded_one_is_gone_from_the_broker_and_stays_readable(
    bench: Bench, admin: Player, parked: ScoreAccepted, database_url: str
) -> None:
    bench.record(UNREADABLE)
    ids = [letter["id"] for letter in listed(admin).json["data"]]
    done = discarded(admin, {"ids": [*ids, 2**40], "reason": " forged "}).data
    assert (done["discarded"], done["left"], done["outcomes"]) == (2, 0, {"discarded": 2, "not_found": 1})
    assert listed(admin).json["total"] == 0
    assert {letter["id"] for letter in listed(admin, state="discarded").json["data"]} == set(ids)
    assert bench.drain(DEAD_LETTERS) == []
    last = shown(admin, parked.request_id).data["history"][-1]
    assert (last["state"], last["reason"], last["by"]) == ("discarded", "forged", admin.user_id)
    again = discarded(admin, {"ids": ids, "reason": "again"}).data
    assert (again["discarded"], again["outcomes"]) == (0, {"discarded": 2})
    audited = query(
        database_url, "SELECT detail FROM audit_log WHERE action = 'dead_letter_discarded' AND actor = :id", id=admin.user_id
    )
    assert [detail["reason"] for [detail] in audited] == ["forged", "forged"]


def test_its_points_leave_the_board_with_the_next_reconciliation(bench: Bench, admin: Player, parked: ScoreAccepted) -> None:
    add_account(bench.deployed, parked.user_id)
    assert accepted_points(bench.deployed, parked.user_id) == 4
    discarded(admin, {"requestIds": [parked.request_id], "reason": "forged"})
    assert accepted_points(bench.deployed, parked.user_id) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "x"},
        {"ids": [1]},
        {"ids": [1], "reason": " "},
        {"ids": [1], "reason": "x" * 501},
        {"ids": [1], "reason": 5},
        {"ids": [1], "all": True, "reason": "x"},
        {"all": 1, "reason": "x"},
        {"all": False, "reason": "x"},
        {"ids": None, "reason": "x"},
        {"ids": ["1"], "reason": "x"},
        {"ids": [0], "reason": "x"},
        {"ids": [2**63], "reason": "x"},
        {"ids": [True], "reason": "x"},
    ],
)
def test_a_discard_that_says_nonsense_discards_nothing(admin: Player, parked: ScoreAccepted, body: dict[str, Any]) -> None:
    assert discarded(admin, body).problem == (422, "invalid_parameter")
    assert listed(admin).json["total"] == 1


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
        {"ids": []},
        {"ids": None},
        {"ids": ["1"]},
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
        shown(player, parked.request_id),
        redriven(player, {}),
        discarded(player, {"all": True, "reason": "x"}),
        call("start_reconciliation", "POST /api/admin/reconciliations", headers=player.authorization, body={}),
    ):
        assert reply.problem == (403, "forbidden")
    assert deployed.dead_letters.count([PARKED]) == 1


def test_what_an_earlier_version_parked_is_listed_and_redriven(bench: Bench, admin: Player) -> None:
    """It lies in the broker alone."""
    player = new_player(bench.deployed)
    events = [bench.event(player.user_id) for _ in range(40)]
    bench.deployed.topology.park([RefusedMessage(bench.codec.update(event), "unknown user", 4) for event in events])
    eventually(lambda: bench.deployed.dead_letter_queue.count() == 40, 60, "all of them parked")
    page = listed(admin, limit="5").json
    assert page["total"] == 40
    assert [letter["requestId"] for letter in page["data"]] == [event.request_id for event in events[:5]]
    with consuming(bench.deployed):
        done = redriven(admin, {}).data
    assert (done["outcomes"], done["left"]) == ({"recorded": 40}, 0)
    assert bench.deployed.ledger.totals([player.user_id]) == {player.user_id: 40}
    assert bench.drain(DEAD_LETTERS) == []


def test_letters_whose_copies_are_lost_are_published_again(bench: Bench, database_url: str) -> None:
    """As after a broker that came back empty: one waited for another try, one was being redriven."""
    waiting, redriven_one = bench.event(str(uuid4())), bench.event(str(uuid4()))
    bench.record(bench.codec.update(waiting))
    bench.record(bench.codec.update(redriven_one), x_attempts=3)
    invoke("manage_dead_letters", {"action": "redrive", "requestIds": [redriven_one.request_id], "waitSeconds": 0})

    def resent() -> int:
        """While anything is in the queues it is waited for, also what other tests left there."""
        for queue in (HISTORY, *RETRIES):
            bench.drain(queue)
        return int(invoke("relay_outbox", {}).get("resent", 0))

    assert resent() == 0
    query(database_url, "UPDATE unrecorded_updates SET changed_at = changed_at - INTERVAL '70 seconds'")
    assert eventually(resent, 60, "the queues known to be empty") == 2
    assert invoke("relay_outbox", {}).get("resent", 0) == 0
    for event in (waiting, redriven_one):
        add_account(bench.deployed, event.user_id)
    with consuming(bench.deployed):
        eventually(lambda: bench.deployed.dead_letters.count(["waiting", "redriven"]) == 0, 60, "both settled")
    for event in (waiting, redriven_one):
        assert bench.deployed.ledger.totals([event.user_id]) == {event.user_id: 1}


def test_while_queues_are_long_it_waits_longer_before_it_publishes_again(bench: Bench, database_url: str) -> None:
    bench.record(bench.codec.update(bench.event(str(uuid4()))))  # and is in its retry queue still
    query(database_url, "UPDATE unrecorded_updates SET changed_at = changed_at - INTERVAL '70 seconds'")
    assert invoke("relay_outbox", {}).get("resent", 0) == 0
    query(database_url, "UPDATE unrecorded_updates SET changed_at = changed_at - INTERVAL '600 seconds'")
    assert invoke("relay_outbox", {}).get("resent", 0) == 1
    bench.drain(RETRIES[0])


def test_the_operators_function_lists_shows_redrives_and_discards(bench: Bench, parked: ScoreAccepted) -> None:
    (letter,) = invoke("manage_dead_letters", {"action": "list"})["data"]
    assert letter["requestId"] == parked.request_id
    assert invoke("manage_dead_letters", {"action": "show", "id": letter["id"]})["content"]["increment"] == 4
    assert invoke("manage_dead_letters", {"action": "redrive", "requestIds": [str(uuid4())]})["redriven"] == 0
    done = invoke("manage_dead_letters", {"action": "discard", "all": True, "reason": "test"})
    assert (done["discarded"], done["left"]) == (1, 0)
    for event, error in (
        ({"action": "purge"}, InvalidParameter),
        ({"action": "show"}, NotFound),
        ({"action": "discard", "all": True}, InvalidParameter),
        ({"action": "redrive", "waitSeconds": 241}, InvalidParameter),
        ({"action": "list", "limit": 0}, InvalidParameter),
        ({"action": "list", "cursor": 5}, InvalidParameter),
    ):
        with pytest.raises(error):
            invoke("manage_dead_letters", event)


def test_an_entry_on_another_board_is_kept_shown_and_redriven_as_an_update_is(
    bench: Bench, deployed: Container, admin: Player, database_url: str
) -> None:
    board_id, user_id = define_board(deployed), str(uuid4())
    entry = bench.event(user_id, 2**40)._replace(
        number=Number(2**30 + secrets.randbelow(2**20), 7), board_id=board_id, metadata='{"car":"r"}', places="all_time:1:1:0:1:1"
    )
    bench.record(bench.codec.update(entry), x_attempts=3)
    eventually(lambda: bench.deployed.dead_letter_queue.count() == 1, 60, "it parked")
    letter = shown(admin, entry.request_id).data
    assert (letter["reason"], letter["increment"], letter["number"]["sequence"]) == ("unknown user", None, 7)
    assert {name: letter["content"][name] for name in ("board", "value", "metadata", "places")} == {
        "board": board_id,
        "value": 2**40,
        "metadata": {"car": "r"},
        "places": entry.places,
    }
    add_account(deployed, user_id)
    with consuming(deployed):
        assert redriven(admin, {"ids": [letter["id"]]}).status == 200
        sql = "SELECT score FROM season_totals WHERE user_id = :user_id"
        eventually(lambda: query(database_url, sql, user_id=user_id) == [[2**40]], 60, "the entry recorded")
        eventually(lambda: listed(admin).json["total"] == 0, 60, "no letter left")
    found = call("get_audit_log", "GET /api/admin/audit-log", headers=admin.authorization, query={"requestId": entry.request_id})
    assert "score_accepted" in [row["action"] for row in found.data]
    unknown = entry._replace(
        request_id=str(uuid4()), number=Number(2**30 + secrets.randbelow(2**20), 8), board_id="no-such-board"
    )
    bench.record(bench.codec.update(unknown), x_attempts=3)
    assert shown(admin, unknown.request_id).data["reason"] == "unknown board"
