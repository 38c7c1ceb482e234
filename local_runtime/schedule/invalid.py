"""The error of expressions that EventBridge would refuse."""

from __future__ import annotations


class InvalidSchedule(ValueError):
    """The expression or its time zone cannot be used; `supported` says what could stand there."""

    def __init__(self, message: str, supported: str = "") -> None:
        super().__init__(message)
        self.supported = supported
