"""A product that takes no update without an action ticket: by the API, on the page, in a simulation."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import APIResponse, Browser, Route, expect

from tests.e2e.page_browser import Visitor
from tests.support.api import Player
from tests.support.product import ROOT, Product, clean_environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("tickets")

UPDATES = re.compile(r"/api/score/[^/?]+$")
TICKETS = re.compile(r"/api/score/[^/?]+/tickets$")
TOLERATED = [r"status of 428"]


@pytest.fixture(scope="module")
def strict() -> Iterator[Product]:
    """The product with REQUIRE_ACTION_TICKET=true."""
    with Product(REQUIRE_ACTION_TICKET="true") as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, strict: Product) -> Iterator[Visitor]:
    """A registered visitor of the page; at the end nothing may have gone wrong but what the test tolerates."""
    page = browser.new_context().new_page()
    visitor = Visitor(page, strict.base_url, list(TOLERATED))
    visitor.watch()
    page.goto(strict.base_url)
    visitor.register()
    yield visitor
    page.context.close()
    assert visitor.unexpected_errors() == []


def ticket_of(player: Player) -> dict[str, str]:
    answer = player.api.post(f"/api/score/{player.user_id}/tickets", headers=player.authorization)
    assert answer.status == 201
    issued: dict[str, str] = answer.data
    return issued


def test_an_update_needs_a_ticket_and_a_ticket_is_good_once(strict: Product) -> None:
    player = strict.api.new_player()
    refused = player.score(2)
    assert (refused.status, refused.json["code"]) == (428, "ticket_required")
    issued = ticket_of(player)
    header = {"X-Action-Ticket": issued["ticket"]}
    accepted = player.score(2, **header)
    assert (accepted.status, accepted.data["requestId"]) == (200, issued["requestId"])
    for again, code in ((header, 409), ({"X-Action-Ticket": ticket_of(strict.api.new_player())["ticket"]}, 403)):
        assert player.score(2, **again).status == code
    rows = eventually(
        lambda: strict.query("SELECT increment FROM score_history WHERE request_id = :id", id=issued["requestId"]),
        what="the update is in the ledger",
    )
    assert rows == [[2]]
    assert player.standing()["score"] == 2


def test_a_retry_with_key_and_ticket_gets_the_first_answer(strict: Product) -> None:
    player = strict.api.new_player()
    headers = {"X-Action-Ticket": ticket_of(player)["ticket"], "Idempotency-Key": "k"}
    first, again = player.score(4, **headers), player.score(4, **headers)
    assert again.data == first.data
    assert (first.headers["Idempotency-Replayed"], again.headers["Idempotency-Replayed"]) == (None, "true")
    assert player.standing()["score"] == 4


def test_a_restarted_redis_does_not_forget_a_spent_ticket(strict: Product) -> None:
    player = strict.api.new_player()
    header = {"X-Action-Ticket": ticket_of(player)["ticket"]}
    assert player.score(1, **header).status == 200
    strict.wait_replaced("redis", strict.kill("redis"))
    eventually(lambda: player.score(1, **header).status not in {500, 503}, 60, "updates were answered again")
    answer = player.score(1, **header)
    assert (answer.status, answer.json["code"]) in {(409, "ticket_already_used"), (403, "invalid_action_ticket")}
    assert player.standing()["score"] == 1


@pytest.mark.browser
def test_the_page_gets_a_ticket_for_every_press_and_has_to_be_told_once(visitor: Visitor) -> None:
    sent: list[str | None] = []
    visitor.page.on(
        "request",
        lambda request: sent.append(request.headers.get("x-action-ticket")) if UPDATES.search(request.url) else None,
    )
    for presses, points in enumerate((3, 5, 8), 1):
        visitor.press(points - (0, 3, 5)[presses - 1])
        visitor.expect_score(points)
        expect(visitor.score_button).to_be_enabled()
    assert sent[0] is None
    assert None not in sent[1:]
    assert len(set(sent[1:])) == 3
    assert sum("status of 428" in error for error in visitor.errors) == 1
    expect(visitor.page.locator("#play-notice")).to_be_hidden()


@pytest.mark.browser
def test_a_press_whose_answer_was_lost_is_sent_again_with_its_ticket_and_counts_once(visitor: Visitor) -> None:
    visitor.tolerated.append("ERR_CONNECTION_RESET")
    answers: list[APIResponse] = []
    sent: list[tuple[str | None, str | None]] = []

    def lose_the_first_answer(route: Route) -> None:
        headers = route.request.headers
        answers.append(route.fetch())
        if answers[-1].status == 428:
            route.fulfill(response=answers.pop())
            return
        sent.append((headers.get("idempotency-key"), headers.get("x-action-ticket")))
        if len(answers) == 1:
            route.abort("connectionreset")
        else:
            route.fulfill(response=answers[-1])

    visitor.page.route(UPDATES, lose_the_first_answer)
    visitor.press(4)
    visitor.expect_score(4)
    expect(visitor.score_button).to_be_enabled()
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert len(set(sent)) == 1
    assert None not in sent[0]


@pytest.mark.browser
def test_a_ticket_that_is_no_good_any_more_is_replaced_unnoticed(visitor: Visitor) -> None:
    visitor.tolerated.append("status of 403")
    tickets: list[str] = []

    def spoil_the_first(route: Route) -> None:
        issued = route.fetch().json()
        tickets.append(issued["data"]["ticket"])
        if len(tickets) == 1:
            issued["data"]["ticket"] += "A"
        route.fulfill(status=201, json=issued)

    visitor.page.route(TICKETS, spoil_the_first)
    visitor.press(2)
    visitor.expect_score(2)
    expect(visitor.score_button).to_be_enabled()
    assert len(tickets) == 2
    assert sum("status of 403" in error for error in visitor.errors) == 1
    expect(visitor.page.locator("#play-notice")).to_be_hidden()


def test_simulated_players_play_with_tickets_and_every_sum_is_right(strict: Product) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "local_runtime",
            "simulate",
            "--players",
            "4",
            "--seconds",
            "3",
            "--data-dir",
            str(strict.data_dir),
        ],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 4 scores are exactly what was acknowledged" in done.stdout
    assert "updates refused    0" in done.stdout
    assert "updates accepted   0 " not in done.stdout
