"""Finds keys as PAYLOAD_KEYS wants them, whose form the detectors of others do not know."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class PayloadKeyDetector(RegexBasedDetector):
    """`key_id:base64 of 32 bytes`, quoted or not."""

    secret_type = "Payload key"  # noqa: S105 - what it is called in reports
    denylist = (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{1,32}:[A-Za-z0-9+/]{43}="),)
