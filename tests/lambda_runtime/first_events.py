"""One good event for each of the functions that are invoked most, as their triggers make them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pika

from local_runtime.hosting.events.http import HttpRequestParts, http_event
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.queue import QueueDelivery, queue_event
from shared.boards.board import MAIN
from shared.ledger.events import ScoreAccepted, ScoresRecorded
from shared.ledger.messages import EventCodec
from shared.stores.sealing import Sealer
from tests.lambda_runtime.deployment import Deployment
from tests.support.api import PASSWORD, Player

Events = dict[str, Callable[[], dict[str, Any]]]


def first_events(deployment: Deployment, player: Player) -> Events:
    """By function; each call makes a fresh one of this player's."""
    assert deployment.plan.secret is not None
    codec = EventCodec(Sealer.from_setting(deployment.plan.secret["PAYLOAD_KEYS"]), MAIN.increments)
    routes = {route.function.name: route for route in deployment.manifest.http_routes}

    def http(name: str, body: bytes = b"") -> Callable[[], dict[str, Any]]:
        route, variables = routes[name], {"user_id": player.user_id}
        headers = {"host": "api.example", "content-type": "application/json"}
        headers |= {name.lower(): value for name, value in player.authorization.items()}
        path = route.path.format_map(variables)

        def event() -> dict[str, Any]:
            request = HttpRequestParts(route.method, path, "", headers, body, "127.0.0.1", str(uuid4()), time.time())
            return http_event(request, route.key, variables if "{" in route.path else {}, ApiIdentity())

        return event

    def queued(queue: str, body: Callable[[], bytes]) -> Callable[[], dict[str, Any]]:
        return lambda: queue_event("arn:aws:mq", queue, "/", [QueueDelivery(1, False, pika.BasicProperties(), body())])

    def update() -> bytes:
        return codec.update(ScoreAccepted(str(uuid4()), player.user_id, 1, 1, datetime.now(UTC), ""))

    return {
        "get_scores": http("get_scores"),
        "get_user_score": http("get_user_score"),
        "get_score_history": http("get_score_history"),
        "update_score": http("update_score", b'{"increment":1}'),
        "issue_token": http("issue_token", f'{{"username":"{player.username}","password":"{PASSWORD}"}}'.encode()),
        "record_scores": queued("score_history_queue", update),
        "broadcast_scores": queued("score_updated_queue", lambda: codec.recorded(ScoresRecorded(1, datetime.now(UTC)))),
    }
