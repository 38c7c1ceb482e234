"""The error tree: what a client can rely on."""

from __future__ import annotations

import re

import pytest

from shared.core import errors
from shared.core.errors import ScoreboardError, Unauthenticated, Unavailable
from shared.transport.http import Reply


def tree(kind: type[ScoreboardError] = ScoreboardError) -> list[type[ScoreboardError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in tree(child))]


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_error_is_a_whole_problem_document(kind: type[ScoreboardError]) -> None:
    error = kind()
    document = Reply.problem(error, "r-1").body
    assert isinstance(document, dict)
    assert set(document) == {"type", "title", "status", "code", "detail", "requestId"}
    assert document["type"] == f"/docs/problems#{error.code}"
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert error.title
    assert error.detail


def test_a_code_means_one_thing_at_each_status() -> None:
    seen: dict[tuple[int, str], type[ScoreboardError]] = {}
    for kind in tree():
        if kind.__subclasses__() or kind in (errors.MissingToken,):
            continue
        assert (kind.status, kind.code) not in seen, kind
        seen[kind.status, kind.code] = kind


@pytest.mark.parametrize("kind", tree(Unauthenticated), ids=lambda kind: kind.__name__)
def test_401_says_how_to_authenticate(kind: type[ScoreboardError]) -> None:
    challenge = Reply.problem(kind(), "r-1").headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="scoreboard"')


@pytest.mark.parametrize("kind", tree(Unavailable), ids=lambda kind: kind.__name__)
def test_503_says_when_to_come_back(kind: type[ScoreboardError]) -> None:
    assert kind.status == 503
    assert Reply.problem(kind(), "r-1").headers["Retry-After"] == "1"


def test_retry_after_is_a_whole_number_of_seconds_rounded_up() -> None:
    waits = {
        wait: Reply.problem(errors.RateLimited(retry_after_seconds=wait), "r").headers["Retry-After"]
        for wait in (0, 0.2, 1, 1.01)
    }
    assert waits == {0: "1", 0.2: "1", 1: "1", 1.01: "2"}


def test_extensions_and_headers_go_with_the_document() -> None:
    reply = Reply.problem(errors.NotReady("Down: redis.", data={"redis": "down"}, headers={"X-Extra": "1"}), "r-1")
    assert isinstance(reply.body, dict)
    assert reply.body["data"] == {"redis": "down"}
    assert reply.headers["X-Extra"] == "1"
