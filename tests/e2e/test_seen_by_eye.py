"""Both pages as they are seen, light and dark, on a desktop and on a phone: pictures to look at, and what axe-core finds.

The pictures are left in dist/screenshots.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.page_browser import Visitor, make_admin, show_public_board, sign_in
from tests.support.api import Api
from tests.support.product import ROOT, Product

pytestmark = pytest.mark.browser

PICTURES = ROOT / "dist" / "screenshots"
LOOKS = [("desktop", "light"), ("desktop", "dark"), ("wall", "light"), ("phone", "dark")]
EXAMINED = {"desktop-light", "phone-dark"}
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "wall": {"viewport": {"width": 1920, "height": 1080}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
AXE = Axe()


@dataclass
class Eye:
    """Looks at a page."""

    page: Page
    look: str

    def see(self, what: str) -> None:
        """Take a picture, and see that nothing is wider than the screen; in both schemes, on the largest and the smallest layout,
        that axe-core finds nothing grave.
        """
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{what}-{self.look}.png", full_page=True)
        found = AXE.run(self.page).response["violations"] if self.look in EXAMINED else []
        grave = [
            f"{violation['id']} ({violation['impact']}): {violation['help']}: {node['html']}"
            for violation in found
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        assert grave == []
        assert Visitor(self.page, "", []).too_wide() == []


@pytest.fixture(params=LOOKS, ids="-".join)
def eye(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Eye]:
    device, scheme = request.param
    context = browser.new_context(**DEVICES[device], color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    yield Eye(page, f"{device}-{scheme}")
    context.close()


def board_of(*names: str) -> dict[str, Any]:
    """A document of GET /api/scores."""
    lines = [
        {
            "userId": str(number),
            "username": f"player-{number}" if number % 3 else name,
            "displayName": name,
            "rank": number,
            "score": 3 * (40 - 3 * number) ** 2,
        }
        for number, name in enumerate(names, 1)
    ]
    return {"data": lines, "cache_time": "2026-01-31T12:00:00Z"}


NAMES = (
    "ada",
    "grace.hopper",
    "m" * 50,
    "alan_turing",
    "\N{ARABIC LETTER MEEM}\N{ARABIC LETTER REH}\N{ARABIC LETTER HAH}" * 9,
    "\N{TROPHY}" * 4 + " Zo\u00eb",
    "Z" + "\N{COMBINING LONG STROKE OVERLAY}\N{COMBINING ACUTE ACCENT}\N{COMBINING CEDILLA}" * 2,
    "knuth",
    "\N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}\N{ZERO WIDTH JOINER}\N{ROCKET} \u5c0f\u660e",
    "margaret-hamilton",
)


@pytest.mark.parametrize("names", [(), NAMES], ids=["empty", "full"])
def test_the_board_of_a_guest(eye: Eye, product: Product, names: tuple[str, ...]) -> None:
    show_public_board(eye.page, board_of(*names))
    eye.page.goto(product.base_url)
    expect(eye.page.locator("#board-list .row")).to_have_count(len(names))
    expect(eye.page.locator("#board-foot")).to_be_visible()
    expect(eye.page.get_by_text("Nobody is on the board yet.")).to_be_visible(visible=not names)
    eye.see("board-guest-full" if names else "board-guest-empty")


def test_the_preview_of_a_board_that_is_not_public(eye: Eye, product: Product) -> None:
    eye.page.goto(product.base_url)
    expect(eye.page.get_by_text("Only players see this board.")).to_be_visible()
    eye.see("board-preview")


def test_the_board_of_a_player(eye: Eye, product: Product) -> None:
    visitor = Visitor(eye.page, product.base_url, [])
    eye.page.goto(product.base_url)
    visitor.register(f"player-{secrets.token_hex(4)}")
    eye.see("board-first-visit")
    eye.page.get_by_text("Your API key").click()
    eye.see("board-api-key")
    eye.page.get_by_role("button", name="I have it").click()
    visitor.press(3)
    visitor.expect_score(3)
    eye.see("board-player")
    eye.page.get_by_role("button", name="Change your name").click()
    eye.see("board-naming")


TITLE = "\N{ARABIC LETTER MEEM}\N{ARABIC LETTER REH}\N{ARABIC LETTER HAH}" * 12 + " Laps " + "W" * 40
OTHER = {
    "id": "laps",
    "title": TITLE,
    "order": "descending",
    "operator": "best",
    "minValue": -(2**53) + 1,
    "maxValue": 2**53 - 1,
    "secondColumn": True,
    "ties": "first_to_reach",
    "periods": [{"name": "weekly", "cron": "0 0 * * MON"}, {"name": "w" * 40}, {"name": "all_time"}],
    "write": "player",
    "public": True,
    "metadataBytes": 0,
    "updatesPerMinute": 100,
    "seasons": [{"period": "weekly", "season": 7, "startsAt": "2026-01-26T00:00:00Z", "endsAt": "2100-01-31T12:00:00Z"}],
}


@pytest.mark.parametrize("eye", [("desktop", "light"), ("phone", "dark")], ids="-".join, indirect=True)
def test_another_board(eye: Eye, product: Product) -> None:
    """With the longest title, period and scores there may be."""
    page = eye.page
    rows = board_of(*NAMES)["data"]
    for row in rows:
        row |= {"score": 2**53 - row["rank"], "second": -(10 ** row["rank"])}
    read = {
        "data": rows,
        "nextCursor": "more",
        "total": 1204,
        "asOf": "2026-01-31T12:00:00Z",
        "version": "1",
        "period": "weekly",
        "season": 7,
    }
    page.route("**/api/boards", lambda route: route.fulfill(json={"data": [OTHER]}))
    page.route("**/api/boards/laps/scores?*", lambda route: route.fulfill(json=read))
    page.route("**/api/boards/laps/scores/*", lambda route: route.fulfill(json={"data": {"places": []}}))
    page.goto(f"{product.base_url}/?board=laps&period=weekly")
    expect(page.get_by_text("1,204 players")).to_be_visible()
    Visitor(page, product.base_url, []).register(f"player-{secrets.token_hex(4)}")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert").get_by_text("The value is a whole number.")).to_be_visible()
    eye.see("other-board")


@pytest.fixture(scope="module")
def admin_name(product: Product) -> str:
    return make_admin(product)


def show(page: Page, section: str) -> None:
    page.evaluate("section => { location.hash = section; }", section)
    expect(page.locator(f"#{section} h2")).to_be_visible()


LETTER = {
    "id": 7,
    "state": "parked",
    "number": None,
    "refusedAt": "2026-01-31T11:59:00+00:00",
    "requestId": "0b0a7a2e-5d5c-4c1e-9f5e-0e1d2c3b4a59",
    "userId": "fe5df23a-7fce-8c5a-b8b2-8e04316ddaff",
    "increment": 3,
    "reason": "unknown user",
    "parkedAt": "2026-01-31T12:00:00+00:00",
    "attempts": 4,
    "origin": "score_history_queue",
    "size": 321,
}
DIFFERENCE = {
    "userId": LETTER["userId"],
    "ledgerTotal": 5,
    "boardBefore": 999,
    "boardAfter": 999,
    "missingPoints": 0,
    "difference": -994,
}
RUN = {"startedAt": "2026-01-31T12:00:00Z", "finishedAt": "2026-01-31T12:00:01Z", "full": True, "checked": 1234}


def fulfil_what_is_rare(page: Page) -> None:
    """Dead letters and differences, which a healthy product does not have."""
    usernames = {LETTER["userId"]: "ada"}
    letters = {
        "data": [LETTER, {**LETTER, "id": 8, "requestId": None, "userId": None, "increment": None, "reason": "malformed"}],
        "total": 2,
    }
    runs = [
        {**RUN, "runId": 3, "dryRun": False, "found": 0, "discrepancies": []},
        {**RUN, "runId": 2, "dryRun": False, "found": 1, "discrepancies": [DIFFERENCE]},
        {**RUN, "runId": 1, "dryRun": True, "found": 1, "discrepancies": [DIFFERENCE]},
    ]

    def answer(document: dict[str, Any]) -> Callable[[Any], None]:
        return lambda route: route.fulfill(json={"nextCursor": None, "usernames": usernames, **document})

    def in_need(route: Route) -> None:
        reading = route.fetch()
        document = reading.json()
        document["data"]["board"] |= {"outbox": 12, "outboxSeconds": 200}
        document["data"]["ledger"] |= {"deadLetters": 2, "auditUnsealed": 3, "auditSealedAt": "2026-01-31T12:00:00Z"}
        route.fulfill(response=reading, json=document)

    page.route("**/admin/overview", in_need)
    page.route("**/api/admin/dead-letters?*", answer(letters))
    page.route("**/api/admin/reconciliations?*", answer({"data": runs}))


def test_the_page_of_an_admin(eye: Eye, product: Product, admin_name: str) -> None:
    page = eye.page
    # They stand in the audit log, whatever was done before, and one has the longest name there may be.
    Api(product.base_url).new_player()
    named = Api(product.base_url).new_player(f"a{'w' * 43}{secrets.token_hex(3)}")
    Api(product.base_url).request("PATCH", "/api/me", {"displayName": "W" * 50}, named.authorization)
    fulfil_what_is_rare(page)
    page.goto(f"{product.base_url}/admin")
    eye.see("admin-sign-in")
    sign_in(page, admin_name)
    expect(page.locator("#health .chip").first).to_have_attribute("data-state", "up")
    expect(page.get_by_role("img", name="Updates a second: accepted")).to_be_visible()
    expect(page.get_by_text("What to do")).to_have_count(5)
    for alarm in page.get_by_text("What to do").all():
        if alarm.is_visible():
            alarm.click()
    eye.see("admin-overview")
    for section, sign in (
        ("dead-letters", "unknown user"),
        ("audit", "user_registered"),
        ("reconciliations", "\N{MINUS SIGN}994"),
        ("users", admin_name),
        ("boards", "always there"),
        ("moderation", "Several players at once"),
    ):
        show(page, section)
        expect(page.locator(f"#{section}").get_by_text(sign).first).to_be_visible()
        if section == "users":
            expect(page.locator("#users td[data-column=Rank]", has_text=re.compile(r"\d")).first).to_be_visible()
        if section == "boards":
            page.get_by_role("button", name="New board").click()
        eye.see(f"admin-{section}")
    show(page, "users")
    page.locator("#users").get_by_role("button", name="Disable").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    eye.see("admin-question")


def test_a_player_is_told_that_the_page_is_for_admins(eye: Eye, product: Product) -> None:
    player = Api(product.base_url).new_player()
    session = {"user": {"userId": player.user_id, "username": player.username, "role": "player"}, "refreshToken": "x"}
    eye.page.goto(product.base_url)
    eye.page.evaluate("saved => sessionStorage.setItem('scoreboard.session', saved)", json.dumps(session))
    eye.page.goto(f"{product.base_url}/admin")
    expect(eye.page.get_by_role("heading", name="This page is for admins")).to_be_visible()
    eye.see("admin-for-a-player")
