"""What processes hold, and what a player and an update cost the stores."""

from __future__ import annotations

from pathlib import Path

from local_runtime.instance.supervisor.tree import descendants
from tests.benchmarks.figures import Figure, figure
from tests.support.product import Product

_TABLES = {"users": "an account", "score_history": "a row of score_history", "audit_log": "a row of audit_log"}
REDIS_LIMIT_BYTES = 1024.0
POSTGRES_LIMIT_BYTES = 1024.0


def resident_kb(pid: int) -> int:
    """Resident memory of a process and all below it."""
    found = 0
    for each in {pid} | descendants(pid):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{each}/status").read_text().splitlines())
        found += int(fields["VmRSS"].split()[0])
    return found


def measure(product: Product, user_id: str) -> list[Figure]:
    """Of a player who scores, all their keys and their place on the board; and of rows, their indexes among it."""
    with product.redis() as client:
        keys = list(client.scan_iter(f"user:{user_id}:*", count=10_000))
        own = float(sum(client.memory_usage(key) for key in keys))
        board = client.memory_usage("leaderboard", samples=0) / client.zcard("leaderboard")
    figures = [figure("Redis, a player who scores", "B", [own + board], "limit", REDIS_LIMIT_BYTES)]
    for table, name in _TABLES.items():
        [[size, rows]] = product.query(f"SELECT pg_total_relation_size('{table}'), count(*) FROM {table}")  # noqa: S608
        figures.append(figure(f"PostgreSQL, {name}", "B", [size / max(rows, 1)], "limit", POSTGRES_LIMIT_BYTES))
    return figures
