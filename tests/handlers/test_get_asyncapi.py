"""GET /asyncapi.json."""

from __future__ import annotations

import json

from infra.documents.asyncapi import DOCUMENT
from tests.handlers.events import call


def test_the_document_is_served_without_any_setting() -> None:
    reply = call("get_asyncapi", "GET /asyncapi.json")
    assert reply.status == 200
    assert reply.json == json.loads(DOCUMENT.read_text())
    assert reply.headers["Content-Type"] == "application/json"
