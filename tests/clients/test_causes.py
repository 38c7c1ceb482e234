"""Whatever keeps a client from its scoreboard, the error says what it is; what does not pass by itself is told at once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from scoreboard_client import Patience, Scoreboard, ScoreboardError

from tests.clients.driven import HERE, NODE
from tests.clients.strange import strange_server
from tests.runtime.scripted_api import scripted_api

NOWHERE = "http://127.0.0.1:9"
PAGE = "http://game.test:8000"
# The address: status and code, whether it may pass, and what the words say.
CAUSES = {
    "html": (
        200,
        "not_the_api",
        False,
        "was answered with 200 and text/html, which is no answer of a scoreboard. Is {url} its address?",
    ),
    "json": (200, "not_the_api", False, "was answered with 200 and application/json"),
    "missing": (404, "not_the_api", False, "was answered with 404 and text/html"),
    "other": (404, "not_the_api", False, "was answered with 404 and application/json"),
    "static": (501, "not_the_api", False, "was answered with 501 and text/html"),
    "moved": (301, "redirected", False, "is redirected to https://scores.test/: give the address that it leads to"),
    "busy": (503, "unknown", True, "was answered with 503 and text/html"),
    "nowhere": (0, "no_answer", True, f"{NOWHERE} does not answer"),
}


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with strange_server() as url:
        yield {name: NOWHERE if name == "nowhere" else f"{url}/{name}" for name in CAUSES}


def told_by_javascript(urls: dict[str, str], **environment: str) -> dict[str, Any]:
    command: list[str] = [str(NODE), str(HERE / "causes.mjs"), *(f"{name}={url}" for name, url in urls.items())]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def told_by_python(url: str) -> ScoreboardError:
    with Scoreboard(url) as scoreboard, pytest.raises(ScoreboardError) as failed:
        scoreboard.log_in("ada", "correct horse battery", Patience(give_up_after_seconds=0.001))
    return failed.value


def test_the_cause_is_told_in_python(urls: dict[str, str]) -> None:
    for name, (status, code, may_pass, words) in CAUSES.items():
        error = told_by_python(urls[name])
        assert (error.status, error.code, error.is_temporary) == (status, code, may_pass), name
        assert words.format(url=urls[name]) in error.detail
        assert error.idempotency_key


def test_the_cause_is_told_in_javascript(urls: dict[str, str]) -> None:
    told = told_by_javascript(urls)
    for name, (status, code, may_pass, words) in CAUSES.items():
        error = told[name]
        assert (error["status"], error["code"], error["isTemporary"]) == (status, code, may_pass), name
        assert words.format(url=urls[name]) in error["message"]


def test_a_page_is_told_whether_nobody_answers_or_it_may_not_read(urls: dict[str, str]) -> None:
    told = told_by_javascript({"there": urls["html"], "nowhere": NOWHERE}, PAGE=PAGE)
    assert (told["there"]["code"], told["there"]["isTemporary"]) == ("cors_refused", False)
    assert f"its CORS_ALLOWED_ORIGINS lacks {PAGE}." in told["there"]["message"]
    assert (told["nowhere"]["code"], told["nowhere"]["isTemporary"]) == ("no_answer", True)
    secure = told_by_javascript({"nowhere": NOWHERE}, PAGE="https://game.test")
    assert secure["nowhere"]["code"] == "mixed_content"
    file = told_by_javascript({"there": urls["html"]}, PAGE="null")
    assert "no page without a web server can be allowed" in file["there"]["message"]


def test_what_is_no_url_is_told_in_javascript() -> None:
    told = told_by_javascript({"bare": "scores.test", "other": "ftp://scores.test", "none": ""})
    assert {error["kind"] for error in told.values()} == {"TypeError"}
    assert told["bare"]["message"].startswith('"scores.test" is no URL of a scoreboard')


def test_what_has_answered_before_is_away_for_a_while() -> None:
    """A page in the place of the API, as a proxy shows one during a deployment, ends nothing that has begun."""
    with scripted_api() as api, Scoreboard(api.base_url) as scoreboard:
        scoreboard.log_in("ada", "secret")
        api.page_only = True

        def mended(error: ScoreboardError, _wait: float) -> None:
            assert (error.status, error.code) == (0, "no_answer")
            api.page_only = False

        assert scoreboard.add_points(2, patience=Patience(on_retry=mended))["score"] == 2
