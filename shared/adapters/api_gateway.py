"""Viewers whose sockets API Gateway holds: a registry in Redis, a post to each through the @connections API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from typing import Any

import redis

from shared.adapters.redis.connection import translated
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.viewers import frame_behind_version
from shared.domain.ranking import Standing
from shared.logs import get_logger

POSTS_AT_ONCE = 16
GONE = "GoneException"
_log = get_logger(__name__)


class ApiGatewayViewers:
    """The port Viewers."""

    def __init__(self, client: redis.Redis, keys: Keys, management_url: str) -> None:
        self._redis: Any = client
        self._keys = keys
        self._management_url = management_url

    @translated()
    def welcome(self, connection_id: str) -> bool:
        """Never has a frame ready: nobody can be posted to inside their own $connect, so the next broadcast must come soon."""
        self._redis.sadd(self._keys.viewers, connection_id)
        return False

    @translated()
    def farewell(self, connection_id: str) -> None:
        """Forget the connection."""
        self._redis.srem(self._keys.viewers, connection_id)

    @translated()
    def broadcast(self, read_board: Callable[[], tuple[Sequence[Standing], datetime]]) -> int:
        """Post to everybody; those who are gone are forgotten."""
        seconds, microseconds = self._redis.time()
        version = max(int(self._redis.incr(self._keys.leaderboard_version)), int(seconds * 1000 + microseconds / 1000))
        self._redis.set(self._keys.leaderboard_version, version)
        board, as_of = read_board()
        frame = f'{{"type":"leaderboard","version":{version}{frame_behind_version(board, as_of)}'.encode()
        connection_ids = [member.decode() for member in self._redis.smembers(self._keys.viewers)]
        with ThreadPoolExecutor(POSTS_AT_ONCE) as pool:
            gone = [
                connection_id for connection_id in pool.map(lambda each: self._post(each, frame), connection_ids) if connection_id
            ]
        if gone:
            self._redis.srem(self._keys.viewers, *gone)
        return version

    def _post(self, connection_id: str, frame: bytes) -> str | None:
        """The id again when the connection is gone."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=frame)
        except ClientError as error:
            if error.response["Error"]["Code"] == GONE:
                return connection_id
            _log.warning("post failed", extra={"code": error.response["Error"]["Code"]})
        except BotoCoreError as error:
            _log.warning("post failed", extra={"code": type(error).__name__})
        return None

    @cached_property
    def _client(self) -> Any:
        import boto3

        return boto3.client("apigatewaymanagementapi", endpoint_url=self._management_url)
