"""GET /, /admin, /docs and /assets/{name}."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from infra.monitoring.dashboards.runbook import paragraphs
from local_runtime.gateway.http.problems import KNOWN, problem_body
from shared.core.config import Settings
from shared.core.errors import ConfigurationError, ScoreboardError
from shared.transport.http import Reply
from tests.handlers.events import ROOT, HandlerReply, call
from tests.handlers.test_roles import ROUTES
from tests.unit.test_errors import tree

ALERTS = (ROOT / "infra" / "monitoring" / "prometheus" / "rules" / "alerts.yml").read_text(encoding="utf-8")
FILES = ROOT / "functions" / "get_page" / "files"
PAGES = {
    "GET /": "index.html",
    "GET /admin": "admin.html",
    "GET /docs": "docs.html",
    "GET /docs/problems": "problems.html",
    "GET /docs/runbook": "runbook.html",
}
ASSETS = sorted(path.name for path in FILES.iterdir() if path.suffix != ".html")
MEDIA_TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "json": "application/json",
}


MOVED = {"GET /admin/": "/admin", "GET /docs/": "/docs"}
SECURITY = "GET /.well-known/security.txt"
BESIDE = {"GET /favicon.ico": "image/svg+xml", "GET /robots.txt": "text/plain"}


def get(name: str, **headers: str) -> HandlerReply:
    """An asset."""
    return call("get_page", "GET /assets/{name}", path_parameters={"name": name}, headers=headers)


def test_each_page_has_its_route() -> None:
    assert {key for key, name in ROUTES.items() if name == "get_page"} == {
        *(*PAGES, *MOVED, *BESIDE, SECURITY, "GET /assets/{name}")
    }
    assert {path.name for path in FILES.glob("*.html")} == set(PAGES.values())


REQUIRED = ("REDIS_URL", "AMQP_URL", "DATABASE_URL", "JWT_SIGNING_KEY", "PAYLOAD_KEYS")


@pytest.mark.parametrize("route", PAGES)
def test_a_page_is_served_with_a_strict_policy_and_revalidated(route: str) -> None:
    reply = call("get_page", route)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.body == (FILES / PAGES[route]).read_text(encoding="utf-8")
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in policy
    assert reply.headers["Cache-Control"] == "no-cache"
    again = call("get_page", route, headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status, again.body) == (304, "")
    # A browser puts the headers of a 304 in the place of those it has kept.
    assert again.headers == {name: value for name, value in reply.headers.items() if name != "Content-Type"}


@pytest.mark.parametrize("route", MOVED)
def test_a_slash_too_many_leads_to_the_page(route: str) -> None:
    reply = call("get_page", route)
    assert (reply.status, reply.headers["Location"], reply.body) == (308, MOVED[route], "")


@pytest.mark.parametrize("name", ASSETS)
def test_every_file_beside_the_pages_is_served(name: str) -> None:
    reply = get(name)
    assert reply.status == 200
    assert reply.headers["Content-Type"].removesuffix("; charset=utf-8") == MEDIA_TYPES[name.rpartition(".")[2]]
    assert reply.body == (FILES / name).read_text(encoding="utf-8")


def test_whatever_a_file_loads_is_there() -> None:
    loaded = set()
    for path in FILES.iterdir():
        text = path.read_text(encoding="utf-8")
        loaded |= set(re.findall(r'(?:"/assets/|from "\./|import "\./)([^"]+)"', text))
    assert loaded
    assert loaded <= set(ASSETS)


def test_the_client_is_the_one_that_everybody_uses() -> None:
    assert (FILES / "scoreboard.js").is_symlink(), "a copy would go its own way"
    reply = get("scoreboard.js")
    assert reply.body == (ROOT / "infra" / "clients" / "javascript" / "scoreboard.js").read_text(encoding="utf-8")
    assert reply.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert get("app.js").headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("proto", "host", "is_alone"),
    [
        ("https", "scores.example.org", True),
        ("http", "localhost:8080", True),
        ("http", "127.0.0.1:8080", True),
        ("http", "[::1]:8080", True),
        ("http", "192.168.1.20:8080", False),
        ("http", "", False),
    ],
)
def test_a_browser_is_asked_for_a_process_of_its_own_where_it_gives_one(proto: str, host: str, is_alone: bool) -> None:
    headers = get("app.js", **{"X-Forwarded-Proto": proto, "Host": host}).headers
    assert ("Cross-Origin-Opener-Policy" in headers) is is_alone


@pytest.mark.parametrize("name", ["nope.js", "index.html", "../handler.py", "/etc/passwd", "handler.py", ".", "..", ""])
def test_nothing_else_is_an_asset(name: str) -> None:
    assert get(name).problem == (404, "not_found")


def test_a_browser_that_has_another_version_gets_this_one() -> None:
    assert get("app.js", **{"If-None-Match": '"another"'}).status == 200


@pytest.mark.parametrize(
    ("viewers_url", "hosts"),
    [
        ("", "'self'"),
        ("wss://abc.execute-api.eu-north-1.amazonaws.com/live", "'self' wss://abc.execute-api.eu-north-1.amazonaws.com"),
        ("wss://viewers.example:8443/event/realtime", "'self' wss://viewers.example:8443"),
    ],
)
def test_a_page_connects_to_its_own_host_and_to_the_live_board(
    monkeypatch: pytest.MonkeyPatch, viewers_url: str, hosts: str
) -> None:
    monkeypatch.setenv("VIEWERS_URL", viewers_url)
    policy = call("get_page", "GET /").headers["Content-Security-Policy"]
    directives = dict(item.strip().partition(" ")[::2] for item in policy.split(";"))
    assert directives["connect-src"] == hosts


@pytest.mark.parametrize(
    ("setting", "ancestors"),
    [
        ("", "'none'"),
        ("https://game.example", "https://game.example"),
        ("https://game.example, http://[::1]:3000", "https://game.example http://[::1]:3000"),
    ],
)
def test_only_sites_that_were_named_show_the_live_page_in_a_frame_and_nobody_another_page(
    monkeypatch: pytest.MonkeyPatch, setting: str, ancestors: str
) -> None:
    monkeypatch.setenv("SCOREBOARD_FRAME_ANCESTORS", setting)
    for route in ("GET /", "GET /admin", "GET /docs"):
        policy = call("get_page", route).headers["Content-Security-Policy"]
        directives = dict(item.strip().partition(" ")[::2] for item in policy.split(";"))
        assert directives["frame-ancestors"] == (ancestors if route == "GET /" else "'none'")


@pytest.mark.parametrize("wrong", ["*", "https://a.example/board", "https://a.example;script-src *", "'self'", "a.example"])
def test_ancestors_that_are_no_origins_are_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="SCOREBOARD_FRAME_ANCESTORS must be exact origins"):
        Settings.from_environment({"SCOREBOARD_FRAME_ANCESTORS": wrong, **dict.fromkeys(REQUIRED, "x")})


@pytest.mark.parametrize("route", BESIDE)
def test_what_browsers_and_crawlers_ask_for_is_there(route: str) -> None:
    reply = call("get_page", route)
    assert (reply.status, reply.headers["Content-Type"]) == (200, f"{BESIDE[route]}; charset=utf-8")


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.8", "*", "GZIP"])
def test_what_is_big_is_compressed_for_whoever_takes_that(accepted: str) -> None:
    plain = get("app.js")
    reply = get("app.js", **{"Accept-Encoding": accepted})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == reply.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(base64.b64decode(reply.body)).decode() == plain.body
    for tag in (plain.headers["ETag"], reply.headers["ETag"]):
        again = get("app.js", **{"Accept-Encoding": accepted, "If-None-Match": tag})
        assert (again.status, again.body, "Content-Encoding" in again.headers) == (304, "", False)


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "gzip; q=0.0", "deflate, br", "*;q=0"])
def test_nobody_is_given_what_they_do_not_take(accepted: str) -> None:
    reply = get("app.js", **{"Accept-Encoding": accepted})
    assert "Content-Encoding" not in reply.headers
    assert reply.body == (FILES / "app.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", ["True", "yes", "1"])
def test_the_live_page_is_told_whether_the_board_is_public(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    private = call("get_page", "GET /")
    monkeypatch.setenv("PUBLIC_LEADERBOARD", word)
    public = call("get_page", "GET /")
    assert public.headers["ETag"] != private.headers["ETag"]
    assert public.body == private.body.replace('data-board="private"', 'data-board="public"') != private.body
    again = call("get_page", "GET /", headers={"If-None-Match": public.headers["ETag"]})
    assert (again.status, again.body) == (304, "")


def everything_answered() -> list[dict[str, str]]:
    """Every problem document a client may get: of functions, and of the gateway in their place."""
    replies = [Reply.problem(kind(), "r-1").body for kind in tree(ScoreboardError) if not kind.is_internal]
    return [json.loads(json.dumps(body)) for body in replies] + [json.loads(problem_body(status, "r-1")) for status in KNOWN]


@pytest.mark.parametrize("problem", everything_answered(), ids=lambda problem: f"{problem['status']}-{problem['code']}")
def test_the_type_of_a_problem_opens_a_page_that_explains_it(problem: dict[str, str]) -> None:
    path, _, fragment = problem["type"].partition("#")
    assert ROUTES[f"GET {path}"] == "get_page"
    page = call("get_page", f"GET {path}", headers={"Accept": "text/html"})
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    (entry,) = re.findall(rf'<article id="{fragment}".*?</article>', page.body, re.DOTALL)
    assert fragment == problem["code"]
    assert f"<h3>{problem['status']} " in entry
    assert "What to do." in entry
    examples = [json.loads(html.unescape(text)) for text in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", entry, re.DOTALL)]
    assert {(one["type"], one["status"]) for one in examples} >= {(problem["type"], problem["status"])}
    said = " ".join(html.unescape(re.sub(r"<[^>]+>", "", entry)).split())
    if problem["detail"] != ScoreboardError.default_detail or problem["code"] == ScoreboardError.code:
        assert problem["detail"].replace("`", "") in said


@pytest.mark.parametrize("alert", sorted(paragraphs()))
def test_the_link_of_an_alert_opens_its_paragraph_of_the_runbook(alert: str) -> None:
    (path, fragment), *others = re.findall(rf"scoreboard_url }}}}(/\S+)#({alert})\"", ALERTS)
    assert others == []
    page = call("get_page", f"GET {path}")
    (entry,) = re.findall(rf'<article id="{fragment}".*?</article>', page.body, re.DOTALL)
    for part in ("Meaning.", "Look at", "Do", "Over"):
        assert f"<strong>{part}</strong>" in entry


def test_a_status_that_says_all_has_no_page_of_its_own() -> None:
    assert 418 not in KNOWN
    assert json.loads(problem_body(418, "r-1"))["type"] == "about:blank"


def test_whom_to_tell_of_a_weakness_is_what_the_operator_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("get_page", SECURITY).problem == (404, "not_found")
    monkeypatch.setenv("SECURITY_CONTACT", "mailto:security@game.example")
    reply = call("get_page", SECURITY)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    fields = dict(line.split(": ", 1) for line in reply.body.splitlines())
    assert fields["Contact"] == "mailto:security@game.example"
    assert datetime.now(UTC) + timedelta(days=80) < datetime.fromisoformat(fields["Expires"])


def test_what_an_admin_is_told_to_do_stands_in_the_runbook() -> None:
    def plain(text: str) -> str:
        return re.sub(r"[`*\s]+", " ", text).casefold()

    script = (FILES / "admin-alarms.js").read_text(encoding="utf-8")
    runbook = plain((ROOT / "infra" / "monitoring" / "RUNBOOK.md").read_text(encoding="utf-8"))
    words = re.findall(r'(?:meaning|remedy):\s+"([^"]+)"', script)
    names = re.findall(r"^  (\w+): \{$", script, re.MULTILINE)
    assert len(words) == 2 * len(names) == 10
    for name in names:
        assert f"## {name.casefold()} " in runbook
    for text in words:
        assert plain(text).rstrip(".,") in runbook, text
