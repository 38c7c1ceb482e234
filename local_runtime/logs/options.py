"""What may be said about the log, for all processes of an instance."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

FORMATS = ("auto", "json", "text")
FORMAT_HELP = "json, text, or auto: text for people at a terminal, else json; the files in <data-dir>/logs are always json"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Each is the variable `LOG_<NAME>`; what cannot be used is taken for the default, for a log is needed all the more then."""

    level: str = "INFO"
    format: str = "auto"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> LogOptions:
        """Read LOG_LEVEL and LOG_FORMAT."""
        level, chosen = environment.get("LOG_LEVEL", "").upper(), environment.get("LOG_FORMAT", "").lower()
        return cls(
            level if level in logging.getLevelNamesMapping() else cls().level, chosen if chosen in FORMATS else cls().format
        )

    def is_text(self, stream: TextIO) -> bool:
        """Whether lines for this stream are for people."""
        return self.format == "text" or (self.format == "auto" and stream.isatty())


def console_level(environment: Mapping[str, str], *, verbose: bool) -> str:
    """From which level on the console of `serve` shows what the processes say."""
    if verbose:
        return "INFO"
    return LogOptions.from_environment(environment).level if environment.get("LOG_LEVEL") else "WARNING"


def stderr_is_text(environment: Mapping[str, str]) -> bool:
    """Whether what goes to stderr is for people."""
    return LogOptions.from_environment(environment).is_text(sys.stderr)
