"""Everything a player's program does, with the Python client (`pip install ./infra/clients/python`). It needs a scoreboard:

BASE=http://127.0.0.1:8080 python infra/examples/play.py
"""

from __future__ import annotations

import os
import secrets

from scoreboard_client import Patience, Scoreboard, ScoreboardError

NAME, PASSWORD = f"python-{secrets.token_hex(4)}", "correct horse battery"

scoreboard = Scoreboard(os.environ.get("BASE", "http://127.0.0.1:8080"))
scoreboard.register(NAME, PASSWORD)
scoreboard.log_in(NAME, PASSWORD)

with scoreboard.watch() as live:
    print("the board as it is:", next(live)["version"])

    # One update. The client sends it again, under the same key, until it is answered: it counts once. A key of one's own, here
    # the name of the goal, makes that hold over a restart of this program, too.
    for _ in range(2):
        receipt = scoreboard.add_points(5, idempotency_key=f"{NAME}-goal-1")
    print("score", receipt["score"], "rank", receipt["rank"])

    # Whoever wants to know of waits, and for how long it is tried: 429 and 503 are waited for as Retry-After says.
    told = Patience(give_up_after_seconds=30, on_retry=lambda error, wait: print(f"{error.code}: again in {wait:.1f} s"))
    scoreboard.add_points(2, patience=told)

    for board in live:  # every change, the newest state first; a slow reader skips what is in between
        print("the board moved:", board["version"])
        break

for line in scoreboard.standing(neighbours=2)["neighbours"]:
    print("beside us:", line["rank"], line["username"], line["score"])
for entry in scoreboard.history(page_size=1):
    print("once:", entry["increment"], entry["createdAt"])

try:
    scoreboard.add_points(6)
except ScoreboardError as error:
    print("refused:", error.status, error.code)
scoreboard.log_out()
print("done")
