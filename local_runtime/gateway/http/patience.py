"""How long a client may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

LEAST_SECONDS, MOST_SECONDS = 0.1, 3600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client may take, as the variables `SCOREBOARD_<NAME>_SECONDS` say."""

    head: float = field(default=15.0, metadata={"help": "seconds for the head of a request"})
    body: float = field(default=15.0, metadata={"help": "seconds for the body of a request"})
    idle: float = field(default=20.0, metadata={"help": "seconds for the next request of a connection to begin"})
    send: float = field(default=30.0, metadata={"help": "seconds for an answer to be read"})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], problems: list[str]) -> Patience:
        """Read them; what cannot be used is added to the problems."""
        found = {}
        for name, default in asdict(cls()).items():
            variable = f"SCOREBOARD_{name.upper()}_SECONDS"
            found[name] = _seconds(variable, environment.get(variable, ""), default, problems)
        return cls(**found)


def _seconds(name: str, value: str, default: float, problems: list[str]) -> float:
    try:
        seconds = float(value) if value else default
    except ValueError:
        seconds = 0.0
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        problems.append(f"{name}={value!r}: write seconds from {LEAST_SECONDS} to {MOST_SECONDS:g}")
    return seconds
