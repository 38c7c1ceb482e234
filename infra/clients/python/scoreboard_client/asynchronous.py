"""The client for asyncio; `Scoreboard` for threads is the same over another transport."""

from __future__ import annotations

import base64
import inspect
import json
import random
import re
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
from websockets.exceptions import ConnectionClosed, WebSocketException

from scoreboard_client.errors import ScoreboardError, no_answer, no_websocket, parsed, problem, strange
from scoreboard_client.patience import PATIENT, Patience
from scoreboard_client.transports import Connection, Stop, TaskTransport, Transport
from scoreboard_client.values import Account, Board, BoardPage, EntryReceipt, HistoryEntry, OwnAccount, Receipt, Standing
from scoreboard_client.way import Way

LEAVE_AFTER_SECONDS = 10.0
MAX_TICKETS = 3
STEADY_SECONDS = 5.0
LISTEN_SECONDS = 0.5
SESSION_ENDED, POLICY = 4401, 1008
MAX_REFUSED_HANDSHAKES = 3
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SUBSCRIPTION = "1"
_PING = json.dumps({"action": "ping"})
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")
_WANTS_TICKET = ("ticket_required", "invalid_action_ticket")
T = TypeVar("T")


class AsyncScoreboard:
    """One account on one scoreboard.

    `get_access_token` gives tokens of an outside identity provider and is asked again when one is refused; `user_id_claim` is
    the claim with the user's id here, as the server's JWT_USER_ID_CLAIM. With `get_credentials`, a user name and a password, it
    logs in again when a session has ended. `get_ticket` gives tickets for the live board, as POST /api/ws-tickets answers them,
    to a program that has them in another way. Each may be a coroutine function.

    Requests and the live board go through the proxy that the environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY),
    but not to this machine itself. Raises ValueError for a URL, or a proxy, that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        get_access_token: Callable[[], str | Awaitable[str]] | None = None,
        user_id_claim: str = "sub",
        get_credentials: Callable[[], tuple[str, str] | Awaitable[tuple[str, str]]] | None = None,
        get_ticket: Callable[[], dict[str, Any] | Awaitable[dict[str, Any]]] | None = None,
        tls: ssl.SSLContext | None = None,
        rng: Callable[[], float] = random.random,
        transport: Callable[[Way], Transport] = TaskTransport,
    ) -> None:
        way = Way(base_url, tls)
        self._base_url, self._proxy = way.base_url, way.proxy
        self._get_access_token = get_access_token
        self._user_id_claim = user_id_claim
        self._get_credentials = get_credentials
        self._get_ticket = get_ticket
        self._rng = rng
        self.transport = transport(way)
        self._renewing = self.transport.new_lock()
        self._access_token = ""
        self._expires_at = 0.0
        self._refresh_token = ""
        self._renewal_key = ""
        self._needs_ticket = False
        self._has_answered = False
        self.user_id = ""

    async def __aenter__(self) -> AsyncScoreboard:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def register(self, username: str, password: str, patience: Patience = PATIENT) -> Account:
        """Create a player. Sent again under the same key until the server answers: a lost answer loses no API key."""
        credentials, key = {"username": username, "password": password}, _new_key()
        account: Account = (await self._patiently(lambda: self.request("POST", "/api/users", credentials, key), patience))["data"]
        return account

    async def log_in(self, username: str, password: str, patience: Patience = PATIENT) -> None:
        """Begin a session."""
        credentials, key = {"username": username, "password": password}, _new_key()
        self._keep((await self._patiently(lambda: self.request("POST", "/api/tokens", credentials, key), patience))["data"])

    async def resume(self, refresh_token: str, patience: Patience = PATIENT) -> None:
        """Go on with the session of a saved `refresh_token`, which is good once: save the new one."""
        async with self._renewing:
            if refresh_token != self._refresh_token:
                self._refresh_token, self._renewal_key = refresh_token, ""
            await self._patiently(self._renew, patience)

    @property
    def refresh_token(self) -> str:
        """What `resume` takes; another one after every renewal."""
        return self._refresh_token

    async def log_out(self) -> None:
        """End the session, here and on the server, which is asked for LEAVE_AFTER_SECONDS if it does not answer."""
        key = _new_key()
        with suppress(ScoreboardError):
            await self._patiently(lambda: self.call("DELETE", "/api/tokens", headers=key), Patience(LEAVE_AFTER_SECONDS))
        self._access_token = self._refresh_token = self._renewal_key = self.user_id = ""

    async def close(self) -> None:
        """Give up the connections that are kept for the next request, which would make a new one."""
        await self.transport.close()

    def expire(self) -> None:
        """Renew the access token before the next request."""
        self._access_token = ""

    async def me(self, patience: Patience = PATIENT) -> OwnAccount:
        """The account: the username, and the display name that boards show."""
        own: OwnAccount = (await self._patiently(lambda: self.call("GET", "/api/me"), patience))["data"]
        return own

    async def rename(self, display_name: str | None, patience: Patience = PATIENT) -> OwnAccount:
        """Choose the display name, 1 to 50 characters of any script; None is the username."""
        body, key = {"displayName": display_name}, _new_key()
        own: OwnAccount = (await self._patiently(lambda: self.call("PATCH", "/api/me", body, key), patience))["data"]
        return own

    async def add_points(self, increment: int, *, idempotency_key: str | None = None, patience: Patience = PATIENT) -> Receipt:
        """Raise the score by 1 to 5. Sent again, with the same key and ticket, until the server answers: it counts once.

        Raises ScoreboardError when it was refused, or not confirmed in time; then with its `idempotency_key`. A key of your own
        outlives this program, for a day.
        """
        user_id = quote(await self._whoami(), safe="")
        receipt: Receipt = await self._count_once(
            f"/api/score/{user_id}", user_id, {"increment": increment}, idempotency_key, patience
        )
        return receipt

    async def add_entry(
        self,
        board: str,
        value: int,
        *,
        second: int | None = None,
        metadata: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        patience: Patience = PATIENT,
    ) -> EntryReceipt:
        """Add an entry of one's own to a board beside `main`; like `add_points` it counts once."""
        user_id = quote(await self._whoami(), safe="")
        body = {"value": value, "second": second, "metadata": metadata}
        path = f"/api/boards/{quote(board, safe='')}/scores/{user_id}"
        receipt: EntryReceipt = await self._count_once(path, user_id, body, idempotency_key, patience)
        return receipt

    async def board_page(
        self,
        board: str,
        *,
        period: str = "",
        season: int = 0,
        limit: int = 10,
        cursor: str = "",
        around: str = "",
        rank: int = 0,
        metadata: bool = False,
        patience: Patience = PATIENT,
    ) -> BoardPage:
        """Rows of a board: from the top, from a `rank`, with a player in the middle (`around`), or after the `cursor` of the page
        before. Its first period and the open season where no other is said; without a session where the board is public.
        With `metadata` rows have that of the entry that made the score.
        """
        asked = {"period": period, "season": season, "limit": limit, "cursor": cursor, "around": around, "rank": rank}
        asked |= {"metadata": "true"} if metadata else {}
        query = urlencode({name: value for name, value in asked.items() if value})
        page: BoardPage = await self._patiently(
            lambda: self._look("GET", f"/api/boards/{quote(board, safe='')}/scores?{query}"), patience
        )
        return page

    async def _count_once(self, path: str, user_id: str, body: object, idempotency_key: str | None, patience: Patience) -> Any:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else _new_key()
        tickets = iter(range(MAX_TICKETS))

        async def send() -> Any:
            while True:
                try:
                    if self._needs_ticket and "X-Action-Ticket" not in headers:
                        headers["X-Action-Ticket"] = (await self.call("POST", f"/api/score/{user_id}/tickets"))["data"]["ticket"]
                    receipt = (await self.call("POST", path, body, headers))["data"]
                except ScoreboardError as error:
                    if error.code not in _WANTS_TICKET or next(tickets, None) is None:
                        raise
                    self._needs_ticket = True
                    headers.pop("X-Action-Ticket", None)
                else:
                    return receipt

        try:
            return await self._patiently(send, patience)
        except ScoreboardError as error:
            error.idempotency_key = headers["Idempotency-Key"]
            raise

    async def top(self, limit: int = 10, patience: Patience = PATIENT) -> Board:
        """The best players; without a session where the board is public."""
        board: Board = await self._patiently(lambda: self._look("GET", f"/api/scores?limit={limit}"), patience)
        return board

    async def standing(self, user_id: str = "", neighbours: int = 2, patience: Patience = PATIENT) -> Standing:
        """A player's score and rank, with those around; one's own where no `user_id` is said."""
        path = f"/api/score/{quote(user_id or await self._whoami(), safe='')}?neighbours={neighbours}"
        standing: Standing = (await self._patiently(lambda: self.call("GET", path), patience))["data"]
        return standing

    async def history(self, user_id: str = "", page_size: int = 50, patience: Patience = PATIENT) -> AsyncIterator[HistoryEntry]:
        """The updates, newest first, as many pages as are asked for."""
        path = f"/api/score/{quote(user_id or await self._whoami(), safe='')}/history?"
        query: dict[str, str | int] = {"limit": page_size}
        while True:
            target = path + urlencode(query)
            page = await self._patiently(lambda target=target: self.call("GET", target), patience)  # type: ignore[misc]
            for entry in page["data"]:
                yield entry
            if not page["nextCursor"]:
                return
            query["cursor"] = page["nextCursor"]

    def watch(
        self,
        board: str = "",
        *,
        period: str = "",
        top: int = 10,
        stop: Stop | None = None,
        alive_seconds: float = 20.0,
        patience: Patience = PATIENT,
    ) -> AsyncLiveBoard:
        """The board live: an iterator of boards that goes on until `stop` is set or it is closed.

        It is the first ten of `main` unless another `board` is named: its first `top` rows, in its first period or in this one.
        Nobody needs to be logged in where the board is public.

        A connection is asked for a sign of life every `alive_seconds`, and left when as long none has come. The first connection
        must stand before `patience` gives up; one that was lost later is tried for again without end. `on_retry` is told of every
        connection that did not come about, and why.
        """
        view = {"board": board, **({"period": period} if period else {}), "view": {"top": top}} if board else None
        return AsyncLiveBoard(self, stop or self.transport.new_stop(), alive_seconds, patience, view)

    async def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Make a request in the user's name, once, renewing the access token where needed; raises ScoreboardError.

        What changes something gets an Idempotency-Key, unless `headers` has one.
        """
        headers = _keyed(method, headers)
        token = await self._token()
        try:
            return await self.request(method, path, body, {**headers, "Authorization": f"Bearer {token}"})
        except ScoreboardError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        async with self._renewing:
            if token == self._access_token:
                await self._renew()
        return await self.request(method, path, body, {**headers, "Authorization": f"Bearer {self._access_token}"})

    async def _look(self, method: str, path: str) -> Any:
        """Ask in the user's name; without a session in nobody's, which is answered where the board is public."""
        knows_somebody = self.user_id or self._get_access_token or self._get_credentials
        ask = self.call if knows_somebody else self.request
        return await ask(method, path)

    async def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Send one request, once, and give back the JSON document of a successful answer; raises ScoreboardError."""
        sent = {**_keyed(method, headers), **({} if body is None else {"Content-Type": "application/json"})}
        try:
            return await self._request(method, path, body, sent)
        except ScoreboardError as error:
            error.idempotency_key = sent.get("Idempotency-Key")
            raise

    async def _request(self, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        content = None if body is None else json.dumps(body).encode()
        try:
            response = await self.transport.send(method, self._base_url + path, content, headers)
        except httpx.LocalProtocolError as error:
            raise ValueError(f"this cannot be sent: {error}") from error
        except httpx.TransportError as error:
            raise no_answer(error, self._base_url, self._proxy) from error
        document = parsed(response.content)
        fields = document if isinstance(document, dict) else {}
        is_answer = response.status_code == HTTPStatus.NO_CONTENT or (
            "data" in fields if path.startswith("/api/") else document is not None
        )
        if response.is_success and is_answer:
            self._has_answered = True
            return document
        if response.is_error and isinstance(fields.get("code"), str):
            self._has_answered = True
            raise problem(response, fields)
        raise strange(response, self._base_url, self._proxy, has_answered=self._has_answered)

    async def websocket(self, alive_seconds: float, view: dict[str, Any] | None = None) -> tuple[Connection, float, float]:
        """A new connection to the live board, and its ping interval and the seconds after which to replace it.

        Raises ScoreboardError, which says why there is none.
        """
        ticket = await _told(self._get_ticket()) if self._get_ticket else (await self._look("POST", "/api/ws-tickets"))["data"]
        if view is None and ticket.get("broadcast") is False:  # other boards are public
            raise ScoreboardError(HTTPStatus.UNAUTHORIZED, "missing_token", "This board is not public: log in.")
        url = ticket.get("url") or self._base_url.replace("http", "ws", 1) + "/ws"
        try:
            connection = await self.transport.connect(f"{url}?{urlencode({'ticket': ticket['ticket']})}", alive_seconds)
            if view is not None:
                await connection.send(json.dumps({"type": "subscribe", "id": _SUBSCRIPTION, **view}))
        except (OSError, WebSocketException) as error:
            raise no_websocket(url, error) from error
        return connection, ticket["pingInterval"], ticket["reconnectIn"]

    def jitter(self, attempt: int, *, first: float = 0.5, cap: float = 15.0) -> float:
        """Seconds before attempt number `attempt` (from 0): anything up to a doubling, capped limit."""
        return self._rng() * min(cap, first * 2.0 ** min(attempt, 30))

    async def _patiently(self, send: Callable[[], Awaitable[T]], patience: Patience) -> T:
        """Until it succeeds or fails for good, waiting as the server says, or ever longer, and never all clients at once."""
        give_up_at = time.monotonic() + patience.give_up_after_seconds
        attempt = 0
        while True:
            try:
                return await send()
            except ScoreboardError as error:
                is_limit = error.status == HTTPStatus.TOO_MANY_REQUESTS and patience.wait_when_limited
                wait = (error.retry_after_seconds or 0) + self.jitter(attempt, first=0.4, cap=5.0)
                if not (error.is_temporary or is_limit) or time.monotonic() + wait > give_up_at:
                    raise
                if patience.on_retry:
                    patience.on_retry(error, wait)
                if await self.transport.pause(wait, patience.stop):
                    raise
            attempt += 1

    async def _whoami(self) -> str:
        if not self.user_id:
            await self._token()
        return self.user_id

    async def _token(self) -> str:
        async with self._renewing:
            if not self._access_token or time.monotonic() >= self._expires_at:
                await self._renew()
            return self._access_token

    async def _renew(self) -> None:
        """By one at a time: a refresh token is good for one use, and for further tries of that one under its key."""
        if self._get_access_token:
            self._use(await _told(self._get_access_token()))
            return
        if not self._refresh_token and not self._get_credentials:
            raise ScoreboardError(HTTPStatus.UNAUTHORIZED, "session_ended", "Nobody is logged in.")
        self._renewal_key = self._renewal_key or str(uuid.uuid4())
        key = {"Idempotency-Key": self._renewal_key}
        try:
            if self._refresh_token:
                self._keep((await self.request("POST", "/api/tokens", {"refreshToken": self._refresh_token}, key))["data"])
                return
        except ScoreboardError as error:
            if error.status != HTTPStatus.UNAUTHORIZED or not self._get_credentials:
                raise
        if self._get_credentials:
            username, password = await _told(self._get_credentials())
            credentials = {"username": username, "password": password}
            self._keep((await self.request("POST", "/api/tokens", credentials, key))["data"])

    def _keep(self, tokens: dict[str, Any]) -> None:
        self._refresh_token, self._renewal_key = tokens["refreshToken"], ""
        self._use(tokens["accessToken"], tokens["expiresIn"])

    def _use(self, token: str, lives_seconds: float | None = None) -> None:
        """The claims are read, not verified: the server verifies, a client only wants to know who it is."""
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        lives = claims["exp"] - time.time() if lives_seconds is None else lives_seconds
        self.user_id = _canonical(str(claims.get(self._user_id_claim if self._get_access_token else "sub", "")))
        self._access_token, self._expires_at = token, time.monotonic() + lives - min(30.0, lives / 10)


class AsyncLiveBoard:
    """The board as it changes: an iterator that comes back by itself when the connection ends, with a fresh ticket each time.

    Versions only rise. While a board is looked at, those in between are skipped. Iterating raises ScoreboardError when the
    server refuses this user for good, and when the first connection does not come about: `detail` says why. Use it as a context
    manager, or `close()` it, to stop.
    """

    def __init__(
        self,
        scoreboard: AsyncScoreboard,
        stop: Stop,
        alive_seconds: float,
        patience: Patience = PATIENT,
        view: dict[str, Any] | None = None,
    ) -> None:
        self._scoreboard = scoreboard
        self._alive_seconds = alive_seconds
        self._stop = stop
        self._patience = patience
        self._view = view
        self._gives_up_at: float | None = time.monotonic() + patience.give_up_after_seconds  # None once one stood
        self._refused_handshakes = 0
        self._connection: Connection | None = None
        self._opened_at = self._ping_at = self._replace_at = 0.0
        self._ping_seconds = 0.0
        self._attempts = 0
        self._version = -1
        self.reconnects = 0

    async def __aenter__(self) -> AsyncLiveBoard:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at the moment."""
        return self._connection is not None

    async def close(self) -> None:
        """Stop, and leave the server properly."""
        self._stop.set()
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()

    def __aiter__(self) -> AsyncIterator[Board]:
        return self

    async def __anext__(self) -> Board:
        """The next newer board; waits for it."""
        while not self._stop.is_set():
            if self._connection is None:
                await self._connect()
            elif (board := await self._listen(self._connection)) is not None:
                return board
        await self.close()
        raise StopAsyncIteration

    async def _connect(self) -> None:
        """Once; after a failure that may pass, wait."""
        try:
            await self._take(*await self._scoreboard.websocket(self._alive_seconds, self._view))
        except ScoreboardError as error:
            wait = (error.retry_after_seconds or 0) + self._scoreboard.jitter(self._attempts)
            if self._is_final(error, wait):
                raise
            if self._patience.on_retry:
                self._patience.on_retry(error, wait)
        else:
            self._gives_up_at, self._refused_handshakes = None, 0
            return
        self._attempts += 1
        await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        await self._scoreboard.transport.pause(seconds, self._stop)

    def _is_final(self, error: ScoreboardError, wait: float) -> bool:
        """Whether trying on is of no use: the user is refused, or there is something wrong on the way that does not pass."""
        if error.code == "handshake_refused" and error.status == HTTPStatus.UNAUTHORIZED:
            self._refused_handshakes += 1  # a ticket is good for 30 s, which a slow way may use up
            return self._refused_handshakes >= MAX_REFUSED_HANDSHAKES
        if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return True
        if self._gives_up_at is None:
            return False
        may_pass = error.is_temporary or error.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
        return not may_pass or time.monotonic() + wait > self._gives_up_at

    async def _take(self, connection: Connection, ping_seconds: float, replace_seconds: float) -> None:
        now = time.monotonic()
        self._connection, self._opened_at = connection, now
        self._ping_seconds, self._ping_at, self._replace_at = ping_seconds, now + ping_seconds, now + replace_seconds
        if self._stop.is_set():
            await self.close()

    async def _listen(self, connection: Connection) -> Board | None:
        """The newest board that is here, if one comes soon."""
        newest = None
        wait = LISTEN_SECONDS
        try:
            await self._stay(connection)
            while self._connection is connection:
                board = _board(await connection.recv(wait), self._view)
                if board is not None and board["version"] > self._version:
                    self._version, newest, wait = board["version"], board, 0
        except TimeoutError:
            pass
        except ScoreboardError as error:
            if not error.is_temporary:
                raise
            await connection.close()  # and subscribe on another one
            await self._leave(0)
        except ConnectionClosed as closed:
            if newest is None:  # else the next call will learn of it
                await self._leave(closed.rcvd.code if closed.rcvd else 0)
        return newest

    async def _stay(self, connection: Connection) -> None:
        """Do what the server asks of those who want to stay: ping, and open another connection before this one has to end."""
        now = time.monotonic()
        if now >= self._ping_at:
            await connection.send(_PING)
            self._ping_at = now + self._ping_seconds
        if now >= self._replace_at:
            self._replace_at = now + 5 + self._scoreboard.jitter(self._attempts + 4)  # for the case that it fails
            self._scoreboard.expire()
            with suppress(ScoreboardError):
                await self._take(*await self._scoreboard.websocket(self._alive_seconds, self._view))
                await connection.close()

    async def _leave(self, code: int) -> None:
        """The connection has ended; at once only where nothing but its token had expired."""
        self._connection = None
        self.reconnects += 1
        was_steady = time.monotonic() - self._opened_at >= STEADY_SECONDS
        self._attempts = 0 if was_steady else self._attempts + 1
        if code == SESSION_ENDED:
            self._scoreboard.expire()
        if code == POLICY:
            self._attempts = max(self._attempts, 3)  # we did something it does not like: slowly
        if code != SESSION_ENDED or not was_steady:
            await self._pause(self._scoreboard.jitter(self._attempts))


async def _told(value: T | Awaitable[T]) -> T:
    """What a callback gave, or will give."""
    return await value if inspect.isawaitable(value) else value


def _canonical(user_id: str) -> str:
    """As the server writes it, so that it can be compared with the ids of a board: some providers print UUIDs in capitals."""
    return user_id.lower() if _UUID.fullmatch(user_id) else user_id


def _new_key() -> dict[str, str]:
    """The header that names a request, for the server to carry it out once."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def _keyed(method: str, headers: dict[str, str] | None) -> dict[str, str]:
    """The headers of a request, with a key for what changes something."""
    sent = dict(headers or {})
    has_key = method not in _CHANGES or any(name.lower() == "idempotency-key" for name in sent)
    return sent if has_key else {**sent, **_new_key()}


def _board(text: str | bytes, view: dict[str, Any] | None) -> Board | None:
    """None for what is not this board; raises ScoreboardError when it cannot be watched, or no longer."""
    message: Any = parsed(text)
    if not isinstance(message, dict):
        return None
    if view is not None and message.get("type") == "error" and isinstance(message.get("status"), int):
        raise ScoreboardError(message["status"], str(message.get("code")), str(message.get("detail")))
    is_board = message.get("type") == "leaderboard" and isinstance(message.get("data"), list)
    is_this = message.get("board") == (view["board"] if view is not None else None)
    board: Board = message  # type: ignore[assignment]
    return board if is_board and is_this and isinstance(message.get("version"), int) else None
