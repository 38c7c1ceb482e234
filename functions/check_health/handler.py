"""GET /healthz: this process answers. GET /readyz: what it can do at the moment."""

from __future__ import annotations

from shared.container import container
from shared.operations.check_health import check_health
from shared.transport.http import HttpRequest, Reply, http_handler

NO_STORE = {"Cache-Control": "no-store"}


@http_handler
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 200, or 503 when this instance cannot do what it is for: accept updates or, where it serves no API, record them."""
    if request.route_key == "GET /readyz":
        return Reply.ok(check_health(container().readiness), headers=NO_STORE)
    return Reply.ok({"status": "alive"}, headers=NO_STORE)
