"""What the client asks of the platform: for tasks of asyncio, and for threads, which need no event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Protocol, TypeVar

import httpx
import websockets.asyncio.client
import websockets.sync.client

from scoreboard_client.way import Way

T = TypeVar("T")
Stop = threading.Event | asyncio.Event
# Says nothing unless the program that uses it has set logging up: that a connection dies is nothing special.
_log = logging.getLogger("scoreboard_client")
_log.addHandler(logging.NullHandler())


class Connection(Protocol):
    """A WebSocket. `recv` raises TimeoutError, and like `send` ConnectionClosed of websockets."""

    async def recv(self, timeout: float) -> str | bytes:
        """The next message, waited for so many seconds."""
        ...

    async def send(self, text: str) -> None:
        """A message."""
        ...

    async def close(self) -> None:
        """Leave the server properly."""
        ...


class Transport(Protocol):
    """Sends, waits and keeps others out. `send` raises httpx.TransportError, `connect` OSError and WebSocketException."""

    async def send(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """One request and its whole answer."""
        ...

    async def connect(self, url: str, alive_seconds: float) -> Connection:
        """A WebSocket."""
        ...

    async def close(self) -> None:
        """Give up the connections that are kept for the next request."""
        ...

    async def pause(self, seconds: float, stop: Stop | None) -> bool:
        """Wait; whether `stop` was set meanwhile."""
        ...

    def new_lock(self) -> AbstractAsyncContextManager[object]:
        """One at a time."""
        ...

    def new_stop(self) -> Stop:
        """An event as `pause` takes it."""
        ...


class TaskTransport:
    """For the tasks of one event loop."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._client: httpx.AsyncClient | None = None

    async def send(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """See Transport."""
        self._client = self._client or httpx.AsyncClient(**self._way.http_options())
        return await self._client.request(method, url, content=content, headers=headers)

    async def connect(self, url: str, alive_seconds: float) -> Connection:
        """See Transport."""
        options = self._way.websocket_options(url, alive_seconds)
        return _TaskConnection(await websockets.asyncio.client.connect(url, logger=_log, **options))

    async def close(self) -> None:
        """See Transport."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def pause(self, seconds: float, stop: Stop | None) -> bool:
        """See Transport; raises TypeError for an event that would hold up the loop."""
        if isinstance(stop, threading.Event):
            raise TypeError("an AsyncScoreboard is stopped by an asyncio.Event")
        if stop is None:
            await asyncio.sleep(seconds)
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()
        return stop.is_set()

    def new_lock(self) -> AbstractAsyncContextManager[object]:
        """See Transport."""
        return asyncio.Lock()

    def new_stop(self) -> Stop:
        """See Transport."""
        return asyncio.Event()


class _TaskConnection:
    def __init__(self, connection: websockets.asyncio.client.ClientConnection) -> None:
        self._connection = connection

    async def recv(self, timeout: float) -> str | bytes:
        async with asyncio.timeout(timeout):
            return await self._connection.recv()

    async def send(self, text: str) -> None:
        await self._connection.send(text)

    async def close(self) -> None:
        await self._connection.close()


class ThreadTransport:
    """For any number of threads: what is awaited here has happened when it returns, so `run` needs no event loop."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._client: httpx.Client | None = None
        self._changing = threading.Lock()

    async def send(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """See Transport."""
        with self._changing:
            client = self._client = self._client or httpx.Client(**self._way.http_options())
        return client.request(method, url, content=content, headers=headers)

    async def connect(self, url: str, alive_seconds: float) -> Connection:
        """See Transport."""
        options = self._way.websocket_options(url, alive_seconds)
        return _ThreadConnection(websockets.sync.client.connect(url, logger=_log, legacy=True, **options))

    async def close(self) -> None:
        """See Transport."""
        with self._changing:
            client, self._client = self._client, None
        if client:
            client.close()

    async def pause(self, seconds: float, stop: Stop | None) -> bool:
        """See Transport."""
        if isinstance(stop, asyncio.Event):
            raise TypeError("a Scoreboard is stopped by a threading.Event")
        return (stop or threading.Event()).wait(seconds)

    def new_lock(self) -> AbstractAsyncContextManager[object]:
        """See Transport."""
        return _ThreadLock()

    def new_stop(self) -> Stop:
        """See Transport."""
        return threading.Event()


class _ThreadConnection:
    def __init__(self, connection: websockets.sync.client.ClientConnection) -> None:
        self._connection = connection

    async def recv(self, timeout: float) -> str | bytes:
        return self._connection.recv(timeout)

    async def send(self, text: str) -> None:
        self._connection.send(text)

    async def close(self) -> None:
        self._connection.close()


class _ThreadLock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


def run(awaitable: Awaitable[T]) -> T:
    """What comes of something that awaits nothing but a ThreadTransport."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("it waits for an event loop: a callback of a Scoreboard must not be asynchronous")
