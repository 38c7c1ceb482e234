"""A client of the scoreboard: one module, the standard library, and `websockets` to watch the board live.

    scoreboard = Scoreboard("https://scores.example")
    scoreboard.log_in("ada", "correct horse battery")
    receipt = scoreboard.add_points(5)
    for board in scoreboard.watch():
        print(board["data"])

It may be shared by threads.
"""

from __future__ import annotations

import base64
import http.client
import inspect
import ipaddress
import json
import logging
import random
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

TIME_LIMIT_SECONDS = 10.0
GIVE_UP_AFTER_SECONDS = 60.0
LEAVE_AFTER_SECONDS = 10.0
MAX_TICKETS = 3
STEADY_SECONDS = 5.0
LISTEN_SECONDS = 0.5
SESSION_ENDED, POLICY = 4401, 1008
MAX_REFUSED_HANDSHAKES = 3
# Says nothing unless the program that uses it has set logging up: that a connection dies is nothing special.
_log = logging.getLogger("scoreboard_client")
_log.addHandler(logging.NullHandler())
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PING = json.dumps({"action": "ping"})
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")
_WANTS_TICKET = ("ticket_required", "invalid_action_ticket")
T = TypeVar("T")


class Line(TypedDict):
    """A line of the board."""

    userId: str
    username: str
    rank: int
    score: int


class Standing(Line):
    """A player's place, with those around."""

    neighbours: list[Line]


class Receipt(TypedDict):
    """What an update has made."""

    userId: str
    score: int
    rank: int
    increment: int
    requestId: str


class HistoryEntry(TypedDict):
    """An update as the ledger has it."""

    requestId: str
    increment: int
    newScore: int
    createdAt: str


class Board(TypedDict):
    """The best players; `version`, which only rises, where it came live."""

    data: list[Line]
    cache_time: str
    type: NotRequired[str]
    version: NotRequired[int]


class Account(TypedDict):
    """A new account; its API key is shown this once."""

    userId: str
    username: str
    role: str
    apiKey: str


class ScoreboardError(Exception):
    """A request that was not answered with success; `status` is 0 when no answer came at all.

    `idempotency_key` comes with a request that changes something: it may have been carried out. Sent again under this key, within
    a day, it is carried out once.
    """

    def __init__(
        self, status: int, code: str, detail: str = "", request_id: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {detail}" if detail else f"{status} {code}")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.idempotency_key: str | None = None

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later; it may also have been carried out already."""
        is_in_progress = self.code == "request_in_progress"
        return self.status == 0 or self.status >= http.client.INTERNAL_SERVER_ERROR or is_in_progress


@dataclass(frozen=True)
class Patience:
    """How long to try, whether 429 is waited for, too, and who is told before every wait."""

    give_up_after_seconds: float = GIVE_UP_AFTER_SECONDS
    wait_when_limited: bool = True
    on_retry: Callable[[ScoreboardError, float], object] | None = None


PATIENT = Patience()


class Scoreboard:
    """One account on one scoreboard.

    `get_access_token` gives tokens of an outside identity provider and is asked again when one is refused; `user_id_claim` is
    the claim with the user's id here, as the server's JWT_USER_ID_CLAIM. With `get_credentials`, a user name and a password, it
    logs in again when a session has ended.

    Requests and the live board both go through the proxy that the environment names (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), but not
    to this machine itself. Raises ValueError for a URL, or a proxy, that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        get_access_token: Callable[[], str] | None = None,
        user_id_claim: str = "sub",
        get_credentials: Callable[[], tuple[str, str]] | None = None,
        tls: ssl.SSLContext | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base_url!r} is no URL that begins with http:// or https://")
        self._base_url = base_url.rstrip("/")
        self._proxy = _proxy_for(parts)
        self._get_access_token = get_access_token
        self._user_id_claim = user_id_claim
        self._get_credentials = get_credentials
        self._tls = tls
        self._rng = rng
        self._renewing = threading.Lock()
        self._local = threading.local()
        self._access_token = ""
        self._expires_at = 0.0
        self._refresh_token = ""
        self._renewal_key = ""
        self._needs_ticket = False
        self.user_id = ""

    def register(self, username: str, password: str, patience: Patience = PATIENT) -> Account:
        """Create a player. Sent again under the same key until the server answers: a lost answer loses no API key."""
        credentials, key = {"username": username, "password": password}, _new_key()
        account: Account = self._patiently(lambda: self.request("POST", "/api/users", credentials, key), patience)["data"]
        return account

    def log_in(self, username: str, password: str, patience: Patience = PATIENT) -> None:
        """Begin a session."""
        credentials, key = {"username": username, "password": password}, _new_key()
        self._keep(self._patiently(lambda: self.request("POST", "/api/tokens", credentials, key), patience)["data"])

    def resume(self, refresh_token: str, patience: Patience = PATIENT) -> None:
        """Go on with the session of a saved `refresh_token`, which is good once: save the new one."""
        with self._renewing:
            if refresh_token != self._refresh_token:
                self._refresh_token, self._renewal_key = refresh_token, ""
            self._patiently(self._renew, patience)

    @property
    def refresh_token(self) -> str:
        """What `resume` takes; another one after every renewal."""
        return self._refresh_token

    def log_out(self) -> None:
        """End the session, here and on the server, which is asked for LEAVE_AFTER_SECONDS if it does not answer."""
        key = _new_key()
        with suppress(ScoreboardError):
            self._patiently(lambda: self.call("DELETE", "/api/tokens", headers=key), Patience(LEAVE_AFTER_SECONDS))
        self._access_token = self._refresh_token = self._renewal_key = self.user_id = ""

    def expire(self) -> None:
        """Renew the access token before the next request."""
        self._access_token = ""

    def add_points(self, increment: int, *, idempotency_key: str | None = None, patience: Patience = PATIENT) -> Receipt:
        """Raise the score by 1 to 5. Sent again, with the same key and ticket, until the server answers: it counts once.

        Raises ScoreboardError when it was refused, or not confirmed in time; then with its `idempotency_key`. A key of your own
        outlives this program, for a day.
        """
        path = f"/api/score/{quote(self._whoami(), safe='')}"
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else _new_key()
        tickets = iter(range(MAX_TICKETS))

        def send() -> Receipt:
            while True:
                try:
                    if self._needs_ticket and "X-Action-Ticket" not in headers:
                        headers["X-Action-Ticket"] = self.call("POST", f"{path}/tickets")["data"]["ticket"]
                    receipt: Receipt = self.call("POST", path, {"increment": increment}, headers)["data"]
                except ScoreboardError as error:
                    if error.code not in _WANTS_TICKET or next(tickets, None) is None:
                        raise
                    self._needs_ticket = True
                    headers.pop("X-Action-Ticket", None)
                else:
                    return receipt

        try:
            return self._patiently(send, patience)
        except ScoreboardError as error:
            error.idempotency_key = headers["Idempotency-Key"]
            raise

    def top(self, limit: int = 10, patience: Patience = PATIENT) -> Board:
        """The best players; without a session where the board is public."""
        ask = self.call if self.user_id or self._get_access_token else self.request
        board: Board = self._patiently(lambda: ask("GET", f"/api/scores?limit={limit}"), patience)
        return board

    def standing(self, user_id: str = "", neighbours: int = 2, patience: Patience = PATIENT) -> Standing:
        """A player's score and rank, with those around; one's own where no `user_id` is said."""
        path = f"/api/score/{quote(user_id or self._whoami(), safe='')}?neighbours={neighbours}"
        standing: Standing = self._patiently(lambda: self.call("GET", path), patience)["data"]
        return standing

    def history(self, user_id: str = "", page_size: int = 50, patience: Patience = PATIENT) -> Iterator[HistoryEntry]:
        """The updates, newest first, as many pages as are asked for."""
        path = f"/api/score/{quote(user_id or self._whoami(), safe='')}/history?"
        query: dict[str, str | int] = {"limit": page_size}
        while True:
            target = path + urlencode(query)
            page = self._patiently(lambda target=target: self.call("GET", target), patience)  # type: ignore[misc]
            yield from page["data"]
            if not page["nextCursor"]:
                return
            query["cursor"] = page["nextCursor"]

    def watch(
        self, *, stop: threading.Event | None = None, alive_seconds: float = 20.0, patience: Patience = PATIENT
    ) -> LiveBoard:
        """The board live: an iterator of boards that goes on until `stop` is set or it is closed.

        A connection is asked for a sign of life every `alive_seconds`, and left when as long none has come. The first connection
        must stand before `patience` gives up; one that was lost later is tried for again without end. `on_retry` is told of every
        connection that did not come about, and why.
        """
        return LiveBoard(self, stop or threading.Event(), alive_seconds, patience)

    def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Make a request in the user's name, once, renewing the access token where needed; raises ScoreboardError.

        What changes something gets an Idempotency-Key, unless `headers` has one.
        """
        headers = _keyed(method, headers)
        token = self._token()
        try:
            return self.request(method, path, body, {**headers, "Authorization": f"Bearer {token}"})
        except ScoreboardError as error:
            if error.status != http.client.UNAUTHORIZED:
                raise
        with self._renewing:
            if token == self._access_token:
                self._renew()
        return self.request(method, path, body, {**headers, "Authorization": f"Bearer {self._access_token}"})

    def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Send one request, once, and give back the JSON document of a successful answer; raises ScoreboardError."""
        sent = {**_keyed(method, headers), **({} if body is None else {"Content-Type": "application/json"})}
        try:
            return self._request(method, path, body, sent)
        except ScoreboardError as error:
            error.idempotency_key = sent.get("Idempotency-Key")
            raise

    def _request(self, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        payload = None if body is None else json.dumps(body)
        try:
            status, answered, content = self._exchange(method, path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            raise ScoreboardError(0, "no_answer", str(error)) from error
        document = _json(content)
        if status >= http.client.BAD_REQUEST:
            known = document if isinstance(document, dict) else {}
            wait = answered.get("Retry-After", "")
            raise ScoreboardError(
                status,
                str(known.get("code", "unknown")),
                str(known.get("detail", "")),
                answered.get("X-Request-Id", ""),
                max(1.0, float(wait)) if wait.isdecimal() else None,
            )
        if document is None and content:
            raise ScoreboardError(0, "no_answer", "the answer is no JSON")
        return document

    def websocket(self, alive_seconds: float) -> tuple[ClientConnection, float, float]:
        """A new connection to the live board, and its ping interval and the seconds after which to replace it.

        Raises ScoreboardError, which says why there is none.
        """
        from websockets.exceptions import WebSocketException

        ticket = self.call("POST", "/api/ws-tickets")["data"]
        url = ticket.get("url") or self._base_url.replace("http", "ws", 1) + "/ws"
        try:
            connection = self._open_websocket(url, ticket["ticket"], alive_seconds)
        except (OSError, WebSocketException) as error:
            raise _refused_handshake(url, error) from error
        return connection, ticket["pingInterval"], ticket["reconnectIn"]

    def _open_websocket(self, url: str, ticket: str, alive_seconds: float) -> ClientConnection:
        from websockets.sync.client import connect

        # Before version 15 it knew of no proxies.
        way: dict[str, Any] = (
            {"proxy": _proxy_for(urlsplit(url)) or None} if "proxy" in inspect.signature(connect).parameters else {}
        )
        connection: ClientConnection = connect(
            f"{url}?{urlencode({'ticket': ticket})}",
            ssl=self._tls if url.startswith("wss:") else None,
            open_timeout=TIME_LIMIT_SECONDS,
            close_timeout=2,
            ping_interval=alive_seconds,
            ping_timeout=alive_seconds,
            logger=_log,
            max_queue=1,  # what is not read yet is better left to the server, which skips boards for slow readers
            **way,
        )
        return connection

    def jitter(self, attempt: int, *, first: float = 0.5, cap: float = 15.0) -> float:
        """Seconds before attempt number `attempt` (from 0): anything up to a doubling, capped limit."""
        return self._rng() * min(cap, first * 2.0 ** min(attempt, 30))

    def _patiently(self, send: Callable[[], T], patience: Patience) -> T:
        """Until it succeeds or fails for good, waiting as the server says, or ever longer, and never all clients at once."""
        give_up_at = time.monotonic() + patience.give_up_after_seconds
        attempt = 0
        while True:
            try:
                return send()
            except ScoreboardError as error:
                is_limit = error.status == http.client.TOO_MANY_REQUESTS and patience.wait_when_limited
                wait = (error.retry_after_seconds or 0) + self.jitter(attempt, first=0.4, cap=5.0)
                if not (error.is_temporary or is_limit) or time.monotonic() + wait > give_up_at:
                    raise
                if patience.on_retry:
                    patience.on_retry(error, wait)
            time.sleep(wait)
            attempt += 1

    def _exchange(
        self, method: str, path: str, payload: str | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Over this thread's connection. One that has been used may have ended meanwhile: then a new one is made at once.

        Only what had no answer of any kind is sent again, and of those only what may be.
        """
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        may_repeat = kept is not None and (method == "GET" or "Idempotency-Key" in headers)
        connection = self._local.connection = kept or self._connect()
        try:
            if self._proxy and self._base_url.startswith("http:"):  # it wants to know where to
                headers = {**headers, **_proxy_authorization(urlsplit(self._proxy))}
                connection.request(method, f"{self._base_url}{path}", payload, headers)
            else:
                connection.request(method, f"{urlsplit(self._base_url).path}{path}", payload, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._local.connection = None
            connection.close()
            if may_repeat:
                return self._exchange(method, path, payload, headers)
            raise
        if response.will_close:
            self._local.connection = None
        return response.status, response.msg, content

    def _connect(self) -> http.client.HTTPConnection:
        parts, proxy = urlsplit(self._base_url), urlsplit(self._proxy)
        host, port = (proxy.hostname, proxy.port or 80) if self._proxy else (parts.hostname, parts.port)
        if parts.scheme == "http":
            return http.client.HTTPConnection(host or "", port, timeout=TIME_LIMIT_SECONDS)
        connection = http.client.HTTPSConnection(host or "", port, timeout=TIME_LIMIT_SECONDS, context=self._tls)
        if self._proxy:
            connection.set_tunnel(parts.hostname or "", parts.port or 443, _proxy_authorization(proxy))
        return connection

    def _whoami(self) -> str:
        if not self.user_id:
            self._token()
        return self.user_id

    def _token(self) -> str:
        with self._renewing:
            if not self._access_token or time.monotonic() >= self._expires_at:
                self._renew()
            return self._access_token

    def _renew(self) -> None:
        """By one thread at a time: a refresh token is good for one use, and for further tries of that one under its key."""
        if self._get_access_token:
            self._use(self._get_access_token())
            return
        if not self._refresh_token and not self._get_credentials:
            raise ScoreboardError(http.client.UNAUTHORIZED, "session_ended", "Nobody is logged in.")
        self._renewal_key = self._renewal_key or str(uuid.uuid4())
        key = {"Idempotency-Key": self._renewal_key}
        try:
            if self._refresh_token:
                self._keep(self.request("POST", "/api/tokens", {"refreshToken": self._refresh_token}, key)["data"])
                return
        except ScoreboardError as error:
            if error.status != http.client.UNAUTHORIZED or not self._get_credentials:
                raise
        if self._get_credentials:
            username, password = self._get_credentials()
            self._keep(self.request("POST", "/api/tokens", {"username": username, "password": password}, key)["data"])

    def _keep(self, tokens: dict[str, Any]) -> None:
        self._refresh_token, self._renewal_key = tokens["refreshToken"], ""
        self._use(tokens["accessToken"], tokens["expiresIn"])

    def _use(self, token: str, lives_seconds: float | None = None) -> None:
        """The claims are read, not verified: the server verifies, a client only wants to know who it is."""
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        lives = claims["exp"] - time.time() if lives_seconds is None else lives_seconds
        self.user_id = _canonical(str(claims.get(self._user_id_claim if self._get_access_token else "sub", "")))
        self._access_token, self._expires_at = token, time.monotonic() + lives - min(30.0, lives / 10)


class LiveBoard:
    """The board as it changes: an iterator that comes back by itself when the connection ends, with a fresh ticket each time.

    Versions only rise. While a board is looked at, those in between are skipped. Iterating raises ScoreboardError when the
    server refuses this user for good, and when the first connection does not come about: `detail` says why. Use it as a context
    manager, or `close()` it from any thread, to stop.
    """

    def __init__(self, scoreboard: Scoreboard, stop: threading.Event, alive_seconds: float, patience: Patience = PATIENT) -> None:
        self._scoreboard = scoreboard
        self._alive_seconds = alive_seconds
        self._stop = stop
        self._patience = patience
        self._gives_up_at: float | None = time.monotonic() + patience.give_up_after_seconds  # None once one stood
        self._refused_handshakes = 0
        self._connection: ClientConnection | None = None
        self._opened_at = self._ping_at = self._replace_at = 0.0
        self._ping_seconds = 0.0
        self._attempts = 0
        self._version = -1
        self.reconnects = 0

    def __enter__(self) -> LiveBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and leave the server properly."""
        self._stop.set()
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def __iter__(self) -> Iterator[Board]:
        return self

    def __next__(self) -> Board:
        """The next newer board; waits for it."""
        while not self._stop.is_set():
            if self._connection is None:
                self._connect()
            elif (board := self._listen(self._connection)) is not None:
                return board
        self.close()
        raise StopIteration

    def _connect(self) -> None:
        """Once; after a failure that may pass, wait."""
        try:
            self._take(*self._scoreboard.websocket(self._alive_seconds))
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
        self._stop.wait(wait)

    def _is_final(self, error: ScoreboardError, wait: float) -> bool:
        """Whether trying on is of no use: the user is refused, or there is something wrong on the way that does not pass."""
        if error.code == "handshake_refused" and error.status == http.client.UNAUTHORIZED:
            self._refused_handshakes += 1  # a ticket is good for 30 s, which a slow way may use up
            return self._refused_handshakes >= MAX_REFUSED_HANDSHAKES
        if error.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            return True
        if self._gives_up_at is None:
            return False
        may_pass = error.is_temporary or error.status in (http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS)
        cannot_pass = error.code in ("bad_url", "proxy_refused") or isinstance(_cause(error), ssl.SSLCertVerificationError)
        return not may_pass or cannot_pass or time.monotonic() + wait > self._gives_up_at

    def _take(self, connection: ClientConnection, ping_seconds: float, replace_seconds: float) -> None:
        now = time.monotonic()
        self._connection, self._opened_at = connection, now
        self._ping_seconds, self._ping_at, self._replace_at = ping_seconds, now + ping_seconds, now + replace_seconds
        if self._stop.is_set():
            self.close()

    def _listen(self, connection: ClientConnection) -> Board | None:
        """The newest board that is here, if one comes soon."""
        from websockets.exceptions import ConnectionClosed

        newest = None
        wait = LISTEN_SECONDS
        try:
            self._stay(connection)
            while self._connection is connection:
                board = _board(connection.recv(timeout=wait))
                if board is not None and board["version"] > self._version:
                    self._version, newest, wait = board["version"], board, 0
        except TimeoutError:
            pass
        except ConnectionClosed as closed:
            if newest is None:  # else the next call will learn of it
                self._leave(closed.rcvd.code if closed.rcvd else 0)
        return newest

    def _stay(self, connection: ClientConnection) -> None:
        """Do what the server asks of those who want to stay: ping, and open another connection before this one has to end."""
        now = time.monotonic()
        if now >= self._ping_at:
            connection.send(_PING)
            self._ping_at = now + self._ping_seconds
        if now >= self._replace_at:
            self._replace_at = now + 5 + self._scoreboard.jitter(self._attempts + 4)  # for the case that it fails
            self._scoreboard.expire()
            with suppress(ScoreboardError):
                self._take(*self._scoreboard.websocket(self._alive_seconds))
                connection.close()

    def _leave(self, code: int) -> None:
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
            self._stop.wait(self._scoreboard.jitter(self._attempts))


def _proxy_for(parts: SplitResult) -> str:
    """The URL of the proxy on the way to a server, or ""; raises ValueError for one of a kind that is not known here."""
    host = parts.hostname or ""
    proxy = getproxies().get({"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme), "")
    if not proxy or _is_this_machine(host) or proxy_bypass(host):
        return ""
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not proxy.startswith("http://") or not urlsplit(proxy).hostname:
        raise ValueError(f"{urlsplit(proxy).scheme}:// is no kind of proxy that this client can use: set NO_PROXY={host}")
    return proxy


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


def _refused_handshake(url: str, error: Exception) -> ScoreboardError:
    """Why there is no WebSocket, in the words of whoever refused it."""
    from websockets.exceptions import InvalidStatus, InvalidURI

    place = url.partition("?")[0]
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        problem = _json(bytes(error.response.body or b""))
        said = f": {problem['detail']}" if isinstance(problem, dict) and problem.get("detail") else ""
        return ScoreboardError(status, "handshake_refused", f"{place} refused the WebSocket with {status}{said}")
    if isinstance(error, InvalidURI):
        return ScoreboardError(0, "bad_url", str(error))
    is_proxys = type(error).__name__ in ("InvalidProxyStatus", "InvalidProxy")  # which came with version 15
    return ScoreboardError(0, "proxy_refused" if is_proxys else "no_websocket", f"no WebSocket to {place}: {error}")


def _cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


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


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _board(text: str | bytes) -> Board | None:
    """None for what is not a board."""
    board: Board | None = _json(text)
    is_board = isinstance(board, dict) and board.get("type") == "leaderboard" and isinstance(board.get("data"), list)
    return board if board and is_board and isinstance(board.get("version"), int) else None
