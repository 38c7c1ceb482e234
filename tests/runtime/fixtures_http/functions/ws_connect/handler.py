"""Accepts or refuses as the query says; writes its event down."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(json.dumps(event) + "\n")
    query = event.get("queryStringParameters") or {}
    if query.get("fail"):
        raise RuntimeError("the database password is hunter2")
    headers = {}
    if "expires_in" in query:
        headers["X-Session-Expires-At"] = str(time.time() + float(query["expires_in"]))
    if "labels" in query:
        headers["X-Session-Labels"] = query["labels"]
    if "broadcast" in query:
        headers["X-Session-Broadcast"] = query["broadcast"]
    if "subprotocol" in query:
        headers["Sec-WebSocket-Protocol"] = query["subprotocol"]
    return {"statusCode": int(query.get("status", 200)), "headers": headers}
