"""GET /openapi.json."""

from __future__ import annotations

import json
from pathlib import Path

from tests.handlers.events import ROOT, call

DOCUMENT: Path = ROOT / "functions" / "get_openapi" / "openapi.json"


def test_the_document_is_served_without_any_setting() -> None:
    reply = call("get_openapi", "GET /openapi.json")
    assert reply.status == 200
    assert reply.json == json.loads(DOCUMENT.read_text())
    assert reply.headers["Content-Type"] == "application/json"
