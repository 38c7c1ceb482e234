"""Whether everything we stand on answers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from shared.errors import NotReady
from shared.logs import get_logger
from shared.ports import Dependency

PATIENCE_SECONDS = 2.0
_log = get_logger(__name__)


def check_health(dependencies: Sequence[Dependency]) -> dict[str, str]:
    """Ask all at once; `{"redis": "up", …}`. Raises NotReady, with the same in its extension `data`, when one is down.

    One that does not answer within two seconds is down.
    """
    asking = ThreadPoolExecutor(len(dependencies), thread_name_prefix="health")
    answers = {dependency.name: asking.submit(dependency.ping) for dependency in dependencies}
    wait(answers.values(), PATIENCE_SECONDS)
    asking.shutdown(wait=False, cancel_futures=True)
    states: dict[str, str] = {}
    for name, answer in answers.items():
        problem = answer.exception() if answer.done() else TimeoutError()
        states[name] = "down" if problem else "up"
        if problem:
            _log.warning("dependency is down", extra={"dependency": name, "cause": repr(problem.__cause__ or problem)})
    down = [name for name, state in states.items() if state == "down"]
    if down:
        raise NotReady(f"Down: {', '.join(down)}.", data=states)
    return states
