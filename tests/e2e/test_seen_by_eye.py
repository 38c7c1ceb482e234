"""Both pages as they are seen, light and dark, on a desktop and on a phone: pictures to look at, and what axe-core finds.

The pictures are left in dist/screenshots.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page_browser import WAIT_MS, Visitor, make_admin, sign_in
from tests.support.api import Api
from tests.support.product import ROOT, Product

pytestmark = pytest.mark.browser

PICTURES = ROOT / "dist" / "screenshots"
LOOKS = [(device, scheme) for device in ("desktop", "phone") for scheme in ("light", "dark")]
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
AXE = Axe()


@dataclass
class Eye:
    """Looks at a page."""

    page: Page
    look: str

    def see(self, what: str) -> None:
        """Take a picture, and see that axe-core finds nothing grave and that nothing is wider than the screen."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{what}-{self.look}.png", full_page=True)
        found = AXE.run(self.page).response["violations"]
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
    page.set_default_timeout(WAIT_MS)
    yield Eye(page, f"{device}-{scheme}")
    context.close()


def board_of(*names: str) -> dict[str, Any]:
    """A document of GET /api/scores."""
    lines = [
        {"userId": str(number), "username": name, "rank": number, "score": 3 * (40 - 3 * number) ** 2}
        for number, name in enumerate(names, 1)
    ]
    return {"data": lines, "cache_time": "2026-01-31T12:00:00Z"}


NAMES = ("ada", "grace.hopper", "m" * 50, "alan_turing", "linus", "x-1", "Barbara.Liskov", "knuth", "edsger", "margaret-hamilton")


@pytest.mark.parametrize("names", [(), NAMES], ids=["empty", "full"])
def test_the_board_of_a_guest(eye: Eye, product: Product, names: tuple[str, ...]) -> None:
    eye.page.route("**/api/scores*", lambda route: route.fulfill(json=board_of(*names)))
    eye.page.goto(product.base_url)
    expect(eye.page.locator("#board-list .row")).to_have_count(len(names))
    expect(eye.page.locator("#board-foot")).to_be_visible()
    expect(eye.page.get_by_text("Nobody is on the board yet.")).to_be_visible(visible=not names)
    eye.see("board-guest-full" if names else "board-guest-empty")


def test_the_board_of_a_player(eye: Eye, product: Product) -> None:
    visitor = Visitor(eye.page, product.base_url, [])
    eye.page.goto(product.base_url)
    visitor.register(f"player-{secrets.token_hex(4)}")
    eye.see("board-first-visit")
    eye.page.get_by_role("button", name="I have it").click()
    visitor.press(3)
    visitor.expect_score(3)
    eye.see("board-player")


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

    page.route("**/api/admin/dead-letters?*", answer(letters))
    page.route("**/api/admin/reconciliations?*", answer({"data": runs}))


def test_the_page_of_an_admin(eye: Eye, product: Product, admin_name: str) -> None:
    page = eye.page
    fulfil_what_is_rare(page)
    page.goto(f"{product.base_url}/admin")
    eye.see("admin-sign-in")
    sign_in(page, admin_name)
    expect(page.locator("#health .chip").first).to_have_attribute("data-state", "up")
    expect(page.get_by_role("img", name="Updates a second: accepted")).to_be_visible()
    eye.see("admin-overview")
    for section, sign in (
        ("dead-letters", "unknown user"),
        ("audit", "user_registered"),
        ("reconciliations", "\N{MINUS SIGN}994"),
        ("users", admin_name),
    ):
        show(page, section)
        expect(page.locator(f"#{section}").get_by_text(sign).first).to_be_visible()
        eye.see(f"admin-{section}")
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
