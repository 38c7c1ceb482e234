"""The reference at /docs, as somebody reads it who is about to write a client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page_browser import Visitor
from tests.support.api import PASSWORD
from tests.support.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("page")]


@pytest.fixture
def reader(browser: Browser, product: Product) -> Iterator[Visitor]:
    """The reference, opened; at the end nothing may have gone wrong in it."""
    page = browser.new_context().new_page()
    visitor = Visitor(page, product.base_url, [])
    visitor.watch()
    open_docs(page, product)
    yield visitor
    violations = visitor.witness("violations")
    page.context.close()
    assert visitor.unexpected_errors() == []
    assert violations == []
    assert visitor.foreign_requests() == []


def open_docs(page: Page, product: Product, fragment: str = "") -> None:
    page.goto(f"{product.base_url}/docs{fragment}")
    expect(page.locator("#reference")).to_have_attribute("aria-busy", "false")


def serious(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [f"{found['id']}: {found['help']}" for found in violations if found["impact"] in ("serious", "critical")]


def test_every_request_and_every_channel_is_there_with_its_errors(reader: Visitor, product: Product) -> None:
    openapi, asyncapi = (product.api.get(path).json for path in ("/openapi.json", "/asyncapi.json"))
    operations = [operation for methods in openapi["paths"].values() for operation in methods.values()]
    articles = reader.page.locator("#reference article")
    expect(articles).to_have_count(len(operations) + len(asyncapi["channels"]))
    update = reader.page.locator("#updateScore")
    for code in ("rate_limited", "not_your_score", "idempotency_key_reused"):
        expect(update.get_by_role("cell", name=code, exact=True)).to_be_visible()
    assert "undefined" not in (reader.page.locator("body").text_content() or "")


def test_an_error_code_finds_its_requests_and_a_link_leads_there(reader: Visitor, product: Product) -> None:
    page = reader.page
    page.keyboard.press("/")
    page.keyboard.type("invalid_increment")
    links = page.locator("nav li:visible")
    expect(links).to_have_text(["POST /api/score/{user_id}"])
    links.get_by_role("link").click()
    assert page.url.endswith("/docs#updateScore")
    page.goto("about:blank")
    open_docs(page, product, "#getScores")
    expect(page.locator("#getScores h3")).to_be_in_viewport()


def test_a_request_can_be_tried_with_ones_own_token(reader: Visitor, product: Product) -> None:
    player, page = product.api.new_player(), reader.page
    page.get_by_label("Name", exact=True).fill(player.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#access-note")).to_contain_text(f"Logged in as {player.username}")
    update = page.locator("#updateScore")
    update.get_by_text("Try POST").click()
    update.get_by_label("user_id").fill(player.user_id)
    update.get_by_label("Body").fill('{"increment": 4}')
    update.get_by_role("button", name="Send").click()
    expect(update.get_by_role("status")).to_contain_text('"score": 4')
    expect(update.get_by_role("status")).to_contain_text("RateLimit")
    expect(update.get_by_role("status")).to_contain_text("curl -X POST")
    assert player.standing()["score"] == 4


# Error codes that go on in another line inside a word.
BROKEN_CODES = """() => [...document.querySelectorAll("#reference td:nth-child(2) code, nav code, h2 code")].filter((code) =>
  [...code.childNodes].filter((node) => node.nodeType === 3).some((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size > 1;
  })).map((code) => code.textContent)"""


# axe-core needs most of a minute for all of them, and what is made by the same code is alike.
ALL_BUT_A_FEW = "for (const article of [...document.querySelectorAll('#reference article')].slice(12)) article.remove()"


@pytest.mark.parametrize("how", [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}])
def test_nobody_is_left_out(browser: Browser, product: Product, how: dict[str, Any]) -> None:
    page = browser.new_context(**how).new_page()
    open_docs(page, product)
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(BROKEN_CODES) == []
    page.locator("#updateScore").get_by_role("link", name="rate_limited", exact=True).click()
    expect(page.locator("#rate_limited h2")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(BROKEN_CODES) == []
    page.evaluate(ALL_BUT_A_FEW)
    assert serious(page) == []
    page.context.close()
