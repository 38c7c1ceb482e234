"""A board that the operator has made public: watched live without an account, in a browser and by a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect
from scoreboard_client import Scoreboard
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.page_browser import Visitor
from tests.support.api import problem
from tests.support.product import Product

pytestmark = pytest.mark.xdist_group("public-board")


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product(PUBLIC_LEADERBOARD="true") as running:
        yield running


@pytest.fixture
def visitors(browser: Browser, product: Product) -> Iterator[tuple[Visitor, Visitor]]:
    """Two browsers with the page open; at the end nothing may have gone wrong in either."""
    opened = []
    for _ in range(2):
        page = browser.new_context().new_page()
        visitor = Visitor(page, product.base_url, [])
        visitor.watch()
        page.goto(product.base_url)
        opened.append(visitor)
    yield opened[0], opened[1]
    for visitor in opened:
        violations = visitor.witness("violations")
        visitor.page.context.close()
        assert visitor.unexpected_errors() == []
        assert violations == []


@pytest.mark.browser
def test_a_score_of_somebody_signed_in_moves_the_board_of_somebody_who_is_not(visitors: tuple[Visitor, Visitor]) -> None:
    player, guest = visitors
    guest.expect_live()
    player.expect_live()
    player.register()
    player.press(4)
    expect(guest.page.locator("#board-list .row", has_text=player.username).locator(".score-value")).to_have_text("4")
    expect(guest.page.locator("#way-in")).to_be_visible()
    expect(guest.page.locator("#board-note")).to_be_hidden()
    expect(guest.score_button).to_be_hidden()

    player.page.get_by_role("button", name="Sign out").click()
    expect(player.page.locator("#way-in")).to_be_visible()
    player.expect_live()
    guest.register()
    guest.press(5)
    expect(player.page.locator("#board-list .row", has_text=guest.username).locator(".score-value")).to_have_text("5")


def test_a_program_watches_without_an_account(product: Product) -> None:
    player = product.api.new_player()
    with closing(Scoreboard(product.base_url)) as guest, guest.watch() as boards:
        player.score(3)
        assert any(line["userId"] == player.user_id and line["score"] == 3 for board in boards for line in board["data"])


def test_a_ticket_without_an_account_is_good_for_one_handshake_and_nothing_else(product: Product) -> None:
    api = product.api
    ticket = api.post("/api/ws-tickets").data["ticket"]
    player = api.new_player()
    for headers in ({"Authorization": f"Bearer {ticket}"}, {"X-Action-Ticket": ticket}):
        assert problem(api.post(f"/api/score/{player.user_id}", {"increment": 1}, headers))[0] == 401
    address = api.websocket_url(f"/ws?ticket={ticket}")
    with connect(address) as viewer:
        assert '"type":"leaderboard"' in str(viewer.recv(10))
    with pytest.raises(InvalidStatus, match="401"):
        connect(address)
    assert player.standing()["score"] == 0
