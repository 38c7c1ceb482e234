"""What pages of other origins may read (CORS), as API Gateway has it: the template says who, and functions have no part in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local_runtime.manifest import Cors


class CorsHeaders:
    """Makes the headers; closed when the template names nobody."""

    def __init__(self, cors: Cors) -> None:
        self._origins = frozenset(cors.origins)
        self._exposed = ", ".join(cors.exposed_headers)
        self._preflight = (
            ("Access-Control-Allow-Methods", ", ".join(cors.methods)),
            ("Access-Control-Allow-Headers", ", ".join(cors.headers)),
            ("Access-Control-Max-Age", str(cors.max_age_seconds)),
        )

    def answer(self, environ: dict[str, Any]) -> Iterable[tuple[str, str]]:
        """For the answer to a request; also where the origin is no friend's, for whoever caches it may meet a friend next."""
        if not self._origins:
            return ()
        vary = ("Vary", "Origin")
        origin = environ.get("HTTP_ORIGIN", "")
        if origin.lower() not in self._origins:
            return (vary,)
        allowed = ("Access-Control-Allow-Origin", origin)
        if environ["REQUEST_METHOD"] == "OPTIONS" and environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"):
            return (vary, allowed, *self._preflight)
        return (vary, allowed, ("Access-Control-Expose-Headers", self._exposed))
