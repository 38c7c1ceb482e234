"""Every connection to a store is given up within 10 s when its other end no longer acknowledges anything."""

from __future__ import annotations

import socket
from typing import Any

from shared.stores.postgresql.pool import Pool
from shared.stores.redis.connection import connect


def seconds_until_given_up(connected: socket.socket) -> float:
    """Of an idle connection, and of one on which something was sent, whichever is longer."""

    def option(name: int) -> int:
        return connected.getsockopt(socket.IPPROTO_TCP, name)

    assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    idle = option(socket.TCP_KEEPIDLE) + option(socket.TCP_KEEPINTVL) * option(socket.TCP_KEEPCNT)
    sent = option(socket.TCP_USER_TIMEOUT) / 1000
    assert sent > 0, "no bound"
    return max(idle, sent)


def test_redis(redis_url: str) -> None:
    with connect(redis_url) as client:
        pool: Any = client.connection_pool
        client.ping()
        shared = pool.new_connection()  # as the one that all share on a loop
        shared.connect()
        assert len(pool._connections) == 1
        for connection in (*pool._connections, shared):
            assert seconds_until_given_up(connection._sock) <= 10
        shared.disconnect()


def test_postgresql(database_url: str) -> None:
    pool = Pool(database_url)
    with pool.connection() as session:
        assert seconds_until_given_up(session._socket) <= 10
    pool.close()
