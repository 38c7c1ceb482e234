"""What the functions take of a client at most, wherever they are hosted."""

from __future__ import annotations

MAX_BODY_BYTES = 64 * 1024
