"""Listens on the Redis channels of the broadcast and of dismissals for ever, through every loss of the connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import gevent
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local_runtime.tcp import SOCKET_OPTIONS
from local_runtime.tls import redis_options

logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 3.0  # then a ping is sent; after as long again the connection counts as lost
_LOOK_SECONDS = 3.0  # between two looks at which server the address leads to
_PATIENCE_SECONDS, _LOOK_PATIENCE_SECONDS = 3.0, 1.0
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0


class _WrongServer(redis.ConnectionError):
    """The address leads to another server now; what is published there does not come here."""


class Subscriber:
    """Passes every message of the channel to `publish`, and with each new subscription the state kept in `<channel>:last`.

    To `accepted` what comes on `<channel>:accepted` before a frame.

    The same with `<channel>:dismissals` and `dismiss`; those of late are kept in the sorted set `<channel>:dismissed`.
    """

    def __init__(
        self,
        redis_url: str,
        channel: str,
        publish: Callable[[bytes], None],
        dismiss: Callable[[bytes], None],
        accepted: Callable[[bytes], None],
        *,
        ca_file: str = "",
    ) -> None:
        self._redis_url = redis_url
        self._tls = redis_options(redis_url, ca_file)
        self._channel = channel
        self._dismissals = f"{channel}:dismissals"
        self._accepted = f"{channel}:accepted"
        self._takers = {channel: publish, self._dismissals: dismiss, self._accepted: accepted}
        self._publish = publish
        self._dismiss = dismiss
        self._delay_seconds = _FIRST_DELAY_SECONDS

    def run(self) -> None:
        """Subscribe, listen, and when the connection is lost subscribe again; a greenlet of its own."""
        while True:
            try:
                self._listen()
            except (redis.RedisError, OSError) as error:
                logger.warning(
                    "broadcast channel lost (%s), subscribing again in %.1f s", type(error).__name__, self._delay_seconds
                )
            except Exception:
                logger.exception("broadcast channel failed")
            gevent.sleep(self._delay_seconds)
            self._delay_seconds = min(self._delay_seconds * 2, _LONGEST_DELAY_SECONDS)

    def _listen(self) -> None:
        with self._client(_PATIENCE_SECONDS) as client, client.pubsub() as subscription:
            subscription.execute_command("INFO", "server")
            server = _run_id(subscription.parse_response())
            subscription.subscribe(*self._takers)
            pinged = False
            looked_at = time.monotonic()
            while True:
                message = subscription.get_message(timeout=_SILENCE_SECONDS)
                if message is not None:
                    pinged = False
                    self._on_message(client, message)
                elif pinged:
                    raise redis.TimeoutError("no answer to a ping")
                else:
                    subscription.ping()
                    pinged = True
                if time.monotonic() - looked_at > _LOOK_SECONDS:
                    if self._reached_server() not in ("", server):
                        raise _WrongServer
                    looked_at = time.monotonic()

    def _reached_server(self) -> str:
        """Run id of the server that a new connection reaches; empty where none does, which says nothing of the subscription."""
        with suppress(redis.RedisError, OSError), self._client(_LOOK_PATIENCE_SECONDS) as client:
            return str(client.info("server")["run_id"])
        return ""

    def _client(self, patience_seconds: float) -> redis.Redis:
        return redis.Redis.from_url(
            self._redis_url,
            socket_connect_timeout=patience_seconds,
            socket_timeout=patience_seconds,
            socket_keepalive=True,
            socket_keepalive_options=SOCKET_OPTIONS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **self._tls,
        )

    def _on_message(self, client: redis.Redis, message: dict[str, Any]) -> None:
        channel = (message.get("channel") or b"").decode()
        if message["type"] == "message":
            self._takers[channel](message["data"])
        elif message["type"] == "subscribe":
            # Only now can nothing be missed between the state that was kept and the first message.
            self._delay_seconds = _FIRST_DELAY_SECONDS
            if channel == self._dismissals:
                for dismissal in cast("list[bytes]", client.zrange(f"{self._channel}:dismissed", 0, -1)):
                    self._dismiss(dismissal)
            elif channel == self._channel and isinstance(last := client.get(f"{self._channel}:last"), bytes):
                self._publish(last)


def _run_id(info: bytes) -> str:
    """Of the text that INFO answers."""
    return next(line.partition(":")[2] for line in info.decode().splitlines() if line.startswith("run_id:"))
