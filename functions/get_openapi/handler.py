"""GET /openapi.json: the API's description, generated beside this file."""

from __future__ import annotations

from pathlib import Path

from shared.transport.files import files_of
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer the OpenAPI 3.1 document."""
    document = files_of(Path(__file__).parent)["openapi.json"]
    return document.reply(request, {"Cache-Control": "public, max-age=300"})
