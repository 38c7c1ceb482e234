"""Whether everything we stand on answers."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import NotReady
from shared.logs import get_logger
from shared.ports import Dependency
from shared.services.ask_at_once import ask_at_once

PATIENCE_SECONDS = 2.0
_log = get_logger(__name__)


def check_health(dependencies: Sequence[Dependency]) -> dict[str, str]:
    """Ask all at once; `{"redis": "up", …}`. Raises NotReady, with the same in its extension `data`, when one is down.

    One that does not answer within two seconds is down.
    """
    states: dict[str, str] = {}
    for name, answer in ask_at_once({one.name: one.ping for one in dependencies}, PATIENCE_SECONDS).items():
        states[name] = "down" if answer else "up"
        if answer:
            _log.warning("dependency is down", extra={"dependency": name, "cause": repr(answer.__cause__ or answer)})
    down = [name for name, state in states.items() if state == "down"]
    if down:
        raise NotReady(f"Down: {', '.join(down)}.", data=states)
    return states
