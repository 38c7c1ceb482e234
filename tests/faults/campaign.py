"""Faults one after another under load, and the comparison of all three numbers."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from local_runtime.instance.servers.ports import free_port
from tests.faults.catalogue import CATALOGUE, Fault, redrive_all
from tests.faults.load import BOARD, CUP, Attempt, Load
from tests.support.api import PASSWORD, Player
from tests.support.product import Product
from tests.support.small_disk import ProductOnDisk, SmallDisk
from tests.support.waiting import eventually

SETTLE_SECONDS = 150.0  # what a killed process left in the outbox is fetched by the relay, which comes every minute
RECOVERY_SECONDS = 120.0  # rate windows that nothing can restore are known again after a minute


@dataclass
class Seen:
    """What clients saw of one fault, over its `times`: answers by outcome, and the longest time without any 200, each time."""

    times: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    pauses: list[float] = field(default_factory=list)

    def add(self, attempts: Sequence[Attempt], began: float, ended: float) -> None:
        """The attempts that ended in this time."""
        ours = [attempt for attempt in list(attempts) if began <= attempt.at <= ended]
        self.times += 1
        self.outcomes.update(attempt.outcome for attempt in ours)
        answered = [began, *(attempt.at for attempt in ours if attempt.outcome == "200"), ended]
        self.pauses.append(max(later - earlier for earlier, later in pairwise(answered)))


@contextmanager
def playing_field(megabytes: int) -> Iterator[ProductOnDisk]:
    """A product that is found again where it was after everything has died; what is refused is parked soon."""
    port = free_port()
    settings = {"RATE_LIMIT_REQUESTS": "1000000", "RETRY_DELAYS_SECONDS": "0.2,0.4,0.6"}
    with SmallDisk(megabytes) as disk, disk.product("--port", str(port), **settings) as product:
        yield product


def everybody(product: Product, players: int) -> Load:
    """So many players, and an admin who has made the board."""
    name = "admin"
    product.verb("create-user", name, "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    tokens = product.api.post("/api/tokens", {"username": name, "password": PASSWORD}).data
    admin = Player(product.api, tokens["userId"], name, "", tokens["accessToken"], tokens["refreshToken"])
    return Load([product.api.new_player() for _ in range(players)], admin)


def run(
    product: ProductOnDisk, load: Load, faults: Iterable[Fault], random: Random, rest: tuple[float, float]
) -> dict[str, Seen]:
    """Do each fault while everybody plays, then wait until updates are answered again and a while longer (`rest` seconds)."""
    seen: dict[str, Seen] = {}
    with load.running():
        for fault in faults:
            began = time.monotonic()
            fault.inject(product, random)
            wait_for_answers(load)
            time.sleep(random.uniform(*rest))
            seen.setdefault(fault.name, Seen()).add(load.attempts, began, time.monotonic())
    return seen


def wait_for_answers(load: Load) -> None:
    """Until an update that began after this moment is answered."""
    began = time.monotonic()
    eventually(
        lambda: any(one.outcome == "200" and one.at - one.seconds > began for one in list(load.attempts[-200:])),
        RECOVERY_SECONDS,
        "updates answered again",
    )


def compare(product: Product, load: Load) -> dict[str, tuple[int, int, int]]:
    """Wait until the dust settles; returns (acknowledged, board, ledger) of every player for whom they differ then.

    Then every number is accounted for, and what clients were answered stands in the ledger, each once; otherwise
    `load.violations` says so.
    """
    redrive_all(product)

    def differing() -> dict[str, tuple[int, int, int]]:
        board, ledger = _board(product, load), _ledger(product)
        return {
            user_id: (points, board[user_id], ledger.get(user_id, 0))
            for user_id, points in load.acknowledged.items()
            if not points == board[user_id] == ledger.get(user_id, 0)
        }

    try:
        eventually(lambda: not differing(), SETTLE_SECONDS, "the same number everywhere")
        eventually(lambda: _balance(product)[:2] == (0, 0), SETTLE_SECONDS, "every update accounted for")
    except AssertionError:
        outbox, in_flight, told = _balance(product)
        if outbox or in_flight:
            load.violations.append(f"the books do not balance: {told}")
    accepted = "SELECT request_id FROM score_history UNION ALL SELECT request_id FROM score_entries"
    recorded = [row[0] for row in product.query(accepted)]
    lost = load.request_ids.difference(recorded)
    if lost:
        load.violations.append(f"answered 200 and not in the ledger: {sorted(lost)[:10]}")
    load.violations += _of_boards(product, load)
    return differing()


def _of_boards(product: Product, load: Load) -> list[str]:
    """What is wrong with the board: scores, entries that are not in one season of each period, final ranks of closed seasons."""

    def wrong() -> list[str]:
        sums = "SELECT period, user_id, sum(score) FROM season_totals WHERE board_id = :board GROUP BY period, user_id"
        totals = product.query(sums, board=BOARD)
        ledger = {(period, user_id): int(score) for period, user_id, score in totals}
        found = []
        for user_id, points in load.on_board.items():
            answer = load.admin.get(f"/api/boards/{BOARD}/scores/{user_id}")
            places = answer.data["places"] if answer.status == 200 else []
            shown = next((place["score"] for place in places if place["period"] == "all_time"), 0)
            numbers = points, shown, ledger.get(("all_time", user_id), 0), ledger.get((CUP, user_id), 0)
            if len(set(numbers)) > 1:
                found.append(f"acknowledged, board, ledger and all cups of {user_id} are {numbers}")
        return found

    try:
        eventually(lambda: not wrong(), SETTLE_SECONDS, "the same number everywhere on the board, too")
    except AssertionError:
        return wrong()
    found = []
    once = "SELECT count(*) FROM score_entries WHERE places !~ '^all_time:1:[^|]+[|]cup:[0-9]+:[^|]+$'"
    if strange := product.query(once)[0][0]:
        found.append(f"{strange} entries are not in one season of each period")
    closed = product.query(_FROZEN_OTHERWISE)
    if closed:
        found.append(f"final ranks are not what the ledger says: {closed[:5]}")
    return found


_FROZEN_OTHERWISE = """
SELECT season, user_id, total.score, final.score
FROM (SELECT season, user_id, score FROM season_totals WHERE board_id = 'cups' AND period = 'cup') AS total
FULL JOIN (
    SELECT season, user_id, score FROM final_ranks JOIN board_seasons USING (board_id, period, season, version)
    WHERE board_id = 'cups' AND period = 'cup'
) AS final USING (season, user_id)
WHERE season IN (SELECT season FROM board_seasons WHERE board_id = 'cups' AND period = 'cup' AND closed_at IS NOT NULL)
    AND total.score IS DISTINCT FROM final.score
"""


def _balance(product: Product) -> tuple[int, int, str]:
    """Updates in the outbox and in flight, and what the verb says."""
    told = product.verb("balance")
    counts = {name: int(number) for name, number in re.findall(r"^(in the outbox|in flight): (\d+)$", told.stdout, re.MULTILINE)}
    return counts.get("in the outbox", -1), counts.get("in flight", -1), told.stdout + told.stderr


def _board(product: Product, load: Load) -> dict[str, int]:
    with product.redis() as client:
        scores = client.zmscore("leaderboard", [f"user:{user_id}" for user_id in load.acknowledged])
    return {user_id: int(score or 0) for user_id, score in zip(load.acknowledged, scores, strict=True)}


def _ledger(product: Product) -> dict[str, int]:
    rows = product.query("SELECT user_id, sum(increment) FROM score_history GROUP BY user_id")
    return {user_id: int(points) for user_id, points in rows}


def in_random_order(count: int, random: Random) -> list[Fault]:
    """Every fault equally often, as far as `count` goes."""
    found: list[Fault] = []
    while len(found) < count:
        bag = list(CATALOGUE.values())
        random.shuffle(bag)
        found += bag
    return found[:count]
