"""What a running instance says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from local_runtime.instance.own_tls import context_for


class NoReadiness(Exception):
    """It does not answer, or something answers for it; the message says what."""


def readiness(runtime: Mapping[str, Any], seconds: float) -> tuple[int, dict[str, Any]]:
    """The status and the `data` of GET /readyz, within so many seconds; `runtime` is its runtime.json. Raises NoReadiness."""
    base_url = runtime["base_url"]
    url = urlsplit(base_url)
    host = url.hostname or ""
    context = context_for(runtime)
    connection = (
        HTTPConnection(host, url.port, timeout=seconds)
        if context is None
        else HTTPSConnection(host, url.port, timeout=seconds, context=context)
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        document = json.load(answer)
    except (OSError, HTTPException, ValueError) as error:
        raise NoReadiness(f"{base_url} does not answer: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if "data" not in document:
        raise NoReadiness(f"{base_url} does not say whether it is ready: it answers {answer.status} ({document.get('code')})")
    return answer.status, document["data"]
