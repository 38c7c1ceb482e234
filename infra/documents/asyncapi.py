"""Writes functions/get_asyncapi/asyncapi.json from the template, the queues and the messages' types."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import yaml

from infra.documents.openapi import BASE as OPENAPI_BASE
from infra.sam import read_sam
from local_runtime.gateway.websocket.connection import TOKEN_EXPIRED
from local_runtime.gateway.websocket.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES
from local_runtime.hosting.manifest import Manifest
from local_runtime.settings import PROJECT_ROOT
from shared.boards.board import MAIN
from shared.core.limits import LARGEST
from shared.ledger import messages as codec
from shared.ledger.publisher_rabbitmq import REBUILD_WANTED
from shared.ledger.queues import DEAD_LETTERS, HISTORY, MAX_HISTORY_QUEUES, QUEUES, REBUILD, RETRIES, UPDATED, history_queues

HERE = Path(__file__).resolve().parent
BASE = HERE / "asyncapi_base.yaml"
# AsyncAPI's own schema of version 3.0.0 (Apache-2.0), as published.
SCHEMA = HERE / "asyncapi-3.0.0.schema.json.gz"
DOCUMENT = PROJECT_ROOT / "functions" / "get_asyncapi" / "asyncapi.json"
# What travels in a queue; what was refused has no type, for it may be no message at all.
MESSAGES = {
    HISTORY: ("ScoreAccepted", "Marker"),
    DEAD_LETTERS: ("Refused",),
    UPDATED: ("ScoresRecorded",),
    REBUILD: ("RebuildWanted",),
    **dict.fromkeys(RETRIES, ("Refused",)),
}
LIVE_SENT = ("Board", "View", "Unsubscribed", "Refusal")
LIVE_RECEIVED = ("Subscribe", "Unsubscribe", "Ping")
PUBLISHERS = {
    HISTORY: ("update_score", "relay_outbox", "reconcile_scores", "rebuild_leaderboard", "redrive_dead_letters"),
    UPDATED: ("record_scores", "ws_connect"),
    REBUILD: ("update_score",),
    DEAD_LETTERS: ("record_scores",),
    **dict.fromkeys(RETRIES, ("record_scores",)),
}


def text() -> str:
    """The document as it is served; raises what build raises."""
    return json.dumps(build(), indent=1, ensure_ascii=False) + "\n"


def build() -> dict[str, Any]:
    """The document; SystemExit lists queues without a description and descriptions without a queue."""
    base: dict[str, Any] = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    live, close_codes, described = base.pop("live"), base.pop("close_codes"), base.pop("queues")
    manifest = read_sam().manifest
    queues = QUEUES | dict.fromkeys(history_queues(MAX_HISTORY_QUEUES), QUEUES[HISTORY])
    problems = [f"{BASE.name} does not describe {name}" for name in sorted(queues) if _kind(name) not in described]
    problems += [f"{BASE.name} describes {name}, which is no queue" for name in sorted(set(described) - set(map(_kind, queues)))]
    problems += [f"nobody declares {each.queue}, of which {each.function.name} lives"
                 for each in manifest.queue_bindings if each.queue not in queues]  # fmt: skip
    if TOKEN_EXPIRED not in close_codes:
        problems.append(f"{BASE.name} does not describe the close code {TOKEN_EXPIRED}")
    if problems:
        raise SystemExit("\n".join(problems))
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base["info"]["version"] = project["version"]
    base["channels"] = {"live": _live_channel(live, close_codes)} | {
        name: _queue_channel(name, described[_kind(name)], arguments) for name, arguments in sorted(queues.items())
    }
    base["operations"] = _operations(manifest, list(queues))
    components = base["components"]
    components["schemas"] = _schemas()
    _complete(components["messages"])
    return base


def problems(text: str) -> list[str]:
    """What AsyncAPI's schema has against the document."""
    schema = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    found = jsonschema.Draft7Validator(schema).iter_errors(json.loads(text))
    return [f"{'/'.join(map(str, error.absolute_path))}: {jsonschema.exceptions.best_match([error]).message}" for error in found]


def _live_channel(live: dict[str, Any], close_codes: dict[int, str]) -> dict[str, Any]:
    limits = (
        f"Messages to the server are text of at most {MAX_MESSAGE_BYTES // 1024} KiB in frames of at most "
        f"{MAX_FRAME_BYTES // 1024} KiB, uncompressed."
    )
    return {
        **live,
        "description": f"{live['description']}\n{limits}\n\nClose codes:\n\n"
        + "\n".join(f"- `{code}`: {meaning}" for code, meaning in close_codes.items()),
        "servers": [{"$ref": "#/servers/viewers"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*LIVE_SENT, *LIVE_RECEIVED)},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"ticket": {"type": "string", "description": "Good once."}}},
                "headers": {"type": "object", "properties": {"Authorization": {"type": "string"}}},
                "bindingVersion": "0.1.0",
            }
        },
        "x-close-codes": {str(code): meaning for code, meaning in close_codes.items()},
    }


def _queue_channel(name: str, description: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": name,
        "description": description,
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in MESSAGES[_first(name)]},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
        "x-arguments": {"x-queue-type": "quorum", **arguments},
    }


def _operations(manifest: Manifest, queues: list[str]) -> dict[str, Any]:
    routes = {route.route_key: route.function.name for route in manifest.websocket_api.routes} if manifest.websocket_api else {}
    operations: dict[str, Any] = {
        "sendBoard": _operation("send", "live", ("Board",), "broadcast_scores: to every viewer, the same bytes."),
        "sendView": _operation("send", "live", LIVE_SENT[1:], "What follows from a message of the viewer's."),
        "receiveMessage": _operation("receive", "live", LIVE_RECEIVED, f"{routes['$default']}: what viewers send."),
    }
    for queue in queues:
        summary = f"Published, and confirmed, by {', '.join(PUBLISHERS[_first(queue)])}."
        sent = _operation("send", queue, MESSAGES[_first(queue)], summary)
        sent["bindings"] = {"amqp": {"deliveryMode": 2, "mandatory": True, "timestamp": True, "bindingVersion": "0.3.0"}}
        operations[f"send.{queue}"] = sent
    for binding in manifest.queue_bindings:
        summary = f"{binding.function.name}: in batches of at most {binding.batch_size}."
        received = _operation("receive", binding.queue, MESSAGES[_first(binding.queue)], summary)
        received["bindings"] = {"amqp": {"ack": True, "bindingVersion": "0.3.0"}}
        operations[f"receive.{binding.queue}"] = received
    return operations


def _operation(action: str, channel: str, messages: tuple[str, ...], summary: str) -> dict[str, Any]:
    reference = f"#/channels/{channel}"
    return {
        "action": action,
        "channel": {"$ref": reference},
        "summary": summary,
        "messages": [{"$ref": f"{reference}/messages/{message}"} for message in messages],
    }


def _schemas() -> dict[str, Any]:
    """The messages' types as the code decodes them, within the ranges it accepts."""
    openapi = yaml.safe_load(OPENAPI_BASE.read_text(encoding="utf-8"))
    (_, schemas) = msgspec.json.schema_components((codec.Envelope, codec.RecordedEnvelope))
    accepted, recorded = schemas["Envelope"], schemas["RecordedEnvelope"]
    sealed = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}\\.[A-Za-z0-9_=-]+$"}
    sealed["description"] = "The id of a key, and base64url of nonce, AES-256-GCM ciphertext and tag. Bound to the other fields."
    for schema in (accepted, recorded):
        schema.pop("title")
        schema["properties"]["encrypted_data"] = sealed
    accepted["properties"]["request_id"]["maxLength"] = codec.MAX_ID_LENGTH
    marker = json.loads(json.dumps(accepted))
    accepted["properties"]["user_id"] |= {"minLength": 1, "maxLength": codec.MAX_ID_LENGTH}
    accepted["properties"]["increment"] |= {"minimum": MAIN.increments[0], "maximum": MAIN.increments[-1]}
    accepted["properties"]["new_score"] |= {"minimum": -LARGEST, "maximum": LARGEST}
    marker["properties"]["request_id"]["maxLength"] = codec.MAX_MARKER_LENGTH
    marker["properties"] |= {"user_id": {"const": ""}, "increment": {"const": 0}, "new_score": {"const": 0}}
    line = {name: openapi["components"]["schemas"][name] for name in ("Standing", "DisplayName", "BoardRow")}
    return {**line, "ScoreAccepted": accepted, "Marker": marker, "ScoresRecorded": recorded}


def _complete(messages: dict[str, Any]) -> None:
    """Give the messages of the queues their payloads, AMQP types and headers."""
    kinds = {"ScoreAccepted": codec.ACCEPTED, "Marker": codec.MARKER, "ScoresRecorded": codec.RECORDED}
    for name, kind in {**kinds, "RebuildWanted": REBUILD_WANTED}.items():
        message = messages[name]
        message["name"] = kind
        message["bindings"] = {"amqp": {"messageType": kind, "bindingVersion": "0.3.0"}}
        if name in kinds:
            message["payload"] = {"$ref": f"#/components/schemas/{name}"}
    messages["ScoreAccepted"]["traits"] = [{"$ref": "#/components/messageTraits/redriven"}]
    messages["Refused"]["traits"] = [{"$ref": "#/components/messageTraits/refused"}]


def _kind(queue: str) -> str:
    """The description that a queue shares with its like."""
    shared = (RETRIES[0], HISTORY)
    return next((name for name in shared if queue == name or queue.removeprefix(f"{name}.").isdigit()), queue)


def _first(queue: str) -> str:
    """The queue that this one is a further one of."""
    return HISTORY if queue in history_queues(MAX_HISTORY_QUEUES) else queue
