"""A visitor of the page: a headless Chromium that notes whatever a visitor should never meet."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Route, expect, sync_playwright

from tests.support.api import PASSWORD
from tests.support.product import ROOT, Product

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

expect.set_options(timeout=60_000)  # ms

# Notes what is over before a test could look: states of the connection, rows that glided, violations of the policy.
WITNESS = """
window.witness = { states: [], glided: [], violations: [] };
document.addEventListener("securitypolicyviolation", (event) => witness.violations.push(event.violatedDirective));
const animate = Element.prototype.animate;
Element.prototype.animate = function (...how) {
  if (this.matches(".row")) witness.glided.push(this.dataset.userId);
  return animate.apply(this, how);
};
document.addEventListener("DOMContentLoaded", () => {
  const pill = document.getElementById("connection");
  if (!pill) return;
  const note = () => witness.states.push(pill.dataset.state);
  new MutationObserver(note).observe(pill, { attributes: true, attributeFilter: ["data-state"] });
});
"""


def make_admin(product: Product) -> str:
    """An admin's account, made as an operator does; answers its name."""
    name = f"admin-{secrets.token_hex(5)}"
    options = ["--role", "admin", "--password-stdin", "--data-dir", str(product.data_dir)]
    command = [sys.executable, "-m", "local_runtime", "create-user", name, *options]
    subprocess.run(command, input=f"{PASSWORD}\n", capture_output=True, text=True, cwd=ROOT, check=True)
    return name


def sign_in(page: Page, username: str) -> None:
    """Through the form of the admins' page."""
    page.get_by_label("Name", exact=True).fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def show_public_board(page: Page, document: Mapping[str, Any]) -> None:
    """Have the page, when it is opened next, show this board to a guest, as where the operator has made the board public."""

    def make_public(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('data-board="private"', 'data-board="public"'))

    ticket = {"ticket": "x", "expiresIn": 30, "pingInterval": 240, "reconnectIn": 800}
    frame = json.dumps({"type": "leaderboard", "version": 1, **document})
    page.route(lambda url: urlsplit(url).path == "/", make_public)
    page.route("**/api/ws-tickets", lambda route: route.fulfill(status=201, json={"data": ticket}))
    page.route("**/api/scores", lambda route: route.fulfill(json=document))
    page.route_web_socket("**/ws?ticket=x", lambda socket: socket.send(frame))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's Chromium."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    assert path, f"no Chromium: one of {', '.join(CHROMIUM_NAMES)} must be installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """One browser context with the page open; `tolerated` are patterns of console errors that belong to the test."""

    page: Page
    base_url: str
    tolerated: list[str]
    username: str = ""
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Begin to note errors and requests."""
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        self.page.on("request", self._note_request)
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.add_init_script(WITNESS)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _note_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def witness(self, what: Literal["states", "glided", "violations"]) -> list[str]:
        """What the page has been seen to do."""
        noted: list[str] = self.page.evaluate(f"witness.{what}")
        return noted

    def unexpected_errors(self) -> list[str]:
        """Console errors that no pattern of `tolerated` covers."""
        return [error for error in self.errors if not any(re.search(pattern, error) for pattern in self.tolerated)]

    def foreign_requests(self) -> list[str]:
        """Requests to another host than the product's."""
        own = urlsplit(self.base_url).netloc
        return [url for url in self.requests if urlsplit(url).netloc not in {own, ""}]

    def register(self, username: str | None = None) -> None:
        """Create a player in the form and wait until the board is live."""
        self.username = username or f"page-{secrets.token_hex(5)}"
        self.page.get_by_role("radio", name="New player").check()
        self.page.get_by_label("Name", exact=True).fill(self.username)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Create player").click()
        self.expect_live()

    def expect_live(self) -> None:
        """Wait until the connection is live."""
        expect(self.page.locator("#connection")).to_have_attribute("data-state", "live")

    def press(self, increment: int) -> None:
        """Choose the points and press the button."""
        self.page.get_by_role("radio", name=f"+{increment}").check()
        self.score_button.click()

    def expect_score(self, score: int) -> None:
        """Wait until the visitor's own score is shown so."""
        expect(self.page.locator("#own-score .score-value")).to_have_text(f"{score:,}")

    @property
    def score_button(self) -> Locator:
        """The big button."""
        return self.page.locator("#score-button")

    def row(self, user_id: str, board: str = "#board-list") -> Locator:
        """A player's row on the board."""
        return self.page.locator(f'{board} .row[data-user-id="{user_id}"]')

    def shown_ranks(self, board: str = "#board-list") -> list[int]:
        """The ranks of the rows from top to bottom."""
        ranks: list[int] = self.page.locator(f"{board} .row").evaluate_all("rows => rows.map(row => Number(row.dataset.rank))")
        return ranks

    def too_wide(self) -> list[Any]:
        """What reaches beyond the viewport, and the page itself when it scrolls sideways."""
        found: list[Any] = self.page.evaluate(TOO_WIDE)
        return found

    def too_faint(self) -> list[Any]:
        """Texts whose contrast is below WCAG 2 level AA."""
        found: list[Any] = self.page.evaluate(TOO_FAINT)
        return found


TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((element) => !element.closest(".sr-only") && element.checkVisibility())
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5 || element.getBoundingClientRect().left < -0.5)
  .map((element) => `${element.tagName} #${element.id} .${element.className}`)
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])"""

TOO_FAINT = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !element.checkVisibility({ opacityProperty: true })) continue;
    if (element.closest(".sr-only, [aria-disabled=true]")) continue;
    const backgrounds = [];
    for (let above = element; above; above = above.parentElement) backgrounds.unshift(getComputedStyle(above).backgroundColor);
    const style = getComputedStyle(element);
    const [one, other] = [luminance(paint([...backgrounds, style.color])), luminance(paint(backgrounds))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5)) faint.push([text, ratio.toFixed(2)]);
  }
  return faint;
}"""
