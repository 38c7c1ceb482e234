"""DELETE /api/tokens."""

from __future__ import annotations

import pytest

from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.dying import dismissed, killed
from tests.handlers.events import REQUEST_ID, SOURCE_IP, HandlerReply, call, invoke
from tests.handlers.players import new_board
from tests.handlers.sessions import LoggedIn, newcomer
from tests.support.product import query
from tests.support.waiting import eventually

ROUTE = "DELETE /api/tokens"


@pytest.fixture
def player(deployed: Container) -> LoggedIn:
    return newcomer()


def log_out(session: LoggedIn, **query_parameters: str) -> HandlerReply:
    return session.call("log_out", ROUTE, query=query_parameters)


def test_who_logs_out_is_out_with_the_next_request(player: LoggedIn) -> None:
    elsewhere = player.again()
    assert player.is_in()
    assert log_out(player).status == 204
    assert not player.is_in()
    assert player.score().problem == (401, "session_ended")
    assert log_out(player).problem == (401, "session_ended")
    assert not player.can_stay()
    assert elsewhere.is_in()
    assert elsewhere.can_stay()


def test_the_access_tokens_of_a_session_end_with_it_however_many_there_are(deployed: Container, player: LoggedIn) -> None:
    tokens = call("issue_token", "POST /api/tokens", body={"refreshToken": player.refresh_token}).data
    assert deployed.identify(tokens["accessToken"]).session_id == deployed.identify(player.access_token).session_id
    assert log_out(player).status == 204
    later = LoggedIn(player.user_id, player.username, "", tokens["accessToken"], tokens["refreshToken"])
    assert not later.is_in()
    assert not later.can_stay()


def test_everywhere_is_everywhere_and_only_this_account(player: LoggedIn) -> None:
    elsewhere, other = player.again(), newcomer()
    assert log_out(player, everywhere="true").status == 204
    assert not any(session.is_in() or session.can_stay() for session in (player, elsewhere))
    assert other.is_in()
    assert player.again().is_in(), "who logs in again is in"


@pytest.mark.parametrize("everywhere", ["false", "true"])
def test_a_second_try_is_effective_when_the_first_one_died_between_the_stores(
    deployed: Container, player: LoggedIn, everywhere: str
) -> None:
    elsewhere = player.again()
    with dismissed(deployed) as labels:
        killed(deployed, lambda: log_out(player, everywhere=everywhere))
        assert player.is_in(), "Redis does not know yet"
        assert log_out(player, everywhere=everywhere).status == 204
        assert not player.is_in()
        assert elsewhere.is_in() is (everywhere == "false")
        eventually(lambda: deployed.identify(player.access_token).session_id in labels(), what="its sockets are closed")


def test_without_a_second_try_the_schedule_makes_it_effective(deployed: Container, player: LoggedIn) -> None:
    killed(deployed, lambda: log_out(player, everywhere="true"))
    assert player.is_in()
    with dismissed(deployed) as labels:
        invoke("forget_sessions", {})
        assert not player.is_in()
        eventually(lambda: deployed.identify(player.access_token).session_id in labels(), what="its sockets are closed")


def test_a_redis_that_lost_everything_keeps_them_out(player: LoggedIn, redeploy: Redeploy) -> None:
    elsewhere = player.again()
    log_out(player)
    new_board(redeploy)
    assert not player.is_in()
    assert elsewhere.is_in()


def test_it_is_said_clearly_and_stands_in_the_audit_log(player: LoggedIn, database_url: str) -> None:
    assert log_out(player, everywhere="yes").problem == (422, "invalid_parameter")
    assert log_out(player, everywhere="false").status == 204
    rows = query(
        database_url,
        "SELECT actor, source_ip, request_id, detail FROM audit_log WHERE action = 'logged_out' AND user_id = :id",
        id=player.user_id,
    )
    assert rows == [[player.user_id, SOURCE_IP, REQUEST_ID, {"everywhere": False}]]


def test_a_token_of_no_session_of_ours_ends_only_all_there_are(deployed: Container, player: LoggedIn) -> None:
    token, _ = deployed.access_tokens.issue(player.user_id, "player", deployed.clock.now())
    headers = {"Authorization": f"Bearer {token}"}
    assert call("log_out", ROUTE, headers=headers).problem == (409, "no_session")
    assert player.is_in()
    assert call("log_out", ROUTE, headers=headers, query={"everywhere": "true"}).status == 204
    assert not player.is_in()
