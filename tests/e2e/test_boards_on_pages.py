"""Boards beside `main` on the pages: chosen, watched, played and read back by players, made and looked after by admins."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.page_browser import Visitor, make_admin, sign_in
from tests.support.api import PASSWORD, Api, Player
from tests.support.product import Product

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, product: Product) -> Iterator[Visit]:
    """Open a page; at the end nothing may have gone wrong in any of them."""
    visitors: list[Visitor] = []

    def open_page(path: str = "/", tolerate: str = "^$", **context_options: Any) -> Visitor:
        page = browser.new_context(**context_options).new_page()
        visitor = Visitor(page, product.base_url, [tolerate])
        visitor.watch()
        visitors.append(visitor)
        page.goto(product.base_url + path)
        return visitor

    yield open_page
    for visitor in visitors:
        violations = visitor.witness("violations")
        visitor.page.context.close()
        assert visitor.unexpected_errors() == []
        assert violations == []
        assert visitor.foreign_requests() == []


@pytest.fixture(scope="module")
def admin_name(product: Product) -> str:
    return make_admin(product)


@pytest.fixture(scope="module")
def admin(product: Product, admin_name: str) -> dict[str, str]:
    """The header of an admin."""
    tokens = product.api.post("/api/tokens", {"username": admin_name, "password": PASSWORD}).data
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


@pytest.fixture
def board(api: Api, admin: dict[str, str]) -> Iterator[str]:
    """A public one of two periods, where the smallest value stands first."""
    name = f"laps-{secrets.token_hex(4)}"
    periods = [{"name": "cup"}, {"name": "all_time"}]
    definition = {"title": f"Laps of {name}", "order": "ascending", "operator": "best", "minValue": 1, "maxValue": 999_999}
    assert api.request("PUT", f"/api/boards/{name}", {**definition, "periods": periods, "public": True}, admin).status == 201
    yield name
    assert api.request("DELETE", f"/api/boards/{name}", headers=admin).status in (204, 404)


def enter(player: Player, board: str, value: int) -> None:
    path = f"/api/boards/{board}/scores/{player.user_id}"
    assert player.api.post(path, {"value": value}, player.authorization).status == 200


def rows(visitor: Visitor) -> Locator:
    return visitor.page.locator("#chosen [data-slot=list] .row")


def expect_ranking(visitor: Visitor, *ranking: tuple[str, str]) -> None:
    """Names and scores from the top."""
    expect(rows(visitor).locator(".name")).to_have_text([name for name, _ in ranking])
    expect(rows(visitor).locator(".score-value")).to_have_text([score for _, score in ranking])


def test_a_guest_chooses_a_board_and_sees_an_entry_come_in(board: str, visit: Visit, api: Api) -> None:
    first, second = api.new_player(), api.new_player()
    enter(first, board, 61_250)
    guest = visit()
    page = guest.page
    expect(page.locator("#board")).to_be_visible()
    page.get_by_label("Board", exact=True).select_option(board)
    expect(page.get_by_role("heading", name=f"Laps of {board}")).to_be_visible()
    expect_ranking(guest, (first.username, "61,250"))
    expect(page.locator("#board")).to_be_hidden()
    assert page.url.endswith(f"/?board={board}")

    enter(second, board, 60_000)
    expect_ranking(guest, (second.username, "60,000"), (first.username, "61,250"))
    expect(page.get_by_text("2 players")).to_be_visible()

    page.get_by_role("navigation", name="Periods").get_by_role("link", name="all time").click()
    expect(page.get_by_role("link", name="all time")).to_have_attribute("aria-current", "true")
    expect(rows(guest)).to_have_count(2)
    page.reload()
    assert page.url.endswith(f"/?board={board}&period=all_time")
    expect(rows(guest)).to_have_count(2)
    page.go_back()
    expect(page.get_by_role("link", name="cup")).to_have_attribute("aria-current", "true")
    page.get_by_label("Board", exact=True).select_option("main")
    expect(page.get_by_text("Only players see this board.")).to_be_visible()
    assert page.url.endswith("/")


def test_a_board_that_has_not_begun_takes_no_entry_and_an_empty_season_says_that_it_is_over(
    visit: Visit, api: Api, admin: dict[str, str]
) -> None:
    board = f"late-{secrets.token_hex(4)}"
    definition = {"public": True, "periods": [{"name": "cup", "startsAt": "2099-12-01T18:00:00Z"}]}
    assert api.request("PUT", f"/api/boards/{board}", definition, admin).status == 201
    visitor = visit()
    visitor.register()
    visitor.page.goto(f"{visitor.base_url}/?board={board}")
    expect(visitor.page.get_by_text("Begins 1 Dec 2099")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Send")).to_be_hidden()
    assert api.request("PUT", f"/api/boards/{board}", {"public": True, "periods": [{"name": "cup"}]}, admin).status == 200
    visitor.page.reload()
    expect(visitor.page.get_by_text("Nobody is on this board yet.")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Send")).to_be_visible()
    assert api.post(f"/api/boards/{board}/reset", {"period": "cup"}, admin).status == 200
    visitor.page.get_by_label("Season", exact=True).select_option("1")
    expect(visitor.page.get_by_text("Nobody played in this season.")).to_be_visible()
    assert api.request("DELETE", f"/api/boards/{board}", headers=admin).status == 204


def test_a_player_sends_entries_and_reads_a_past_season(board: str, visit: Visit, api: Api, admin: dict[str, str]) -> None:
    others = [api.new_player() for _ in range(12)]
    for place, other in enumerate(others):
        enter(other, board, 1_000 + place)
    visitor = visit(f"/?board={board}", tolerate="status of 422")
    page = visitor.page
    visitor.register()
    expect(rows(visitor)).to_have_count(10)
    expect(page.get_by_text("You are not on this board yet.")).to_be_visible()
    value, send = page.get_by_label("Value", exact=True), page.get_by_role("button", name="Send")
    value.fill("1.5")
    send.click()
    expect(page.get_by_role("alert").get_by_text("The value is a whole number. From 1 to 999,999.")).to_be_visible()
    value.fill("5000")
    send.click()
    expect(page.locator("#entry-notice")).to_have_text("Counted, and you stand better. Score 5,000, rank 13.")
    expect(page.locator("#own-place .value")).to_have_text("13")
    expect(page.locator("#chosen [data-slot=neighbours] .own .score-value")).to_have_text("5,000")
    page.get_by_role("button", name="Show more").click()
    expect(rows(visitor)).to_have_count(13)
    expect(page.locator("#chosen [data-slot=around]")).to_be_hidden()

    assert api.post(f"/api/boards/{board}/reset", {"period": "cup"}, admin).status == 200
    expect(page.get_by_text("Nobody is on this board yet.")).to_be_visible()
    page.get_by_label("Season", exact=True).select_option("1")
    expect(page.get_by_text("Season 1 has ended")).to_be_visible()
    expect(rows(visitor)).to_have_count(10)
    expect(page.locator("#own-place .value")).to_have_text("13")
    page.get_by_text("Your way through the season").click()
    expect(page.get_by_role("img", name="One entry: from 5,000 to 5,000, best rank 13.")).to_be_visible()
    expect(send).to_be_hidden()
    assert page.url.endswith(f"/?board={board}&period=cup&season=1")
    page.get_by_label("Season", exact=True).select_option("now")
    expect(page.get_by_text("Season 2")).to_be_visible()
    expect(send).to_be_visible()
    expect(page.get_by_text("Your way through the season")).to_be_hidden()
    asked: list[str] = []

    def answer_late(route: Route) -> None:
        """As while the ledger is behind the board, twice."""
        asked.append(route.request.url)
        if len(asked) > 2:
            route.continue_()
        else:
            route.fulfill(json={"data": [], "nextCursor": None})

    page.route("**/entries?*", answer_late)
    for score in (7_000, 6_000):
        value.fill(str(score))
        send.click()
        expect(page.locator("#chosen [data-slot=list] .own .score-value")).to_have_text(f"{score:,}")
    expect(page.get_by_role("img", name="2 entries: from 7,000 to 6,000, best rank 1.")).to_be_visible()
    assert len(asked) > 2


def test_a_board_that_is_not_there_is_said(visit: Visit) -> None:
    visitor = visit("/?board=no-such-board")
    expect(visitor.page.get_by_text("There is no such board, or only players see it.")).to_be_visible()
    visitor.page.get_by_label("Board", exact=True).select_option("main")
    expect(visitor.page.get_by_text("Only players see this board.")).to_be_visible()


@pytest.fixture
def admins_page(visit: Visit, admin_name: str) -> Page:
    """With the section of boards open."""
    page = visit("/admin#boards", tolerate="status of 422").page
    sign_in(page, admin_name)
    expect(page.get_by_role("heading", name="Boards", exact=True)).to_be_visible()
    return page


def confirm(page: Page, says: str, button: str) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(says)
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden()


def test_an_admin_makes_a_board_changes_resets_and_deletes_it(admins_page: Page, api: Api) -> None:
    page, board = admins_page, f"cup-{secrets.token_hex(4)}"
    page.get_by_role("button", name="New board").click()
    form = page.get_by_role("form", name="New board")
    form.get_by_label("Id", exact=True).fill(board)
    form.get_by_label("Title").fill("<b>Cup</b>")
    form.get_by_label("Equal scores").select_option("shared")
    form.get_by_label("A second value").check()
    first = form.get_by_role("group", name="Period 1")
    first.get_by_label("Period name").fill("weekly")
    first.get_by_label("Cron").fill("0 0 * * MON")
    first.get_by_label("Ends at").fill("2099-12-31T23:00")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("secondColumn")
    expect(form.get_by_label("Equal scores")).to_be_focused()
    form.get_by_label("A second value").uncheck()
    form.get_by_label("Everybody reads it").check()
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{board} is there now.")).to_be_visible()

    player = api.new_player()
    enter(player, board, 7)
    row = page.get_by_role("row").filter(has_text=board)
    expect(row).to_contain_text("<b>Cup</b>")
    row.get_by_role("button", name="Change").click()
    form = page.get_by_role("form", name=f"Change {board}")
    expect(form.get_by_label("Id", exact=True)).not_to_be_editable()
    form.get_by_label("Title").fill("Cup of mugs")
    form.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Cup of mugs")
    expect(row).to_contain_text("weekly 1: 1 player")
    ends_at = page.evaluate("new Date('2099-12-31T23:00').toISOString()")
    (period,) = api.get(f"/api/boards/{board}").data["periods"]
    assert datetime.fromisoformat(period["endsAt"]) == datetime.fromisoformat(ends_at), "changing the title left it as it was"
    expect(row).to_contain_text("1 entry in the last minute")

    row.get_by_role("button", name="Seasons").click()
    seasons = page.get_by_role("region", name="Seasons of Cup of mugs")
    seasons.get_by_role("button", name="Reset weekly").click()
    confirm(page, "Season 1 of weekly ends now, with its one player", "Reset")
    expect(page.get_by_text("Season 1 of weekly has ended; season 2 has begun.")).to_be_visible()
    expect(seasons.get_by_role("row")).to_have_count(3)
    assert api.get(f"/api/boards/{board}").data["seasons"][0]["season"] == 2

    row.get_by_role("button", name="Delete").click()
    confirm(page, "Its entries stay in the ledger", "Delete")
    expect(page.get_by_text(f"{board} is deleted.")).to_be_visible()
    expect(row).to_have_count(0)


def test_a_server_key_is_shown_once_changed_and_revoked(admins_page: Page, api: Api, admin: dict[str, str]) -> None:
    page, board, name = admins_page, f"league-{secrets.token_hex(4)}", f"server-{secrets.token_hex(4)}"
    assert api.request("PUT", f"/api/boards/{board}", {"write": "server"}, admin).status == 201
    player = api.new_player()

    def status(key: str) -> int:
        entries = {"entries": [{"userId": player.user_id, "value": 1, "idempotencyKey": secrets.token_hex(8)}]}
        return api.post(f"/api/boards/{board}/scores", entries, {"Authorization": f"Bearer {key}"}).status

    keys, shown = page.locator("#server-keys"), page.locator("#api-key")
    keys.get_by_label("For the server").fill(name)
    keys.get_by_label("Boards", exact=True).fill(board)
    keys.get_by_label("moderates").check()
    keys.get_by_role("button", name="Make a key").click()
    expect(shown).to_be_focused()
    key = shown.input_value()
    assert status(key) == 200
    keys.get_by_role("button", name="I have it").click()
    expect(shown).to_be_hidden()
    assert key not in page.content()

    row = keys.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("read, write, moderate")
    row.get_by_role("button", name="Rotate").click()
    confirm(page, "Another secret takes its place at once", "Rotate")
    expect(shown).to_be_focused()
    changed = shown.input_value()
    assert (status(key), status(changed)) == (401, 200)
    row.get_by_role("button", name="Revoke").click()
    confirm(page, "for good", "Revoke")
    expect(row).to_contain_text("revoked")
    expect(shown).to_be_hidden()
    assert status(changed) == 401
    assert api.request("DELETE", f"/api/boards/{board}", headers=admin).status == 204


def test_a_cheater_is_found_hidden_corrected_and_shown_again(admins_page: Page, api: Api, board: str) -> None:
    page, cheater, other = admins_page, api.new_player(), api.new_player()
    for player, value in ((cheater, 10), (cheater, 90), (other, 50)):
        enter(player, board, value)

    def places() -> list[tuple[str, int]]:
        return [(row["username"], row["score"]) for row in api.get(f"/api/boards/{board}/scores").data]

    assert places() == [(cheater.username, 10), (other.username, 50)]
    page.get_by_role("navigation").get_by_role("link", name="Users").click()
    page.get_by_label("Name begins with").fill(cheater.username)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=f"Moderate {cheater.username}").click()
    form, decisions = page.get_by_role("form", name="Moderation"), page.get_by_role("region", name="Decisions")
    expect(page.get_by_role("heading", name="Moderation", exact=True)).to_be_focused()
    form.get_by_label("Board").select_option(board)
    form.get_by_label("Player").fill("nobody of that name")
    form.get_by_role("button", name="Look up").click()
    expect(page.get_by_text("There is no player called nobody of that name.")).to_be_visible()
    expect(form.get_by_role("button", name="Hide")).to_be_hidden()
    shown = f"Zo\N{LATIN SMALL LETTER E WITH DIAERESIS} {secrets.token_hex(4)}"
    assert api.request("PATCH", "/api/me", {"displayName": shown}, cheater.authorization).status == 200
    form.get_by_label("Player").fill(shown)
    form.get_by_role("button", name="Look up").click()
    expect(form).to_contain_text(f"{cheater.username} is not hidden.")

    form.get_by_role("button", name="Hide").click()
    expect(page.get_by_text("Say why: the reason stands with the decision.")).to_be_visible()
    expect(form.get_by_label("Reason for a decision")).to_be_focused()
    form.get_by_label("Reason for a decision").fill("<b>bots</b>")
    form.get_by_role("button", name="Hide").click()
    confirm(page, "They go on playing and are not told", "Hide")
    expect(page.get_by_text(f"{cheater.username} is hidden on {board}.", exact=True).first).to_be_visible()
    assert places() == [(other.username, 50)]
    row = decisions.get_by_role("row").filter(has_text="hide")
    expect(row).to_contain_text("<b>bots</b>")
    row.get_by_role("button", name="Undo").click()
    confirm(page, "Both decisions stay in the list", "Undo")
    expect(row).to_contain_text("undone by")
    assert places() == [(cheater.username, 10), (other.username, 50)]

    entries = page.get_by_role("region", name="Entries of the player")
    expect(entries.get_by_role("row")).to_have_count(3)
    ten = entries.get_by_role("row").filter(has=page.get_by_role("cell", name="10", exact=True))
    ten.get_by_role("button", name="Strike out").click()
    confirm(page, "in every season in which it did", "Strike out")
    expect(entries).to_contain_text("struck out by")
    assert places() == [(other.username, 50), (cheater.username, 90)]

    form.get_by_label("Value", exact=True).fill("4o")
    form.get_by_role("button", name="Adjust").click()
    expect(page.get_by_text("A value is a whole number.")).to_be_visible()
    form.get_by_label("Value", exact=True).fill("40")
    form.get_by_role("button", name="Adjust").click()
    confirm(page, "It counts as an entry of yours", "Adjust")
    expect(page.get_by_text(f"{cheater.username} is adjusted on {board}.")).to_be_visible()
    assert places() == [(cheater.username, 40), (other.username, 50)]


def test_several_are_named_before_they_are_hidden(admins_page: Page, api: Api, board: str) -> None:
    page, players = admins_page, [api.new_player() for _ in range(2)]
    for player in players:
        enter(player, board, 50)
    page.get_by_role("navigation").get_by_role("link", name="Moderation").click()
    form = page.get_by_role("form", name="Moderation")
    form.get_by_label("Board").select_option(board)
    form.get_by_role("button", name="Look up").click()
    form.get_by_label("Reason for a decision").fill("bots")
    page.get_by_text("Several players at once").click()
    several = page.get_by_role("form", name="Several players at once")
    several.get_by_role("textbox", name="Network").fill("192.0.2.0/24")
    several.get_by_role("button", name="Hide them").click()
    expect(page.get_by_text("Nobody is meant, or it changes nothing for them.")).to_be_visible()
    several.get_by_label("Who").select_option("simulated")
    expect(several.get_by_role("textbox", name="Network")).to_be_disabled()
    several.get_by_role("button", name="Show them").click()
    expect(page.get_by_text("Nobody is meant, or it changes nothing for them.")).to_be_visible()
    several.get_by_label("Who").select_option("network")
    several.get_by_role("textbox", name="Network").fill("127.0.0.0/8")
    several.get_by_role("button", name="Hide them").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("players?")
    expect(dialog).to_contain_text("Nobody else finds them any more")
    dialog.get_by_role("button", name="Hide").click()
    expect(page.get_by_text(re.compile(r"^\d+ players are hidden\.$"))).to_be_visible()
    assert api.get(f"/api/boards/{board}/scores").data == []
    several.get_by_role("button", name="Show them").click()
    confirm(page, "with what they scored meanwhile", "Show")
    expect(page.get_by_text(re.compile(r"^\d+ players are shown\.$"))).to_be_visible()
    assert {row["username"] for row in api.get(f"/api/boards/{board}/scores").data} == {player.username for player in players}
