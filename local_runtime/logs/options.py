"""What may be said about the log, for all processes of an instance."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TextIO

from shared.core.config import Settings

LEVEL = str(next(setting.default for setting in fields(Settings) if setting.name == "log_level"))
FORMATS = ("auto", "json", "text")
FORMAT_HELP = "json, text, or auto: text for people at a terminal, else json; the files in <data-dir>/logs are always json"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Level and format are the variables `LOG_<NAME>`; what cannot be used is taken for the default, for a log is needed all the
    more then. With NO_COLOR there is no colour.
    """

    level: str = LEVEL
    format: str = "auto"
    may_colour: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> LogOptions:
        """Read LOG_LEVEL and LOG_FORMAT."""
        level, chosen = environment.get("LOG_LEVEL", "").upper(), environment.get("LOG_FORMAT", "").lower()
        return cls(
            level if level in logging.getLevelNamesMapping() else cls().level,
            chosen if chosen in FORMATS else cls().format,
            may_colour=not environment.get("NO_COLOR"),
        )

    def is_coloured(self, stream: TextIO) -> bool:
        """Whether text for this stream may have colours."""
        return self.may_colour and stream.isatty()

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
