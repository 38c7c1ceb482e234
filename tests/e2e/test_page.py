"""The live page in a real browser: two players, a keyboard, a small phone, a server that goes away."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, WebSocket, expect

from tests.e2e.page_browser import Visitor, show_public_board
from tests.support.api import PASSWORD, Api, Player
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser

SERVER_IS_AWAY = r"ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection|status of 50[234]"

UPDATES = re.compile(r"/api/score/[^/?]+$")

Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, product: Product) -> Iterator[Visit]:
    """Open the page in a context of its own; at the end nothing may have gone wrong in any of them."""
    visitors: list[Visitor] = []

    def open_page(*, tolerate: str | None = None, **context_options: Any) -> Visitor:
        page = browser.new_context(**context_options).new_page()
        visitor = Visitor(page, product.base_url, [tolerate] if tolerate else [])
        visitor.watch()
        visitors.append(visitor)
        page.goto(product.base_url)
        return visitor

    yield open_page
    for visitor in visitors:
        violations = visitor.witness("violations")
        visitor.page.context.close()
        assert visitor.unexpected_errors() == []
        assert violations == []
        assert visitor.foreign_requests() == []


@pytest.fixture
def page_api(product: Product) -> Api:
    """A client of the API beside the browser."""
    return Api(product.base_url)


def player_of(visitor: Visitor, api: Api) -> Player:
    """The visitor's player, to be moved by the API as well."""
    tokens = api.post("/api/tokens", {"username": visitor.username, "password": PASSWORD}).data
    stored = json.loads(visitor.page.evaluate("sessionStorage.getItem('scoreboard.session')"))
    return Player(api, stored["user"]["userId"], visitor.username, "", tokens["accessToken"], tokens["refreshToken"])


def lift(player: Player, places: int = 8) -> int:
    """Raise a player until they are well among the top ten; answers the score."""
    standing = player.standing()
    for _ in range(90):
        if standing["score"] > 0 and standing["rank"] <= places:
            break
        standing = player.score(5).data
    assert standing["rank"] <= places, standing
    return int(standing["score"])


def fill_top_ten(api: Api) -> None:
    """See to it that a player without points is outside the top ten."""
    viewer = api.new_player()
    lines = viewer.get("/api/scores?limit=10").data
    for _ in range(11 - sum(line["score"] > 0 for line in lines)):
        api.new_player().score(1)


def test_a_score_in_one_browser_moves_the_board_of_another(visit: Visit, page_api: Api) -> None:
    scorer, watcher = visit(), visit()
    scorer.register()
    watcher.register()
    chaser, leader = player_of(scorer, page_api), player_of(watcher, page_api)
    score = lift(chaser)
    while leader.standing()["score"] <= score:
        leader.score(2)
    ahead, behind = watcher.row(leader.user_id), watcher.row(chaser.user_id)
    expect(behind.locator(".score-value")).to_have_text(f"{score:,}")
    expect(ahead).to_have_count(1)
    scorer.expect_score(score)

    scorer.press(3)

    scorer.expect_score(score + 3)
    expect(behind.locator(".score-value")).to_have_text(f"{score + 3:,}")
    assert watcher.shown_ranks() == sorted(watcher.shown_ranks())
    order = watcher.page.locator("#board-list .row").evaluate_all("rows => rows.map(row => row.dataset.userId)")
    assert order.index(chaser.user_id) < order.index(leader.user_id)
    assert chaser.user_id in watcher.witness("glided")
    expect(scorer.row(chaser.user_id).locator(".you")).to_have_text("you")
    expect(watcher.row(chaser.user_id).locator(".you")).to_have_text("")


def test_nothing_moves_for_whoever_asked_for_reduced_motion(visit: Visit, page_api: Api) -> None:
    visitor = visit(reduced_motion="reduce")
    visitor.register()
    score = lift(player_of(visitor, page_api))
    visitor.expect_score(score)
    visitor.press(5)
    visitor.expect_score(score + 5)
    expect(visitor.page.locator("#board-list .own .score-value")).to_have_text(f"{score + 5:,}")
    assert visitor.witness("glided") == []


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard
    tab_to(page, "input[name=mode]")
    keys.press("ArrowRight")
    tab_to(page, "#username")
    keys.type(f"keys-{secrets.token_hex(5)}")
    tab_to(page, "#password")
    keys.type(PASSWORD)
    keys.press("Enter")
    visitor.expect_live()
    expect(visitor.score_button).to_be_focused()
    expect(visitor.score_button).to_have_css("outline-style", "solid")
    keys.press("Enter")
    visitor.expect_score(1)
    keys.press("Shift+Tab")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(visitor.score_button).to_have_text("Score +3")
    expect(visitor.score_button).to_be_enabled()
    keys.press("Enter")
    visitor.expect_score(4)
    expect(page.locator("#announcer")).to_contain_text("Scored 3 points. You have 4")
    tab_to(page, "#key-box summary")
    keys.press("Enter")
    tab_to(page, "#dismiss-key")
    keys.press("Enter")
    expect(page.locator("#key-box")).to_be_hidden()
    expect(visitor.score_button).to_be_focused()
    tab_to(page, "#sign-out")
    with page.expect_response(lambda response: response.request.method == "DELETE") as ended:
        keys.press("Space")
    expect(page.locator("#username")).to_be_focused()
    assert (ended.value.url.rpartition("/api")[2], ended.value.status) == ("/tokens", 204), "the server knows, too"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, and see that it shows."""
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            break
    else:
        raise AssertionError(f"the keyboard does not reach {selector}")
    outlined = """() => [document.activeElement, document.activeElement.nextElementSibling]
        .some((element) => element && parseFloat(getComputedStyle(element).outlineWidth) >= 2
            && getComputedStyle(element).outlineStyle === "solid")"""
    assert page.evaluate(outlined), f"the focus on {selector} cannot be seen"


def test_the_connection_comes_back_by_itself_after_the_server_went_away(visit: Visit, product: Product, page_api: Api) -> None:
    visitor = visit(tolerate=SERVER_IS_AWAY)
    visitor.register()
    player = player_of(visitor, page_api)
    assert "reconnecting" not in visitor.witness("states")

    product.restart_http()

    eventually(lambda: "reconnecting" in visitor.witness("states"), what="the page saw that the server was away")
    eventually(lambda: visitor.witness("states")[-1] == "live", 60, "the page was live again")
    lift(player)
    score = player.score(2).data["score"]
    visitor.expect_score(score)
    expect(visitor.row(player.user_id).locator(".score-value")).to_have_text(f"{score:,}")


def test_a_player_outside_the_top_ten_sees_their_rank_and_neighbours(visit: Visit, page_api: Api) -> None:
    fill_top_ten(page_api)
    visitor = visit()
    visitor.register()
    player = player_of(visitor, page_api)
    standing = player.standing()
    assert standing["rank"] > 10
    expect(visitor.page.locator("#own-rank")).to_have_text(f"{standing['rank']:,}")
    expect(visitor.page.locator("#board-list .row")).to_have_count(10)
    expect(visitor.page.locator("#board-list .own")).to_have_count(0)
    expect(visitor.row(player.user_id, "#around-list")).to_have_attribute("data-rank", str(standing["rank"]))
    for neighbour in standing["neighbours"]:
        expect(visitor.row(neighbour["userId"], "#around-list")).to_contain_text(neighbour["username"])
    ranks = visitor.shown_ranks("#around-list")
    assert ranks == list(range(ranks[0], ranks[0] + len(ranks)))

    score = lift(player)

    visitor.expect_score(score)
    expect(visitor.page.locator("#board-list .own")).to_have_count(1)
    expect(visitor.page.locator("#around")).to_be_hidden()


def test_a_reload_stays_signed_in_and_signing_out_does_not(visit: Visit) -> None:
    visitor = visit()
    visitor.register()
    visitor.press(2)
    visitor.expect_score(2)
    visitor.page.reload()
    visitor.expect_live()
    visitor.expect_score(2)
    expect(visitor.page.locator("#own-title")).to_have_text(visitor.username)
    visitor.page.get_by_role("button", name="Sign out").click()
    expect(visitor.page.locator("#connection")).to_have_attribute("data-state", "off")
    visitor.page.reload()
    expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(visitor.score_button).to_be_hidden()


def test_a_player_chooses_the_name_that_others_see(visit: Visit, page_api: Api) -> None:
    viewer, visitor = page_api.new_player(), visit(tolerate="status of 422")
    visitor.register()
    player = player_of(visitor, page_api)
    lift(player)
    name, naming = f"\N{FOX FACE} {secrets.token_hex(4)}", visitor.page.get_by_role("dialog")
    with viewer.watch() as watching:
        visitor.page.get_by_role("button", name="Change your name").click()
        naming.get_by_label("What others see").fill("a\u200bb")
        naming.get_by_role("button", name="Save").click()
        expect(naming.get_by_role("alert")).to_contain_text("The name must not contain U+200B (ZERO WIDTH SPACE)")
        naming.get_by_label("What others see").fill(name)
        naming.get_by_role("button", name="Save").click()
        expect(naming).to_be_hidden()
        while not any(line["displayName"] == name for line in json.loads(watching.recv(timeout=60))["data"]):
            pass
    expect(visitor.page.locator("#own-title")).to_have_text(name)
    expect(visitor.row(player.user_id).locator(".name")).to_have_text(name)
    expect(visitor.row(player.user_id).locator(".username")).to_have_text(visitor.username)
    visitor.page.get_by_role("button", name="Change your name").click()
    expect(naming.get_by_label("What others see")).to_have_value(name)
    naming.get_by_label("What others see").fill("")
    naming.get_by_role("button", name="Save").click()
    expect(visitor.row(player.user_id).locator(".name")).to_have_text(visitor.username)
    expect(visitor.row(player.user_id).locator(".username")).to_be_hidden()


def test_the_api_key_is_shown_once_and_kept_nowhere(visit: Visit) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.register()
    expect(visitor.page.locator("#api-key")).to_be_hidden()
    visitor.page.get_by_text("Your API key").click()
    key = visitor.page.locator("#api-key").input_value()
    assert len(key) >= 20
    visitor.page.get_by_role("button", name="Copy").click()
    expect(visitor.page.get_by_text("Copied.")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == key
    visitor.page.get_by_role("button", name="I have it").click()
    expect(visitor.page.locator("#key-box")).to_be_hidden()
    assert key not in visitor.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert key not in visitor.page.content()
    visitor.page.reload()
    visitor.expect_live()
    expect(visitor.page.locator("#key-box")).to_be_hidden()


def test_a_double_click_counts_once(visit: Visit) -> None:
    visitor = visit()
    visitor.register()
    visitor.score_button.dblclick()
    visitor.expect_score(1)
    expect(visitor.score_button).to_be_enabled()
    assert len([url for url in visitor.requests if UPDATES.search(url)]) == 1


def test_an_update_whose_answer_was_lost_is_sent_again_and_counts_once(visit: Visit, page_api: Api) -> None:
    visitor = visit(tolerate="ERR_CONNECTION_RESET")
    visitor.register()
    lost = LostAnswer()
    visitor.page.route(UPDATES, lost.lose_the_first)
    visitor.press(4)
    visitor.expect_score(4)
    expect(visitor.score_button).to_be_enabled()
    assert [answer.status for answer in lost.answers] == [200, 200]
    assert lost.is_of_one_request
    assert player_of(visitor, page_api).standing()["score"] == 4


def test_a_registration_and_a_log_in_whose_answers_were_lost_are_made_up_for(visit: Visit, page_api: Api) -> None:
    visitor = visit(tolerate="ERR_CONNECTION_RESET")
    registration, log_in = LostAnswer(), LostAnswer()
    visitor.page.route("**/api/users", registration.lose_the_first)
    visitor.page.route("**/api/tokens", log_in.lose_the_first)
    visitor.register()
    for lost, status in ((registration, 201), (log_in, 200)):
        assert [answer.status for answer in lost.answers] == [status, status]
        assert lost.is_of_one_request
    assert player_of(visitor, page_api).score().status == 200


class LostAnswer:
    """Requests of a page; the answer to the first one does not arrive."""

    def __init__(self) -> None:
        self.answers: list[APIResponse] = []
        self.keys: list[str | None] = []

    @property
    def is_of_one_request(self) -> bool:
        """Whether the page sent the same key each time."""
        return bool(self.keys[0]) and len(set(self.keys)) == 1

    def lose_the_first(self, route: Route) -> None:
        self.keys.append(route.request.headers.get("idempotency-key"))
        self.answers.append(route.fetch())
        if len(self.answers) == 1:
            route.abort("connectionreset")
        else:
            route.fulfill(response=self.answers[-1])


def test_a_server_that_is_catching_up_is_waited_for(visit: Visit) -> None:
    visitor = visit(tolerate="status of 503")
    visitor.register()
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route)
        fulfil_problem(route, 503, "leaderboard_rebuilding", retry_after_seconds=1)

    visitor.page.route(UPDATES, refuse_once)
    visitor.press(1)
    expect(visitor.page.locator("#play-notice")).to_contain_text("catching up")
    expect(visitor.page.locator("#announcer")).to_contain_text("catching up")
    visitor.expect_score(1)
    expect(visitor.page.locator("#play-notice")).to_be_hidden()


def use_up_the_limit(player: Player) -> None:
    """By several at once, so that the most of a minute is left to look at what follows."""
    with ThreadPoolExecutor(8) as threads:
        assert 429 in set(threads.map(lambda _: player.score(1).status, range(104)))


def test_the_limit_is_explained_with_the_time_to_wait(visit: Visit, page_api: Api) -> None:
    visitor = visit(tolerate="status of 429")
    visitor.register()
    player = player_of(visitor, page_api)
    use_up_the_limit(player)
    visitor.press(1)
    expect(visitor.page.locator("#play-notice")).to_contain_text("100 presses a minute is the limit. Ready again in")
    expect(visitor.score_button).to_be_disabled()
    expect(visitor.score_button).to_be_focused()


def test_an_expired_access_token_is_renewed_unnoticed(visit: Visit) -> None:
    visitor = visit(tolerate="status of 401")
    visitor.register()
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route)
        fulfil_problem(route, 401, "token_expired")

    visitor.page.route(UPDATES, refuse_once)
    with visitor.page.expect_request("**/api/tokens") as renewal:
        visitor.press(5)
    assert "refreshToken" in (renewal.value.post_data or "")
    visitor.expect_score(5)
    expect(visitor.page.locator("#play-notice")).to_be_hidden()


def fulfil_problem(route: Route, status: int, code: str, retry_after_seconds: int | None = None) -> None:
    """Answer for the server with an error that it cannot be brought to on demand."""
    headers = {"Retry-After": str(retry_after_seconds)} if retry_after_seconds else {}
    body = json.dumps({"type": "about:blank", "title": code, "status": status, "code": code, "detail": code})
    route.fulfill(status=status, headers=headers, content_type="application/problem+json", body=body)


def test_refusals_are_said_in_words_where_the_remedy_is(visit: Visit, page_api: Api) -> None:
    visitor = visit(tolerate=r"status of 4(01|09|22)")
    page = visitor.page
    page.get_by_label("Name", exact=True).fill("nobody-of-that-name")
    page.get_by_label("Password", exact=True).fill("certainly not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    expect(page.locator("#password")).to_be_focused()
    page.get_by_role("radio", name="New player").check()
    page.get_by_label("Name", exact=True).fill(page_api.new_player().username)
    page.get_by_role("button", name="Create player").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose another one")
    expect(page.locator("#username")).to_be_focused()
    expect(page.locator("#username")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Create player").click()
    expect(page.get_by_role("alert")).to_have_text("The password must have 12 to 128 characters.")
    page.get_by_label("Password", exact=True).fill("password1234")
    page.get_by_role("button", name="Create player").click()
    expect(page.get_by_role("alert")).to_contain_text("The password is one of those that are tried first.")


def test_names_are_text_and_never_markup(visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)><b>bold"
    line = {"userId": "1", "username": "ada", "displayName": name, "rank": 1, "score": 7}
    visitor = visit()
    show_public_board(visitor.page, {"data": [line], "cache_time": "2026-01-01T00:00:00Z"})
    visitor.page.reload()
    expect(visitor.page.locator("#board-list .row .name")).to_have_text(name)
    expect(visitor.page.locator("#board-list img, #board-list b")).to_have_count(0)


@pytest.mark.parametrize("size", [(390, 844), (1366, 700)], ids=["phone", "laptop"])
def test_what_a_player_needs_is_in_the_first_view(visit: Visit, page_api: Api, size: tuple[int, int]) -> None:
    fill_top_ten(page_api)
    visitor = visit(viewport={"width": size[0], "height": size[1]}, tolerate="status of 429")
    visitor.register()
    for is_open in (False, True):
        if is_open:
            visitor.page.get_by_text("Your API key").click()
        for selector in ("#score-button", "#own-rank", "#own-score"):
            expect(visitor.page.locator(selector)).to_be_in_viewport(ratio=1)
    player = player_of(visitor, page_api)
    use_up_the_limit(player)
    visitor.score_button.click()
    for selector in ("#play-notice", "#score-button", "#own-rank"):
        expect(visitor.page.locator(selector)).to_be_in_viewport(ratio=1)


def test_why_equal_scores_stand_in_their_order_is_said_where_there_are_some(visit: Visit) -> None:
    lines = [
        {"userId": str(rank), "username": f"player-{rank}", "displayName": f"player-{rank}", "rank": rank, "score": 9}
        for rank in (1, 2)
    ]
    visitor = visit()
    for scores, is_said in ((9, 9), True), ((9, 8), False):
        data = [{**line, "score": score} for line, score in zip(lines, scores, strict=True)]
        show_public_board(visitor.page, {"data": data, "cache_time": "2026-01-01T00:00:00Z"})
        visitor.page.goto(visitor.base_url)
        expect(visitor.page.locator("#board-list .row")).to_have_count(2)
        expect(visitor.page.get_by_text("whoever registered first stands first")).to_be_visible(visible=is_said)
        visitor.page.goto("about:blank")  # nothing asks the real server for what is routed no more
        visitor.page.unroute_all(behavior="wait")


def test_a_board_on_a_wall_can_be_read_from_a_distance(visit: Visit) -> None:
    visitor = visit(viewport={"width": 1920, "height": 1080})
    lines = [
        {"userId": str(rank), "username": f"player-{rank}", "displayName": f"player-{rank}", "rank": rank, "score": 99 - rank}
        for rank in range(1, 11)
    ]
    show_public_board(visitor.page, {"data": lines, "cache_time": "2026-01-01T00:00:00Z"})
    visitor.page.reload()
    expect(visitor.page.locator("#board-list .row").last).to_be_in_viewport(ratio=1)
    expect(visitor.page.locator("#board-list .name").first).to_have_css("font-size", "30px")
    assert visitor.too_wide() == []


def test_nothing_is_wider_than_a_small_phone(visit: Visit, page_api: Api) -> None:
    fill_top_ten(page_api)
    visitor = visit(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    assert visitor.too_wide() == []
    visitor.register(f"a-long-name-{secrets.token_hex(19)}")
    expect(visitor.page.locator("#around-list .own")).to_have_count(1)
    expect(visitor.page.locator("#key-box")).to_be_visible()
    assert visitor.too_wide() == []
    expect(visitor.score_button).to_be_in_viewport(ratio=1)
    box = visitor.score_button.bounding_box()
    assert box
    assert box["height"] >= 44


def test_a_connection_is_kept_awake_and_replaced_before_it_ends_without_a_gap(visit: Visit, page_api: Api) -> None:
    visitor = visit()
    sockets: list[dict[str, Any]] = []

    def note(socket: WebSocket) -> None:
        entry: dict[str, Any] = {"sent": [], "open_when_it_came": [each["closed"] for each in sockets], "closed": False}
        sockets.append(entry)
        socket.on("framesent", lambda payload: entry.update(sent=[*entry["sent"], payload]))
        socket.on("close", lambda _: entry.update(closed=True))

    def hurry(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        document["data"] |= {"pingInterval": 0.2, "reconnectIn": 1}
        route.fulfill(response=answer, json=document)

    visitor.page.on("websocket", note)
    visitor.page.route("**/api/ws-tickets", hurry)
    visitor.register()
    player = player_of(visitor, page_api)

    def was_replaced_twice() -> bool:
        visitor.page.wait_for_timeout(100)
        return len(sockets) >= 3 and all(each["closed"] for each in sockets[:2])

    eventually(was_replaced_twice, 60, "two connections replaced")
    assert any('{"action":"ping"}' in each["sent"] for each in sockets)
    assert sockets[1]["open_when_it_came"] == [False], "the old connection stayed until the new one was there"
    score = lift(player)
    expect(visitor.row(player.user_id).locator(".score-value")).to_have_text(f"{score:,}")
    states = visitor.witness("states")
    assert "reconnecting" not in states[states.index("live") :]
    visitor.page.unroute_all(behavior="wait")


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(visit: Visit, page_api: Api, colour_scheme: str) -> None:
    fill_top_ten(page_api)
    visitor = visit(color_scheme=colour_scheme, reduced_motion="reduce")
    visitor.page.get_by_role("radio", name="New player").check()
    assert visitor.too_faint() == []
    visitor.register()
    expect(visitor.page.locator("#around-list .own")).to_have_count(1)
    assert visitor.too_faint() == []
    brightness = visitor.page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (brightness < 60) == (colour_scheme == "dark")


def test_the_page_allows_no_inline_code_and_no_other_host(page_api: Api) -> None:
    answer = page_api.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    document = answer.body.decode()
    assert "http" not in document.replace("http-equiv", "")
    assert " style=" not in document
    assert "<style" not in document
    assert document.count("<script") == document.count('<script type="module" src="/assets/') == 1


def test_a_board_that_is_not_public_says_how_to_see_it(visit: Visit) -> None:
    visitor = visit()
    expect(visitor.page.locator("#board-note")).to_contain_text("Only players see this board. Sign in, or create a player")
    expect(visitor.page.locator("#board-list .row")).to_have_count(0)
    asked = [url for url in visitor.requests if "/api/" in url]
    assert asked == [f"{visitor.base_url}/api/boards"], "what would be refused is not asked for"
