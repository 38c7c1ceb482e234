"""Limits that several parts hold to."""

from __future__ import annotations

MAX_BODY_BYTES = 64 * 1024  # of a request, wherever the functions are hosted
MAX_RETRIES = 3  # of an update that the ledger refused
LARGEST = 2**53 - 1  # every integer up to here is exact in Redis, in JSON and in a browser
