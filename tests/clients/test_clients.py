"""Both clients while parts of the real product die, refuse and stay silent: no point lost, none counted twice."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import trustme
from playwright.sync_api import Browser
from scoreboard_client import AsyncScoreboard, Receipt, Scoreboard, ScoreboardError

from local_runtime.instance.servers.ports import free_port
from tests.clients.driven import COMMANDS, Driven, Refused, only_rises
from tests.clients.game_page import GamePage
from tests.support.api import PASSWORD
from tests.support.forward_proxy import ForwardProxy
from tests.support.product import ROOT, Product
from tests.support.relay import Relay
from tests.support.tasks import run_tasks
from tests.support.tls_server import TlsServer
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("clients"), pytest.mark.timeout(600)]
LANGUAGES = sorted(COMMANDS)
PAGE = ROOT / "docs" / "clients.md"
LIMIT = 40
TOKEN = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({}, {"sub": "u", "exp": 2**33}, {}))


@pytest.fixture(scope="module")
def game() -> Iterator[GamePage]:
    """A page of another origin: that which the documents show."""
    with GamePage(PAGE) as page:
        yield page


@pytest.fixture(scope="module")
def product(game: GamePage) -> Iterator[Product]:
    """Two workers, an address that stays after a restart, a limit that tests can wait for, and an origin that may come."""
    options = ("--port", str(free_port()), "--workers", "2")
    environment = {"RATE_LIMIT_REQUESTS": str(LIMIT), "RATE_WINDOW_SECONDS": "2", "CORS_ALLOWED_ORIGINS": game.origin}
    with Product(None, *options, **environment) as running:
        yield running


@pytest.fixture(params=LANGUAGES)
def client(request: pytest.FixtureRequest) -> Iterator[Driven]:
    with Driven(request.param) as driven:
        yield driven


def joined(client: Driven, product: Product, url: str = "", **options: object) -> str:
    """A new player of the product, logged in through the client; answers the name."""
    name = f"client-{secrets.token_hex(6)}"
    product.api.post("/api/users", {"username": name, "password": PASSWORD})
    assert client.do("join", name=name, url=url or product.base_url, password=PASSWORD, **options)
    return name


def recorded(product: Product, name: str) -> tuple[int, int]:
    """How many updates the ledger has of a player, and their points."""
    sql = """SELECT count(*), coalesce(sum(increment), 0) FROM score_history JOIN users ON users.user_id = score_history.user_id
             WHERE username = :name"""
    ((updates, points),) = product.query(sql, name=name)
    return int(updates), int(points)


def test_an_update_whose_answers_are_lost_counts_once(client: Driven, product: Product) -> None:
    with closing(Relay(product.base_url)) as way:
        name = joined(client, product, way.url)
        client.do("add", name=name, increment=2)
        way.lose(3)
        assert client.do("add", name=name, increment=3)["score"] == 5
        assert client.do("standing", name=name)["score"] == 5
        eventually(lambda: recorded(product, name) == (2, 5), 60, "the ledger has both updates, once")
        assert client.do("history", name=name, page_size=1) == [3, 2]


def test_an_entry_on_a_board_whose_answers_are_lost_counts_once(client: Driven, product: Product) -> None:
    board_id = f"board-{secrets.token_hex(6)}"
    boards = json.dumps({"boards": {board_id: {"metadataBytes": 50}}})
    assert product.verb("boards", "apply", "-", "--yes", stdin=boards).returncode == 0
    other = joined(client, product)
    client.do("enter", name=other, board=board_id, value=9)
    with closing(Relay(product.base_url)) as way:
        name = joined(client, product, way.url)
        client.do("enter", name=name, board=board_id, value=2)
        way.lose(3)
        receipt = client.do("enter", name=name, board=board_id, value=3, metadata={"car": "red"})
        assert (receipt["score"], receipt["rank"], receipt["periods"][0]["period"]) == (5, 2, "all_time")
        first = client.do("board_page", name=name, board=board_id, limit=1)
        second = client.do("board_page", name=name, board=board_id, limit=1, cursor=first["nextCursor"])
    rows = [(row["username"], row["score"]) for row in first["data"] + second["data"]]
    assert rows == [(other, 9), (name, 5)]
    assert (second["nextCursor"], second["total"]) == (None, 2)


def test_who_can_log_in_does_so_for_whatever_is_asked_first(product: Product) -> None:
    name = f"client-{secrets.token_hex(6)}"
    product.api.post("/api/users", {"username": name, "password": PASSWORD})
    with Scoreboard(product.base_url, get_credentials=lambda: (name, PASSWORD)) as scoreboard:
        assert scoreboard.top(), "a board that is not public"


def test_a_name_is_chosen_and_told(client: Driven, product: Product) -> None:
    with closing(Relay(product.base_url)) as way:
        name = joined(client, product, way.url)
        way.lose(2)
        own = [client.do("rename", name=name, display_name=chosen) for chosen in ("Ада", None)]
    assert [(one["displayName"], one["username"], one["role"]) for one, _ in own] == [
        ("Ада", name, "player"),
        (name, name, "player"),
    ]
    assert all(told == renamed for renamed, told in own)


def test_a_registration_whose_answers_are_lost_gives_the_api_key(client: Driven, product: Product) -> None:
    name = f"client-{secrets.token_hex(6)}"
    with closing(Relay(product.base_url)) as way:
        way.lose(2)
        account = client.do("register", name=name, url=way.url, password=PASSWORD)
    stored = product.query("SELECT user_id, api_key FROM users WHERE username = :name", name=name)
    assert stored == [[account["userId"], hashlib.sha256(account["apiKey"].encode()).hexdigest()]]


def test_a_log_in_and_a_renewal_whose_answers_are_lost_log_nobody_out(client: Driven, product: Product) -> None:
    with closing(Relay(product.base_url)) as way:
        name = f"client-{secrets.token_hex(6)}"
        product.api.post("/api/users", {"username": name, "password": PASSWORD})
        way.lose(2)
        assert client.do("join", name=name, url=way.url, password=PASSWORD)
        client.do("add", name=name)
        for lost in (1, 2, 1):
            client.do("expire", name=name)
            way.lose(lost)
            client.do("add", name=name)
    sessions = """SELECT count(DISTINCT family_id), count(*) FROM refresh_tokens
                  WHERE user_id = (SELECT user_id FROM users WHERE username = :name)"""
    assert product.query(sessions, name=name) == [[1, 4]], "one log-in, three renewals"


def test_a_renewal_is_made_up_for_after_an_outage_longer_than_the_grace(client: Driven, product: Product) -> None:
    with closing(Relay(product.base_url)) as way:
        name = joined(client, product, way.url)
        ((user_id,),) = product.query("SELECT user_id FROM users WHERE username = :name", name=name)
        client.do("expire", name=name)
        way.lose(1_000_000)
        begun = client.begin("add", name=name)
        long_ago = """UPDATE refresh_tokens SET spent_at = spent_at - interval '1 minute'
                      WHERE user_id = :id AND spent_at IS NOT NULL RETURNING token_hash"""
        eventually(lambda: product.query(long_ago, id=user_id), 60, "the token is spent")
        way.lose(0)
        assert client.result(begun)["score"] == 1


def test_a_log_out_whose_answers_are_lost_is_one(client: Driven, product: Product) -> None:
    with closing(Relay(product.base_url)) as way:
        name = joined(client, product, way.url)
        client.do("add", name=name)
        way.lose(2)
        assert client.do("log_out", name=name)
    logged_out = """SELECT count(*) FROM audit_log JOIN users ON users.user_id = audit_log.user_id
                    WHERE action = 'logged_out' AND username = :name"""
    assert product.query(logged_out, name=name) == [[1]]
    with pytest.raises(Refused) as refused:
        client.do("add", name=name)
    assert refused.value.error["status"] == 401


def test_the_limit_is_waited_for_or_told(client: Driven, product: Product) -> None:
    name = joined(client, product)
    assert client.do("add", name=name, times=LIMIT + 5)["score"] == LIMIT + 5
    with pytest.raises(Refused) as refused:
        client.do("impatient", name=name, times=3 * LIMIT)
    assert (refused.value.error["status"], refused.value.error["code"]) == (429, "rate_limited")
    assert refused.value.error["key"]


def test_a_session_that_ended_is_begun_anew_or_told(client: Driven, product: Product) -> None:
    stays, leaves = joined(client, product, log_in_again=True), joined(client, product)
    for name in (stays, leaves):
        client.do("watch", name=name)
    eventually(lambda: client.boards, 60, "the board is shown")
    for name in (stays, leaves):
        client.do("end_session", name=name)
    assert client.do("add", name=stays)["score"] == 1
    eventually(lambda: client.ends == [401], 60, "who cannot log in again is told so, and nobody else")
    with pytest.raises(Refused) as refused:
        client.do("add", name=leaves)
    assert refused.value.error["status"] == 401


def test_a_websocket_that_is_refused_is_told(product: Product) -> None:
    """As by a proxy that lets only requests through. Browsers keep the status to themselves, so JavaScript tries for a while."""
    with closing(Relay(product.base_url)) as way, ExitStack() as stack:
        way.refuse_websockets(403)
        clients = {language: stack.enter_context(Driven(language)) for language in LANGUAGES}
        for client in clients.values():
            client.do("watch", name=joined(client, product, way.url), give_up_seconds=5)
        eventually(lambda: clients["python"].ends == [403], 60, "Python says what was answered")
        eventually(lambda: clients["javascript"].ends == [0], 60, "JavaScript gives up")
        assert "refused the WebSocket with 403" in clients["python"].reasons[-1]
        assert len(clients["javascript"].reasons) > 1, "each try is told of"
        assert all(reason.startswith("no_websocket: The WebSocket to 127.0.0.1") for reason in clients["javascript"].reasons)
        assert not any(client.boards for client in clients.values())


def test_a_ticket_that_is_never_good_enough_is_told(product: Product) -> None:
    with closing(Relay(product.base_url)) as way, Driven("python") as client:
        way.refuse_websockets(401)
        client.do("watch", name=joined(client, product, way.url))
        eventually(lambda: client.ends == [401], 60, "the end")
        assert len(client.reasons) == 3


def test_what_stood_once_is_tried_for_again_and_told(product: Product) -> None:
    with closing(Relay(product.base_url)) as way, ExitStack() as stack:
        clients = [stack.enter_context(Driven(language)) for language in LANGUAGES]
        for client in clients:
            client.do("watch", name=joined(client, product, way.url), give_up_seconds=1)
            eventually(lambda: client.boards, 60, "the board is shown")  # noqa: B023 - called here and now
        way.cut()
        for client in clients:
            eventually(lambda: len(client.reasons) > 2, 60, "it is told")  # noqa: B023
            assert client.ends == []
        way.mend()
        player = product.api.new_player()
        score = player.climb()
        for client in clients:
            eventually(lambda: client.shows(player.username, score), 60, "the board goes on")  # noqa: B023


@pytest.mark.browser
def test_a_page_of_an_allowed_origin_plays_with_the_client_of_the_server(
    product: Product, game: GamePage, browser: Browser
) -> None:
    game.server_url = product.base_url
    with closing(browser.new_page()) as page:
        page.goto(game.origin)
        page.get_by_text("live", exact=True).wait_for()
        page.get_by_role("button", name="Score").click()
        page.get_by_role("listitem").filter(has_text=re.compile(r"^guest-\w+ 5$")).wait_for()


@pytest.mark.browser
def test_a_page_of_another_origin_is_told_why_it_gets_no_answer(product: Product, game: GamePage, browser: Browser) -> None:
    game.server_url = product.base_url
    stranger = game.origin.replace("127.0.0.1", "localhost")
    with closing(browser.new_page()) as page:
        with page.expect_event("pageerror") as failed:
            page.goto(f"{stranger}/copied")
        assert failed.value.message == (
            f"{product.base_url} answers, but the browser keeps the answers from this page. "
            f"If that is the scoreboard, its CORS_ALLOWED_ORIGINS lacks {stranger}."
        )


def test_a_server_that_has_no_live_board_is_told_at_once(client: Driven, product: Product) -> None:
    client.do("join", name="guest", url=f"{product.base_url}/elsewhere", token_url=f"data:,{TOKEN}")
    client.do("watch", name="guest")
    eventually(lambda: client.ends == [404], 60, "the end")
    [reason] = client.reasons
    assert reason.startswith("not_found: ")


def test_a_platform_without_websockets_is_told_at_once(product: Product) -> None:
    with Driven("javascript") as client:
        name = joined(client, product)
        with pytest.raises(Refused) as refused:
            client.do("watch", name=name, without_websocket=True)
    assert refused.value.error["code"] == "not_supported"
    assert "There is no WebSocket here: use Node 22 or newer" in refused.value.error["text"]


def test_python_goes_through_the_proxy_of_the_environment(product: Product) -> None:
    with closing(ForwardProxy(product.base_url)) as proxy, Driven("python", HTTP_PROXY=proxy.url, NO_PROXY="") as client:
        name = joined(client, product, "http://scores.test:8080")
        client.do("watch", name=name)
        assert client.do("add", name=name, increment=3)["score"] == 3
        eventually(lambda: client.boards, 60, "the board is shown")
        assert any(asked.startswith("POST http://scores.test:8080/api/") for asked in proxy.asked)
        assert "CONNECT scores.test:8080 HTTP/1.1" in proxy.asked


def test_tasks_go_through_the_proxy_of_the_environment(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> Receipt:
        async with AsyncScoreboard("http://scores.test:8080") as scoreboard:
            name = f"client-{secrets.token_hex(6)}"
            await scoreboard.register(name, PASSWORD)
            await scoreboard.log_in(name, PASSWORD)
            async with scoreboard.watch() as live:
                await anext(live)
            return await scoreboard.add_points(3)

    with closing(ForwardProxy(product.base_url)) as proxy:
        for variable, value in {"http_proxy": proxy.url, "HTTP_PROXY": proxy.url, "NO_PROXY": ""}.items():
            monkeypatch.setenv(variable, value)
        assert run_tasks(play())["score"] == 3
        assert "CONNECT scores.test:8080 HTTP/1.1" in proxy.asked
        with closing(ForwardProxy(product.base_url, lets_connect=False)) as closed:
            monkeypatch.setenv("http_proxy", closed.url)
            with pytest.raises(ScoreboardError, match=r"proxy_refused: no WebSocket to ws://scores.test:8080/ws"):
                run_tasks(play())


def test_a_proxy_that_lets_no_websocket_through_is_told(product: Product) -> None:
    with (
        closing(ForwardProxy(product.base_url, lets_connect=False)) as proxy,
        Driven("python", HTTP_PROXY=proxy.url, NO_PROXY="") as client,
    ):
        name = joined(client, product, "http://scores.test:8080")
        assert client.do("add", name=name)["score"] == 1
        client.do("watch", name=name)
        eventually(lambda: client.ends == [0], 60, "the end")
        [reason] = client.reasons
        assert reason.startswith("proxy_refused: no WebSocket to ws://scores.test:8080/ws")


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(product: Product) -> None:
    with Driven("python", HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1", NO_PROXY="") as client:
        name = joined(client, product)
        client.do("watch", name=name)
        eventually(lambda: client.boards, 60, "the board is shown")


def test_a_certificate_that_is_not_trusted_is_told_at_once() -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with TlsServer(certificate) as server, Scoreboard(f"https://127.0.0.1:{server.port}") as scoreboard:
        with pytest.raises(ScoreboardError, match=r"certificate_refused: .* CERTIFICATE_VERIFY_FAILED"):
            next(scoreboard.watch())
        with pytest.raises(ScoreboardError, match=r"certificate_refused: .* CERTIFICATE_VERIFY_FAILED"):
            scoreboard.log_in("ada", PASSWORD)
    assert server.handshakes <= 2


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "socks4://127.0.0.1:1080", "http://"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ValueError, match=r"NO_PROXY=scores\.test"):
        Scoreboard("http://scores.test")
    monkeypatch.setenv("NO_PROXY", "scores.test")
    Scoreboard("http://scores.test")


def test_a_connection_that_died_without_a_word_is_found_out(product: Product) -> None:
    with closing(Relay(product.base_url)) as way, ExitStack() as stack:
        clients = [stack.enter_context(Driven(language)) for language in LANGUAGES]
        for client in clients:
            client.do("watch", name=joined(client, product, way.url), alive_seconds=1)
            eventually(lambda: client.boards, 60, "the board is shown")  # noqa: B023 - called here and now
        way.go_deaf()
        player = product.api.new_player()
        score = player.climb()
        for client in clients:
            eventually(lambda: client.shows(player.username, score), 60, "the board goes on")  # noqa: B023
            assert only_rises(client.versions())


def test_a_broker_that_is_away_costs_no_update(product: Product) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Driven(language)) for language in LANGUAGES]
        names = [joined(client, product) for client in clients]
        old_pid = product.kill("rabbitmq")
        begun = [client.begin("add", name=name, increment=5, times=4) for client, name in zip(clients, names, strict=True)]
        assert [client.result(one)["score"] for client, one in zip(clients, begun, strict=True)] == [20, 20]
        product.wait_replaced("rabbitmq", old_pid, 60)
    for name in names:
        eventually(lambda name=name: recorded(product, name) == (4, 20), 90, "the ledger has it all")  # type: ignore[misc]


def test_a_thousand_updates_under_killed_workers_and_a_restart_are_a_thousand(product: Product) -> None:
    """Two libraries, five players each, a hundred updates each; meanwhile all workers die twice and the product restarts once."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Driven(language)) for language in LANGUAGES]
        players = [(client, joined(client, product)) for client in clients for _ in range(5)]
        for client in clients:
            client.do("watch", name=next(name for owner, name in players if owner is client))
        begun = [(client, client.begin("add", name=name, times=100)) for client, name in players]
        total = """SELECT count(*) FROM score_history JOIN users ON users.user_id = score_history.user_id
                   WHERE username = ANY(:names)"""
        names = [name for _, name in players]

        def progress() -> int:
            return int(product.query(total, names=names)[0][0])

        eventually(lambda: progress() > 100, 60, "a tenth is played")
        product.restart_http()
        eventually(lambda: progress() > 300, 60, "a third is played")
        product.stop()
        product.start()
        eventually(lambda: progress() > 600, 60, "more than half is played")
        product.kill("http", signal.SIGKILL)
        assert {client.result(one, 120)["score"] for client, one in begun} == {100}

        def is_recorded() -> bool:
            product.invoke("relay_outbox")
            return progress() == 1000

        eventually(is_recorded, 60, "the ledger has a thousand")
        for client, name in players:
            assert client.do("standing", name=name)["score"] == 100

        def shown() -> list[dict[str, int]]:
            return [client.boards[-1]["scores"] for client in clients]

        eventually(
            lambda: shown()[0] == shown()[1] and {100} >= {shown()[0].get(name, 100) for name in names}, 60, "the end is shown"
        )
        for client in clients:
            assert only_rises(client.versions()), client.versions()
    assert {recorded(product, name) for name in names} == {(100, 100)}
