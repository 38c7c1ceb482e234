"""The client for threads."""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from scoreboard_client.asynchronous import AsyncLiveBoard, AsyncScoreboard
from scoreboard_client.patience import PATIENT, Patience
from scoreboard_client.transports import ThreadTransport, run
from scoreboard_client.values import Account, Board, BoardPage, EntryReceipt, HistoryEntry, OwnAccount, Receipt, Standing


class Scoreboard:
    """One account on one scoreboard, which threads may share: an AsyncScoreboard whose methods wait until it is done.

    Raises ValueError for a URL, or a proxy, that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        get_access_token: Callable[[], str] | None = None,
        user_id_claim: str = "sub",
        get_credentials: Callable[[], tuple[str, str]] | None = None,
        get_ticket: Callable[[], dict[str, Any]] | None = None,
        tls: ssl.SSLContext | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._tasks = AsyncScoreboard(
            base_url,
            get_access_token=get_access_token,
            user_id_claim=user_id_claim,
            get_credentials=get_credentials,
            get_ticket=get_ticket,
            tls=tls,
            rng=rng,
            transport=ThreadTransport,
        )

    def __enter__(self) -> Scoreboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def user_id(self) -> str:
        """Whose account it is; empty before a log-in."""
        return self._tasks.user_id

    @property
    def refresh_token(self) -> str:
        """What `resume` takes; another one after every renewal."""
        return self._tasks.refresh_token

    def register(self, username: str, password: str, patience: Patience = PATIENT) -> Account:
        """Create a player."""
        return run(self._tasks.register(username, password, patience))

    def log_in(self, username: str, password: str, patience: Patience = PATIENT) -> None:
        """Begin a session."""
        run(self._tasks.log_in(username, password, patience))

    def resume(self, refresh_token: str, patience: Patience = PATIENT) -> None:
        """Go on with the session of a saved `refresh_token`, which is good once: save the new one."""
        run(self._tasks.resume(refresh_token, patience))

    def log_out(self) -> None:
        """End the session, here and on the server."""
        run(self._tasks.log_out())

    def close(self) -> None:
        """Give up the connections that are kept for the next request, which would make a new one."""
        run(self._tasks.close())

    def expire(self) -> None:
        """Renew the access token before the next request."""
        self._tasks.expire()

    def me(self, patience: Patience = PATIENT) -> OwnAccount:
        """The account: the username, and the display name that boards show."""
        return run(self._tasks.me(patience))

    def rename(self, display_name: str | None, patience: Patience = PATIENT) -> OwnAccount:
        """Choose the display name, 1 to 50 characters of any script; None is the username."""
        return run(self._tasks.rename(display_name, patience))

    def add_points(self, increment: int, *, idempotency_key: str | None = None, patience: Patience = PATIENT) -> Receipt:
        """Raise the score by 1 to 5; it counts once. Raises ScoreboardError, with its `idempotency_key`."""
        return run(self._tasks.add_points(increment, idempotency_key=idempotency_key, patience=patience))

    def add_entry(
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
        return run(
            self._tasks.add_entry(
                board, value, second=second, metadata=metadata, idempotency_key=idempotency_key, patience=patience
            )
        )

    def board_page(
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
        return run(
            self._tasks.board_page(
                board,
                period=period,
                season=season,
                limit=limit,
                cursor=cursor,
                around=around,
                rank=rank,
                metadata=metadata,
                patience=patience,
            )
        )

    def top(self, limit: int = 10, patience: Patience = PATIENT) -> Board:
        """The best players; without a session where the board is public."""
        return run(self._tasks.top(limit, patience))

    def standing(self, user_id: str = "", neighbours: int = 2, patience: Patience = PATIENT) -> Standing:
        """A player's score and rank, with those around; one's own where no `user_id` is said."""
        return run(self._tasks.standing(user_id, neighbours, patience))

    def history(self, user_id: str = "", page_size: int = 50, patience: Patience = PATIENT) -> Iterator[HistoryEntry]:
        """The updates, newest first, as many pages as are asked for."""
        entries = self._tasks.history(user_id, page_size, patience)
        while True:
            try:
                entry = run(anext(entries))
            except StopAsyncIteration:
                return
            yield entry

    def watch(
        self,
        board: str = "",
        *,
        period: str = "",
        top: int = 10,
        stop: threading.Event | None = None,
        alive_seconds: float = 20.0,
        patience: Patience = PATIENT,
    ) -> LiveBoard:
        """The board live: an iterator of boards that goes on until `stop` is set or it is closed; see AsyncScoreboard."""
        watched = self._tasks.watch(board, period=period, top=top, stop=stop, alive_seconds=alive_seconds, patience=patience)
        return LiveBoard(watched)

    def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Make a request in the user's name, once, renewing the access token where needed; raises ScoreboardError."""
        return run(self._tasks.call(method, path, body, headers))

    def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Send one request, once, and give back the JSON document of a successful answer; raises ScoreboardError."""
        return run(self._tasks.request(method, path, body, headers))


class LiveBoard:
    """The board as it changes: an AsyncLiveBoard for a thread. `close()` it from any other."""

    def __init__(self, tasks: AsyncLiveBoard) -> None:
        self._tasks = tasks

    def __enter__(self) -> LiveBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at the moment."""
        return self._tasks.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection was lost."""
        return self._tasks.reconnects

    def close(self) -> None:
        """Stop, and leave the server properly."""
        run(self._tasks.close())

    def __iter__(self) -> Iterator[Board]:
        return self

    def __next__(self) -> Board:
        """The next newer board; waits for it. Raises ScoreboardError when there will be none."""
        try:
            return run(anext(self._tasks))
        except StopAsyncIteration:
            raise StopIteration from None
