"""Listens on the Redis channels of the broadcast and of dismissals for ever, through every loss of the connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import gevent
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local_runtime.tls import redis_options

logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 15.0
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0


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
        client = redis.Redis.from_url(
            self._redis_url,
            socket_connect_timeout=5.0,
            socket_timeout=10.0,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **self._tls,
        )
        with client, client.pubsub() as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(*self._takers)
            pinged = False
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
