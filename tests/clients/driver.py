"""Does what standard input says, a JSON object a line, with the Python client; answers in JSON lines, as driver.mjs does."""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scoreboard_client import LiveBoard, Patience, Scoreboard, ScoreboardError

_saying = threading.Lock()
accounts: dict[str, Scoreboard] = {}
lives: dict[str, LiveBoard] = {}


def say(line: dict[str, Any]) -> None:
    with _saying:
        print(json.dumps(line), flush=True)  # noqa: T201 - what it is for


def join(
    name: str, url: str, password: str = "", token_url: str = "", user_id_claim: str = "sub", log_in_again: bool = False
) -> bool:
    def outside_token() -> str:
        with urllib.request.urlopen(token_url) as answer:
            return str(answer.read().decode())

    scoreboard = accounts[name] = Scoreboard(
        url,
        get_access_token=outside_token if token_url else None,
        user_id_claim=user_id_claim,
        get_credentials=(lambda: (name, password)) if log_in_again else None,
    )
    if not token_url:
        scoreboard.log_in(name, password)
    return True


def register(name: str, url: str, password: str) -> Any:
    return Scoreboard(url).register(name, password)


def expire(name: str) -> bool:
    accounts[name].expire()
    return True


def log_out(name: str) -> bool:
    accounts[name].log_out()
    return True


def rename(name: str, display_name: str | None) -> Any:
    return [accounts[name].rename(display_name), accounts[name].me()]


def add(name: str, increment: int = 1, times: int = 1) -> Any:
    return [accounts[name].add_points(increment) for _ in range(times)][-1]


def enter(name: str, board: str, value: int, metadata: dict[str, Any] | None = None) -> Any:
    return accounts[name].add_entry(board, value, metadata=metadata)


def board_page(name: str, board: str, limit: int, cursor: str = "") -> Any:
    return accounts[name].board_page(board, limit=limit, cursor=cursor)


def play_for(name: str, seconds: float) -> Any:
    ends_at = time.monotonic() + seconds
    while True:
        receipt = accounts[name].add_points(1)
        if time.monotonic() >= ends_at:
            return receipt
        time.sleep(0.2)


def impatient(name: str, times: int) -> Any:
    """All at once: one after the other they would be within the limit on a slow machine."""
    impatience = Patience(wait_when_limited=False)
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: accounts[name].add_points(1, patience=impatience), range(times)))


def end_session(name: str) -> bool:
    accounts[name].call("DELETE", "/api/tokens")
    return True


def history(name: str, page_size: int) -> list[int]:
    return [entry["increment"] for entry in accounts[name].history(page_size=page_size)]


def standing(name: str) -> Any:
    return accounts[name].standing()


def reason(error: ScoreboardError) -> str:
    return f"{error.code}: {error.detail}"


def watch(name: str, alive_seconds: float = 20.0, give_up_seconds: float = 60.0) -> bool:
    patience = Patience(give_up_seconds, on_retry=lambda error, _wait: say({"reason": reason(error)}))
    live = lives[name] = accounts[name].watch(alive_seconds=alive_seconds, patience=patience)

    def show() -> None:
        try:
            for board in live:
                say({"board": board["version"], "scores": {line["username"]: line["score"] for line in board["data"]}})
        except ScoreboardError as error:
            say({"ended": error.status, "reason": reason(error)})

    threading.Thread(target=show, daemon=True).start()
    return True


def stop(name: str) -> bool:
    lives[name].close()
    return True


def execute(identity: int, command: str, parameters: dict[str, Any]) -> None:
    try:
        say({"id": identity, "result": globals()[command](**parameters)})
    except ScoreboardError as error:
        told = {"status": error.status, "code": error.code, "key": error.idempotency_key, "text": traceback.format_exc()}
        say({"id": identity, "error": told})


for text in sys.stdin:
    order = json.loads(text)
    threading.Thread(target=execute, args=(order.pop("id"), order.pop("command"), order), daemon=True).start()
for each in lives.values():
    each.close()
