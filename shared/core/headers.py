"""What every answer carries unless it says otherwise itself, wherever the functions are hosted."""

from __future__ import annotations

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Only over TLS: a browser would keep to it, where there may be none.
STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
SECURE_HEADERS = {**SECURITY_HEADERS, STRICT_TRANSPORT[0]: STRICT_TRANSPORT[1]}
