"""What a reconciliation and a rebuild cost on a large board with a long history, against the same on a board of a thousand.

In both cases as many players' totals changed since the run before. The large board is made in the stores directly.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from shared.container import Container
from shared.core.config import Settings
from shared.ledger.events import ScoreAccepted
from shared.reconciliation.heal_leaderboard import heal_leaderboard
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from tests.benchmarks.figures import Figure, figure
from tests.support.product import Product, query

SMALL = CHANGED = 1000
ROUNDS = 7
ROWS_A_STATEMENT = 1_000_000
REBUILD_LIMIT_SECONDS = 60.0
RATIO_LIMIT = 4.0
_USERS = """
INSERT INTO users (user_id, username, hashed_password, api_key, role)
SELECT 'bench-' || lpad(n::text, 12, '0'), 'Bench-' || n, 'hash', md5(n::text) || md5((n + CAST(:rows AS int))::text), 'player'
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
_HISTORY = """
INSERT INTO score_history (request_id, user_id, increment, new_score)
SELECT gen_random_uuid()::text, 'bench-' || lpad(n::text, 12, '0'), 1, k
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n, generate_series(1, CAST(:rows AS int)) AS k
"""
_TOTALS = """
INSERT INTO score_totals (user_id, total, epoch)
SELECT 'bench-' || lpad(n::text, 12, '0'), CAST(:rows AS int), 0
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""


def measure(product: Product, players: int, rows_each: int) -> list[Figure]:
    """Seconds of a run on the small and on the large board, of a run over everybody, and of a rebuild."""
    bench = _Bench(product)
    try:
        bench.grow(SMALL, rows_each)
        bench.rebuild()
        small = bench.runs()
        bench.grow(players, rows_each)
        rebuilds = [bench.rebuild() for _ in range(3)]
        large = bench.runs()
        whole = [bench.seconds(lambda: bench.reconcile(full=True)) for _ in range(3)]
    finally:
        bench.close()
    size = f"{players:,} players, {players * rows_each:,} rows"
    reference = sorted(small)[len(small) // 2]
    return [
        figure(f"reconcile, {CHANGED} changed of {SMALL:,} players", "s", small, "limit", 1.0),
        figure(
            f"reconcile, {CHANGED} changed of {size}", "s", large, f"{RATIO_LIMIT} boards of {SMALL:,}", reference * RATIO_LIMIT
        ),
        figure(f"reconcile everybody, {size}", "s", whole, "limit", REBUILD_LIMIT_SECONDS),
        figure(f"rebuild an empty Redis, {size}", "s", rebuilds, "limit", REBUILD_LIMIT_SECONDS),
    ]


class _Bench:
    def __init__(self, product: Product) -> None:
        self._product = product
        self._deployed = Container(Settings.from_environment(product.runtime["function_env"]))
        self._stores = self._deployed.reconciliation
        self._players = 0

    def close(self) -> None:
        """End its connections."""
        self._deployed.close()

    def grow(self, players: int, rows_each: int) -> None:
        """Accounts and history up to this many; whoever consumes goes on, nothing of this passes through it."""
        step = max(1, ROWS_A_STATEMENT // rows_each)
        for first in range(self._players, players, step):
            numbers = {"first": first, "last": min(players, first + step) - 1, "rows": rows_each}
            for sql in (_USERS, _HISTORY, _TOTALS):
                query(self._product.runtime["database_url"], sql, **numbers)
        self._players = players
        query(self._product.runtime["database_url"], "ANALYZE users, score_history, score_totals")

    def rebuild(self) -> float:
        """From the moment Redis is empty to a whole board."""
        self._product.redis().flushall()
        return self.seconds(self._heal_until_whole)

    def runs(self) -> list[float]:
        """Runs that each find CHANGED players to look at; all changes of before have been looked at."""
        for _ in range(3):
            self.reconcile()
        seconds = []
        for _ in range(ROUNDS):
            self.reconcile()
            self._change()
            seconds.append(self.seconds(self.reconcile))
        return seconds

    def reconcile(self, *, full: bool = False) -> None:
        """Which finds nothing: the board and the ledger agree."""
        summary = reconcile_scores(self._stores, ReconciliationOptions(full=full))
        assert summary["found"] == 0, summary

    @staticmethod
    def seconds(work: Callable[[], object]) -> float:
        """How long it takes."""
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def _heal_until_whole(self) -> None:
        while not self._deployed.leaderboard.is_whole():
            heal_leaderboard(self._stores)

    def _change(self) -> None:
        """On both sides, as an update that has reached the ledger leaves them."""
        deployed, stride = self._deployed, max(1, self._players // CHANGED)
        user_ids = [f"bench-{number:012}" for number in range(0, stride * CHANGED, stride)]
        now = deployed.clock.now()
        deployed.board_check.repair(dict.fromkeys(user_ids, 1), deployed.board_check.mark(0), 0)
        deployed.ledger.record([ScoreAccepted(str(uuid.uuid4()), user_id, 1, 1, now, "127.0.0.1") for user_id in user_ids])
