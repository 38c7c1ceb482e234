"""Listens on the Redis channels of broadcast, views and dismissals for ever, through every loss of the connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol, cast

import gevent
import redis
from gevent.event import Event
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.core.backoff import Backoff
from shared.core.redis_url import RedisUrl
from shared.core.tcp import KEEPALIVE
from shared.core.tls import redis_options

logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 3.0  # then a ping is sent; after as long again the connection counts as lost
_LOOK_SECONDS = 3.0  # between two looks at which server the address leads to
_PATIENCE_SECONDS, _LOOK_PATIENCE_SECONDS = 3.0, 1.0
_DELAY_SECONDS = 0.1, 5.0
_MESSAGES, _SUBSCRIBED = ("message", "smessage"), ("subscribe", "ssubscribe")
_NOTE_SECONDS, _NOTED_SECONDS = 20.0, 60  # how often it is noted which views are watched, and for how long that counts


class _WrongServer(redis.ConnectionError):
    """The address leads to another server now; what is published there does not come here."""


class WatchedViews(Protocol):
    """Views, as long as somebody watches them."""

    on_changed: Callable[[], object]

    @property
    def names(self) -> list[str]:
        """Of those that are watched."""
        ...

    def publish(self, name: str, text: bytes) -> None:
        """Take a frame of a view, or its end."""
        ...

    def missed(self, names: Sequence[str]) -> None:
        """Frames of these may not have been made for a while."""
        ...


class Subscriber:
    """Passes every message of the channel to `publish`, and with each new subscription the state kept in `<channel>:last`.

    To `accepted` what comes on `<channel>:accepted` before a frame.

    The same with `<channel>:dismissals` and `dismiss`; those of late are kept in the sorted set `<channel>:dismissed`.

    And with `<channel>:<view>` of each view that is watched. The sorted set `<channel>:watched` says which are, until when (ms):
    of no others frames are made.

    In a Redis Cluster all of them but that of dismissals are sharded channels, at the node that serves their slot. They are
    subscribed to in the plain way as well, for versions up to 0.1.0 publish so.
    """

    def __init__(
        self,
        redis_url: str,
        channel: str,
        publish: Callable[[bytes], None],
        dismiss: Callable[[bytes], None],
        accepted: Callable[[bytes], None],
        views: WatchedViews,
        *,
        ca_file: str = "",
    ) -> None:
        self._where = RedisUrl.parse(redis_url, ca_file, key=channel)
        self._tls = redis_options(self._where.server, ca_file)
        self._channel = channel
        self._dismissals = f"{channel}:dismissals"
        self._accepted = f"{channel}:accepted"
        self._takers = {channel: publish, self._dismissals: dismiss, self._accepted: accepted}
        self._publish = publish
        self._dismiss = dismiss
        self._views = views
        self._changed = Event()
        views.on_changed = self._changed.set
        self._backoff = Backoff(*_DELAY_SECONDS)

    def run(self) -> None:
        """Subscribe, listen, and when the connection is lost subscribe again; a greenlet of its own."""
        while True:
            try:
                self._listen()
            except (redis.RedisError, OSError) as error:
                logger.warning("broadcast channel lost (%s), will subscribe again", type(error).__name__)
            except Exception:
                logger.exception("broadcast channel failed")
            gevent.sleep(self._backoff.next_seconds())

    def _listen(self) -> None:
        with self._client(_PATIENCE_SECONDS) as client, client.pubsub() as subscription:
            subscription.execute_command("INFO", "server")
            server = _run_id(subscription.parse_response())
            self._subscribe(subscription, list(self._takers))
            with self._following(client, subscription) as follower:
                self._hear(client, subscription, server, follower)

    def _hear(self, client: redis.Redis, subscription: Any, server: str, follower: gevent.Greenlet) -> None:
        pinged = False
        looked_at = time.monotonic()
        while not follower.dead:
            message = subscription.get_message(timeout=_SILENCE_SECONDS)
            if message is not None:
                if message["type"] == "sunsubscribe" and message["channel"] in subscription.shard_channels:
                    raise _WrongServer  # the slot has moved to another node
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

    @contextmanager
    def _following(self, client: redis.Redis, subscription: Any) -> Iterator[gevent.Greenlet]:
        """Subscribe to the views that are watched, whichever are, beside listening."""
        follower = gevent.spawn(self._follow, client, subscription)
        try:
            yield follower
        finally:
            follower.kill()

    def _follow(self, client: redis.Redis, subscription: Any) -> None:
        heard: set[str] = set()
        note_at = 0.0
        with suppress(redis.RedisError, OSError):  # listening fails, too
            while True:
                self._changed.clear()
                watched = set(self._views.names)
                if new := watched - heard:
                    self._subscribe(subscription, [f"{self._channel}:{name}" for name in new])
                if old := heard - watched:
                    self._unsubscribe(subscription, [f"{self._channel}:{name}" for name in old])
                heard = watched
                if time.monotonic() >= note_at:
                    self._note(client, sorted(watched))
                    note_at = time.monotonic() + _NOTE_SECONDS
                self._changed.wait(max(0.0, note_at - time.monotonic()))

    def _subscribe(self, subscription: Any, channels: Sequence[str]) -> None:
        subscription.subscribe(*channels)
        if self._where.is_cluster:
            subscription.ssubscribe(*(channel for channel in channels if channel != self._dismissals))

    def _unsubscribe(self, subscription: Any, channels: Sequence[str]) -> None:
        subscription.unsubscribe(*channels)
        if self._where.is_cluster:
            subscription.sunsubscribe(*channels)

    def _note(self, client: redis.Redis, names: list[str]) -> None:
        """Have frames of these views made. Of one that was not noted any more some may be missing."""
        if not names:
            return
        key = f"{self._channel}:watched"
        seconds, microseconds = client.time()
        now = seconds * 1000 + microseconds // 1000
        with client.pipeline(transaction=True) as pipeline:
            pipeline.zmscore(key, names)
            pipeline.zadd(key, dict.fromkeys(names, now + _NOTED_SECONDS * 1000))
            noted, _ = pipeline.execute()
        self._views.missed([name for name, until in zip(names, noted, strict=True) if until is None or until < now])

    def _reached_server(self) -> str:
        """Run id of the server that a new connection reaches; empty where none does, which says nothing of the subscription."""
        with suppress(redis.RedisError, OSError), self._client(_LOOK_PATIENCE_SECONDS) as client:
            return str(client.info("server")["run_id"])
        return ""

    def _client(self, patience_seconds: float) -> redis.Redis:
        return redis.Redis.from_url(
            self._where.current(),
            socket_connect_timeout=patience_seconds,
            socket_timeout=patience_seconds,
            socket_keepalive=True,
            socket_keepalive_options=KEEPALIVE,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,  # to name itself it would read its package's metadata for each connection
            **self._tls,
        )

    def _on_message(self, client: redis.Redis, message: dict[str, Any]) -> None:
        channel = (message.get("channel") or b"").decode()
        view = "" if channel in self._takers else channel.removeprefix(f"{self._channel}:")
        if view and message["type"] in (*_MESSAGES, *_SUBSCRIBED):
            text = message["data"] if message["type"] in _MESSAGES else client.get(f"{channel}:last")
            if isinstance(text, bytes):
                self._views.publish(view, text)
        elif message["type"] in _MESSAGES:
            self._takers[channel](message["data"])
        elif message["type"] in _SUBSCRIBED:
            # Only now can nothing be missed between the state that was kept and the first message.
            self._backoff.reset()
            if channel == self._dismissals:
                for dismissal in cast("list[bytes]", client.zrange(f"{self._channel}:dismissed", 0, -1)):
                    self._dismiss(dismissal)
            elif channel == self._channel and isinstance(last := client.get(f"{self._channel}:last"), bytes):
                self._publish(last)


def _run_id(info: bytes) -> str:
    """Of the text that INFO answers."""
    return next(line.partition(":")[2] for line in info.decode().splitlines() if line.startswith("run_id:"))
