"""What pages of other origins may read (CORS), as API Gateway has it: the template says who, and functions have no part in it."""

from __future__ import annotations

from collections.abc import Iterable

from local_runtime.hosting.manifest import Cors
from shared.core.origins import parse_origin


class CorsHeaders:
    """Makes the headers; closed when the template names nobody."""

    def __init__(self, cors: Cors) -> None:
        self._origins = frozenset(map(parse_origin, cors.origins))
        self._exposed = ", ".join(cors.exposed_headers)
        self._preflight = (
            ("Access-Control-Allow-Methods", ", ".join(cors.methods)),
            ("Access-Control-Allow-Headers", ", ".join(cors.headers)),
            ("Access-Control-Max-Age", str(cors.max_age_seconds)),
        )

    def answer(self, method: str, origin: str, asked_method: str) -> Iterable[tuple[str, str]]:
        """For the answer to a request; `asked_method` is that of a preflight's Access-Control-Request-Method, or empty.

        Also where the origin is no friend's, for whoever caches it may meet a friend next."""
        if not self._origins:
            return ()
        vary = ("Vary", "Origin")
        known = parse_origin(origin)
        if known is None or known not in self._origins:
            return (vary,)
        allowed = ("Access-Control-Allow-Origin", origin)
        if method == "OPTIONS" and asked_method:
            return (vary, allowed, *self._preflight)
        return (vary, allowed, ("Access-Control-Expose-Headers", self._exposed))
