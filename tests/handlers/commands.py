"""What Redis has been asked, by its own count."""

from __future__ import annotations

from typing import Any

from shared.container import Container


def open_connections(deployed: Container, count: int = 8) -> None:
    """A connection greets Redis with a script: those that are needed at the same time as the publisher's are there before."""
    pool = deployed._redis.connection_pool
    for connection in [pool.get_connection() for _ in range(count)]:
        pool.release(connection)


def commands(client: Any) -> dict[str, int]:
    """How often each command came since the statistics were reset; those that scripts call are not among these."""
    found = client.info("commandstats")
    return {name: found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval", "multi", "hset", "xdel")}
