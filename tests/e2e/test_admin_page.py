"""The admins' page in a real browser: what they see, what they change, and who is kept out."""

from __future__ import annotations

import os
import re
import secrets
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.page_browser import Visitor, make_admin, sign_in
from tests.support.api import PASSWORD, Answer, Api, Player, problem
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("admin-page")]

SLOW_MS = 60_000
DELETES = (
    "DELETE FROM refresh_tokens WHERE user_id = :id",
    "DELETE FROM score_history WHERE user_id = :id",
    "DELETE FROM score_totals WHERE user_id = :id",
    "DELETE FROM users WHERE user_id = :id",
)

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """With an update that fails among the dead letters at once."""
    with Product(RETRY_DELAYS_SECONDS="0.2,0.2,0.2") as running:
        yield running


@pytest.fixture(scope="module")
def admin_name(product: Product) -> str:
    return make_admin(product)


@pytest.fixture
def visit(browser: Browser, product: Product) -> Iterator[Visit]:
    """Open the page; at the end nothing may have gone wrong in it but what is tolerated."""
    visitors: list[Visitor] = []

    def open_page(*, tolerate: str = "^$", with_clock: bool = False) -> Visitor:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        if with_clock:
            page.clock.install()
        visitor = Visitor(page, product.base_url, [tolerate])
        visitor.watch()
        visitors.append(visitor)
        page.goto(f"{product.base_url}/admin")
        return visitor

    yield open_page
    for visitor in visitors:
        violations = visitor.witness("violations")
        stored = visitor.page.evaluate("JSON.stringify({...localStorage})")
        address = visitor.page.url
        visitor.page.context.close()
        assert visitor.unexpected_errors() == []
        assert violations == []
        assert visitor.foreign_requests() == []
        assert stored == "{}"
        assert "token" not in address.lower()


@pytest.fixture
def admin(visit: Visit, admin_name: str) -> Page:
    """Signed in."""
    page = visit(tolerate=r"status of (401|403|409|422|503)").page
    sign_in(page, admin_name)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


@pytest.fixture
def player(product: Product) -> Player:
    return product.api.new_player()


def section(page: Page, name: str) -> Locator:
    """Go there by the menu."""
    page.get_by_role("navigation").get_by_role("link", name=name).click()
    shown = page.get_by_role("region", name=name).first
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_focused()
    return shown


def confirm(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def chip(page: Page, part: str) -> Locator:
    return page.locator("#health .chip", has_text=part)


def test_health_rates_and_totals_are_seen_and_a_part_that_stops_is_seen_too(
    admin: Page, product: Product, player: Player
) -> None:
    for part in ("Redis", "RabbitMQ", "PostgreSQL", "http process", "consumer process", "scheduler process"):
        expect(chip(admin, part)).to_have_attribute("data-state", "up")
    for capability in ("Accept updates", "Record", "Broadcast", "Log in", "Read"):
        expect(admin.locator("#works .chip", has_text=capability)).to_have_attribute("data-state", "up")
    updates = admin.get_by_role("img", name=re.compile(r"^Updates a second: accepted [1-9]|^Updates a second: accepted 0\.[1-9]"))
    latency = admin.get_by_role("img", name=re.compile(r"^Time an update takes: p50 [0-9.]+ ms, p99 [0-9.]+ ms"))

    def seen(chart: Locator) -> bool:
        assert player.score(1).status in (200, 429)
        admin.wait_for_timeout(100)
        return chart.count() == 1

    eventually(lambda: seen(updates), 60, "the updates in their chart")
    eventually(lambda: seen(latency), 60, "how long they took")
    hour = admin.get_by_role("group", name="The last hour of this instance").get_by_role("img")
    expect(hour).to_have_count(6)
    expect(hour.and_(admin.get_by_role("img", name=re.compile(r"^Who watched: viewers \d")))).to_have_count(1)
    redis = product.pid("redis")
    os.kill(redis, signal.SIGSTOP)
    try:
        expect(chip(admin, "Redis")).to_have_attribute("data-state", "down", timeout=SLOW_MS)
        expect(chip(admin, "PostgreSQL")).to_have_attribute("data-state", "up")
        accepts = admin.locator("#works .chip", has_text="Accept updates")
        expect(accepts).to_have_attribute("data-state", "down", timeout=SLOW_MS)
        expect(accepts).to_contain_text("Redis does not answer")
        expect(admin.locator("#overview-state")).not_to_be_empty(timeout=SLOW_MS)
        admin.locator("[data-alarm=DependencyDown]").get_by_text("What to do").click()
        expect(admin.get_by_text("the supervisor starts it again")).to_be_visible()
    finally:
        os.kill(redis, signal.SIGCONT)
    expect(chip(admin, "Redis")).to_have_attribute("data-state", "up", timeout=SLOW_MS)
    expect(admin.locator("#overview-state")).to_be_empty(timeout=SLOW_MS)
    expect(admin.locator("[data-alarm=DependencyDown]")).to_be_hidden()


def test_a_dead_letter_is_seen_with_its_reason_and_redriven(admin: Page, product: Product, player: Player) -> None:
    player.score(1)
    eventually(lambda: recorded(product, player) == 1, 60, "the first update in the ledger")
    ((account,),) = product.query("SELECT to_jsonb(users)::text FROM users WHERE user_id = :id", id=player.user_id)
    product.verb("balance")  # their numbers are settled: what is deleted after that is not waited for
    for delete in DELETES:
        product.query(delete, id=player.user_id)
    assert player.score(3).status == 200, "the account is known for some seconds longer"
    expect(admin.locator("#letter-count")).to_have_text("1", timeout=SLOW_MS)
    letters = section(admin, "Dead letters")
    row = letters.get_by_role("row", name=player.user_id)
    expect(row).to_contain_text("unknown user")
    expect(row).to_contain_text("+3")
    letters.get_by_role("button", name="Redrive selected").click()
    expect(letters.get_by_role("status")).to_contain_text("Select the dead letters first")
    product.query("INSERT INTO users SELECT * FROM jsonb_populate_record(NULL::users, :account)", account=account)
    row.get_by_role("checkbox").check()
    letters.get_by_role("button", name="Redrive selected").click()
    expect(admin.get_by_role("dialog")).to_contain_text("Redrive this dead letter?")
    admin.keyboard.press("Escape")
    expect(admin.get_by_role("dialog")).to_be_hidden()
    expect(letters.get_by_role("button", name="Redrive selected")).to_be_focused()
    assert recorded(product, player) == 0, "Escape is no"
    letters.get_by_role("button", name="Redrive selected").click()
    confirm(admin, "Redrive")
    expect(letters.get_by_role("status")).to_contain_text("1 moved back to be recorded, 0 left. 1 recorded.", timeout=SLOW_MS)
    expect(letters).to_contain_text("There are no dead letters.")
    expect(admin.locator("#letter-count")).to_be_hidden()
    eventually(lambda: recorded(product, player) == 3, 60, "it in the ledger")


def test_a_dead_letter_is_opened_and_discarded_with_a_reason(admin: Page, product: Product, player: Player) -> None:
    player.score(1)
    eventually(lambda: recorded(product, player) == 1, 60, "the first update in the ledger")
    product.verb("balance")  # their numbers are settled: what is deleted after that is not waited for
    for delete in DELETES:
        product.query(delete, id=player.user_id)
    assert player.score(2).status == 200, "the account is known for some seconds longer"
    expect(admin.locator("#letter-count")).to_have_text("1", timeout=SLOW_MS)
    tile = admin.locator("#rates .chart[data-state=alarm]")
    expect(tile).to_contain_text("Dead letters")
    tile.get_by_text("What to do").click()
    expect(tile.get_by_role("link", name="then redrive or discard them")).to_have_attribute("href", "#dead-letters")
    letters = section(admin, "Dead letters")
    row = letters.get_by_role("row", name=player.user_id)
    row.get_by_role("button", name="Open").click()
    expect(letters.get_by_role("heading", name="Dead letter ", exact=False).last).to_be_focused()
    expect(letters.locator("pre").first).to_contain_text('"increment": 2')
    expect(letters.get_by_role("table", name="Its history")).to_contain_text("unknown user")
    row.get_by_role("checkbox").check()
    letters.get_by_role("button", name="Discard selected").click()
    expect(letters.get_by_role("status")).to_contain_text("Say why they are discarded")
    letters.get_by_label("Reason for discarding").fill("the account was erased")
    letters.get_by_role("button", name="Discard selected").click()
    expect(admin.get_by_role("dialog")).to_contain_text("Discard this dead letter?")
    confirm(admin, "Discard")
    expect(letters.get_by_role("status")).to_contain_text("1 discarded, 0 left. 1 discarded.", timeout=SLOW_MS)
    expect(letters).to_contain_text("There are no dead letters.")
    [[actor, reason]] = product.query(
        "SELECT actor, detail ->> 'reason' FROM audit_log WHERE action = 'dead_letter_discarded' AND user_id = :id",
        id=player.user_id,
    )
    assert (actor != "operator", reason) == (True, "the account was erased")


def recorded(product: Product, player: Player) -> int:
    ((points,),) = product.query("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id", id=player.user_id)
    return int(points)


def test_the_audit_log_is_searched_by_user_action_time_and_request_and_read_page_by_page(
    admin: Page, product: Product, player: Player
) -> None:
    receipts = [player.score(1).data for _ in range(55)]
    eventually(lambda: recorded(product, player) == 55, 60, "them in the ledger")
    log = section(admin, "Audit log")
    log.get_by_label("User").fill(player.username)
    log.get_by_role("button", name="Search").click()
    rows = log.locator("tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("score_accepted")
    expect(rows.first).to_contain_text(player.username)
    log.get_by_role("button", name="Older entries").click()
    expect(rows).to_have_count(56)
    expect(log.get_by_role("button", name="Older entries")).to_be_hidden()
    log.get_by_label("Action").fill("user_registered")
    log.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    log.get_by_label("From").fill("2099-01-01T00:00")
    log.get_by_role("button", name="Search").click()
    expect(log).to_contain_text("Nothing fits.")
    log.get_by_role("button", name="Clear").click()
    log.get_by_label("Request id").fill(receipts[7]["requestId"])
    log.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("newScore 8")
    admin.reload()
    expect(admin.locator("#audit tbody tr")).to_have_count(1)
    expect(admin.get_by_label("Request id")).to_have_value(receipts[7]["requestId"])


def test_a_disabled_user_is_refused_until_enabled_again(admin: Page, player: Player) -> None:
    assert player.score(1).status == 200
    users = section(admin, "Users")

    def rank() -> str:
        find(users, player.username)
        expect(users.locator("tbody td[data-column=Score]")).to_have_text("1")
        return users.locator("tbody td[data-column=Rank]").inner_text()

    # Asked for again as long as others come and go above, by what an earlier test began.
    eventually(lambda: rank() == f"{player.standing()['rank']:,}", 60, "the rank is shown")
    users.get_by_role("button", name=f"Disable {player.username}").click()
    expect(admin.get_by_role("dialog")).to_contain_text("All their sessions end at once")
    confirm(admin, "Disable")
    expect(users.get_by_role("status")).to_have_text(f"{player.username} is a disabled player now.")
    expect(users.get_by_role("button", name=f"Enable {player.username}")).to_be_focused()
    assert player.score(1).status in (401, 403)
    assert problem(log_in(player)) == (401, "invalid_credentials")
    users.get_by_role("button", name=f"Enable {player.username}").click()
    confirm(admin, "Enable")
    expect(users.get_by_role("row", name=player.username)).to_contain_text("enabled")
    assert log_in(player).status == 200
    users.get_by_role("link", name="Audit").click()
    expect(admin.locator("#audit tbody")).to_contain_text("user_changed")


def find(users: Locator, username: str) -> Locator:
    """Search the users for one."""
    users.get_by_label("Name begins with").fill(username[:-1].upper())
    users.get_by_role("button", name="Search").click()
    expect(users.locator("tbody tr")).to_have_count(1)
    return users


def log_in(player: Player) -> Answer:
    return player.api.post("/api/tokens", {"username": player.username, "password": PASSWORD})


def test_a_role_is_changed_and_the_last_admin_stays_one(
    admin: Page, product: Product, player: Player, admin_name: str, visit: Visit
) -> None:
    users = find(section(admin, "Users"), player.username)
    users.get_by_role("button", name="Make admin").click()
    confirm(admin, "Make admin")
    expect(users.get_by_role("status")).to_have_text(f"{player.username} is an enabled admin now.")
    second = visit(tolerate="status of 403")
    sign_in(second.page, player.username)
    expect(second.page.get_by_role("heading", name="Overview")).to_be_visible()
    users.get_by_role("button", name="Make player").click()
    confirm(admin, "Make player")
    expect(users.get_by_role("row", name=player.username)).to_contain_text("player")
    expect(second.page.locator("#overview-state")).to_contain_text("may not do that any more", timeout=SLOW_MS)
    own = find(users, admin_name)
    own.get_by_role("button", name="Make player").click()
    expect(admin.get_by_role("dialog")).to_contain_text("This is your own account.")
    confirm(admin, "Make player")
    expect(own.get_by_role("status")).to_contain_text("This is the last admin")
    expect(own.get_by_role("row", name=admin_name)).to_contain_text("admin")


def test_a_name_is_found_and_taken_away(admin: Page, product: Product, player: Player) -> None:
    name = f"Rüpel {secrets.token_hex(4)}"
    assert product.api.request("PATCH", "/api/me", {"displayName": name}, player.authorization).status == 200
    users = find(section(admin, "Users"), name)
    expect(users.get_by_role("row", name=name)).to_contain_text(player.username)
    users.get_by_role("button", name="Take name away").click()
    confirm(admin, "Take it away")
    expect(users.get_by_role("row", name=player.username)).not_to_contain_text(name)
    assert player.get("/api/me").data["displayName"] == player.username


def test_a_difference_is_found_by_a_dry_run_and_repaired_on_demand(admin: Page, product: Product, player: Player) -> None:
    player.score(5)
    eventually(lambda: recorded(product, player) == 5, 60, "it in the ledger")
    with product.redis() as board:
        board.zadd("leaderboard", {f"user:{player.user_id}": 999})
        runs = section(admin, "Reconciliation")
        runs.get_by_label("Everybody").check()
        runs.get_by_role("button", name="Dry run").click()
        newest = runs.locator("article").first
        expect(runs.get_by_role("status")).to_contain_text("nothing was changed", timeout=SLOW_MS)
        expect(newest.get_by_role("row", name=player.username)).to_contain_text("\N{MINUS SIGN}994")
        assert board.zscore("leaderboard", f"user:{player.user_id}") == 999
        runs.get_by_role("button", name="Find and repair").click()
        confirm(admin, "Find and repair")
        expect(runs.get_by_role("status")).to_contain_text("repaired", timeout=SLOW_MS)
        expect(newest.locator(".chip")).to_contain_text("repaired")
        assert board.zscore("leaderboard", f"user:{player.user_id}") == 5
    runs.get_by_role("button", name="Dry run").click()
    expect(runs.get_by_role("status")).to_contain_text("are in order", timeout=SLOW_MS)


def test_a_player_is_told_and_sees_nothing(visit: Visit, player: Player) -> None:
    visitor = visit()
    sign_in(visitor.page, player.username)
    expect(visitor.page.get_by_role("heading", name="This page is for admins")).to_be_visible()
    expect(visitor.page.get_by_text(player.username)).to_be_visible()
    expect(visitor.page.locator("#sections, #overview")).to_have_count(2)
    expect(visitor.page.locator("#sections")).to_be_hidden()
    assert not [url for url in visitor.requests if "/api/admin" in url or "/admin/" in url]


def test_a_wrong_password_is_said_in_words(visit: Visit) -> None:
    page = visit(tolerate="status of 401").page
    sign_in(page, f"nobody-{secrets.token_hex(4)}")
    expect(page.get_by_role("alert")).to_have_text("That name and password do not go together.")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()


def test_a_reload_stays_signed_in_and_signing_out_ends_the_session(admin: Page) -> None:
    admin.reload()
    expect(admin.get_by_role("heading", name="Overview")).to_be_visible()
    with admin.expect_response(lambda response: response.request.method == "DELETE") as ended:
        admin.get_by_role("button", name="Sign out").click()
    assert ended.value.status == 204
    expect(admin.get_by_label("Name", exact=True)).to_be_focused()
    admin.reload()
    expect(admin.get_by_role("button", name="Sign in")).to_be_visible()
    assert admin.evaluate("sessionStorage.length") == 0


def test_signing_out_while_the_session_is_being_renewed_ends_it_too(admin: Page) -> None:
    held: list[Route] = []
    admin.route("**/api/tokens", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    with admin.expect_request("**/api/tokens"):
        admin.reload()
    admin.get_by_role("button", name="Sign out").click()
    expect(admin.get_by_label("Name", exact=True)).to_be_focused()
    with admin.expect_response(lambda response: response.request.method == "DELETE") as ended:
        for route in held:
            route.continue_()
    assert ended.value.status == 204
    assert len(held) == 1


def test_who_is_away_for_a_quarter_of_an_hour_is_signed_out(visit: Visit, admin_name: str) -> None:
    page = visit(with_clock=True).page
    sign_in(page, admin_name)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.clock.fast_forward("14:00")
    page.keyboard.press("Tab")
    page.clock.fast_forward("14:00")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.clock.fast_forward("16:00")
    expect(page.get_by_role("alert")).to_contain_text("You were away for a while")
    expect(page.locator("#overview")).to_be_hidden()


def test_the_policy_is_as_strict_as_the_live_pages(product: Product) -> None:
    api = Api(product.base_url)
    page, board = api.get("/admin"), api.get("/")
    assert page.headers["Content-Security-Policy"] == board.headers["Content-Security-Policy"]
    document = page.body.decode()
    assert "http" not in document
    assert " style=" not in document
    assert document.count("<script") == document.count('<script type="module" src="/assets/') == 1
    assert api.get("/assets/admin.html").status == 404


def test_what_the_runtime_knows_is_told_to_whom_the_api_tells_the_rest(product: Product, player: Player, admin_name: str) -> None:
    api = Api(product.base_url)
    assert problem(api.get("/admin/overview")) == (401, "missing_token")
    assert problem(player.get("/admin/overview")) == (403, "forbidden")
    tokens = api.post("/api/tokens", {"username": admin_name, "password": PASSWORD}).data
    answer = api.get("/admin/overview", Authorization=f"Bearer {tokens['accessToken']}")
    runtime = answer.data["runtime"]
    assert runtime["processes"]["consumer"] is True
    assert runtime["functions"]["issue_token"]["count"] >= 1
    assert set(answer.data) == {"at", "board", "queues", "ledger", "lastMinute", "runtime"}
    assert "redis_url" not in answer.body.decode()


def test_the_last_hour_is_told_to_admins(product: Product, player: Player, admin_name: str) -> None:
    api = Api(product.base_url)
    assert problem(api.get("/admin/history")) == (401, "missing_token")
    assert problem(player.get("/admin/history")) == (403, "forbidden")
    tokens = api.post("/api/tokens", {"username": admin_name, "password": PASSWORD}).data
    samples = api.get("/admin/history", Authorization=f"Bearer {tokens['accessToken']}").data
    assert samples, "one is taken at the start"
    assert set(samples[-1]) == {"at", "updates", "refusals", "viewers", "outbox", "deadLetters"}
    assert any(sample["outbox"] is not None for sample in samples), "the stores were asked, but while a test had stopped one"
