"""CorsConfiguration of an HTTP API: which origins' pages may use it."""

from __future__ import annotations

import re

from local_runtime.manifest import Cors
from local_runtime.template.fields import Fields, Reading

MAX_AGE_SECONDS = 86_400
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def read_cors(fields: Fields, reading: Reading) -> Cors:
    """Of the API's `fields`. Origins are exact: `*` would also open the API to pages nobody has heard of."""
    cors = fields.fields("CorsConfiguration", "CORS configuration")
    if cors is None:
        return Cors()
    origins = _texts(cors, "AllowOrigins", reading)
    node = cors.node("AllowOrigins")
    for origin in origins:
        if node is not None and not _ORIGIN.fullmatch(origin):
            reading.report.add(node, f"names {origin!r}", "exact origins in small letters, e.g. https://game.example:8443")
    found = Cors(
        origins=origins,
        methods=_texts(cors, "AllowMethods", reading),
        headers=_texts(cors, "AllowHeaders", reading),
        exposed_headers=_texts(cors, "ExposeHeaders", reading),
        max_age_seconds=cors.integer("MaxAge", 0, MAX_AGE_SECONDS, 0),
    )
    # Nobody is known by a cookie here.
    cors.only("AllowCredentials", ("false",), "false")
    cors.finish()
    return found


def _texts(fields: Fields, name: str, reading: Reading) -> tuple[str, ...]:
    value = fields.value(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        node = fields.node(name)
        if node is not None:
            reading.report.add(node, "is no list of texts")
        return ()
    return tuple(value)
