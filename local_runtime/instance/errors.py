"""What keeps an instance from starting and is the operator's to change."""

from __future__ import annotations


class InstanceError(Exception):
    """The message is written for the operator: what is wrong and what to do."""
