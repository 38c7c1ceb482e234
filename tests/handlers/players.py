"""Players who exist without the slow way through registration, and a consumer that carries their updates to the ledger."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from local_runtime.hosting.manifest import Function, QueueBinding
from local_runtime.hosting.queue.broker import connection_parameters
from local_runtime.hosting.queue.mapping import EventSourceMapping
from shared.accounts.player import Account, Role
from shared.boards.open_epoch import open_epoch
from shared.container import Container
from shared.ledger.catch_up import catch_up
from shared.ledger.events import Number
from shared.reconciliation.rebuild_leaderboard import pages
from shared.stores.rabbitmq import connection as rabbitmq
from tests.handlers.events import ROOT, HandlerReply, call, invoke
from tests.handlers.limits import open_limits
from tests.support.product import query
from tests.support.queues import patient_connection
from tests.support.waiting import eventually

HISTORY = "score_history_queue"


@dataclass(frozen=True, slots=True)
class Player:
    """An account with an access token."""

    user_id: str
    username: str
    api_key: str
    access_token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The header that says who this is."""
        return {"Authorization": f"Bearer {self.access_token}"}

    def score(self, increment: object = 1, **headers: str) -> HandlerReply:
        """POST the player's own score; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return call(
            "update_score",
            "POST /api/score/{user_id}",
            path_parameters={"user_id": self.user_id},
            headers={**self.authorization, **named},
            body={"increment": increment},
        )


def new_board(redeploy: Any) -> Container:
    """A container on a board of its own that agrees with the ledger."""
    made: Container = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:")
    made.leaderboard.rebuild(pages(made.reconciliations), made.hidden_players.pages_of_main())
    _begin_a_new_book(made)
    open_limits(made)
    return made


@contextmanager
def board_in_agreement(redeploy: Any) -> Iterator[Container]:
    """A board of its own that agrees with the ledger, all that was on its way to it included, and a consumer that keeps it up."""
    made: Container = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:")
    with consuming(made):
        catch_up(made.pipeline)
        made.leaderboard.rebuild(pages(made.reconciliations), made.hidden_players.pages_of_main())
        made.rate_windows.windows_restored()
        _begin_a_new_book(made)
        open_limits(made)
        yield made


def _begin_a_new_book(made: Container) -> None:
    """In a new epoch; numbers that other tests left unaccounted for are nobody's business in it."""
    open_epoch(made.leaderboard, made.ledger)
    given_up = "UPDATE number_epochs SET last_sequence = NULL, lost = 0 WHERE epoch < (SELECT max(epoch) FROM number_epochs)"
    query(made.settings.migrations_database_url, given_up)


def add_account(deployed: Container, user_id: str, role: Role = "player", api_key: str = "") -> Account:
    """Store an account, and nothing else."""
    account = Account(
        user_id=user_id,
        username=f"Player-{secrets.token_hex(6)}",
        role=role,
        hashed_password="hash",
        api_key_hash=hashlib.sha256((api_key or secrets.token_hex(16)).encode()).hexdigest(),
    )
    deployed.users.add(account)
    return account


def new_player(deployed: Container, role: Role = "player", *, disabled: bool = False) -> Player:
    """Store an account; a player stands on the board with 0."""
    api_key = secrets.token_hex(16)
    account = add_account(deployed, str(uuid4()), role, api_key)
    if disabled:
        query(deployed.settings.database_url, "UPDATE users SET disabled = true WHERE user_id = :id", id=account.user_id)
    if role == "player":
        deployed.leaderboard.enter(account.user_id)
    token, _ = deployed.access_tokens.issue(account.user_id, role, deployed.clock.now(), str(uuid4()))
    return Player(account.user_id, account.username, api_key, token)


def accepted_points(deployed: Container, user_id: str) -> int:
    """What the ledger knows of, recorded or not."""
    return deployed.reconciliations.points_at([user_id], Number(2**62, 0))[user_id]


def give(deployed: Container, points: Mapping[str, int]) -> None:
    """Points on the board that no update brought."""
    deployed.board_check.repair(points, deployed.board_check.mark(0), 0)


@contextmanager
def delivered(deployed: Container, queue: str) -> Iterator[Callable[..., list[bytes]]]:
    """The bodies that arrive in a queue from now on, taken out of it, when there are so many at least."""
    broker = deployed.settings.amqp_url, deployed.settings.amqp_ca_file
    connection = patient_connection(rabbitmq.connection_parameters(*broker))
    channel = connection.channel()
    channel.queue_purge(queue)

    def taken(at_least: int = 0) -> list[bytes]:
        found: list[bytes] = []

        def have_come() -> bool:
            while (message := channel.basic_get(queue, auto_ack=True))[0] is not None:
                found.append(message[2])
            return len(found) >= at_least

        eventually(have_come, 60, f"{at_least} messages in {queue}")
        return found

    try:
        yield taken
    finally:
        connection.close()


@contextmanager
def consuming(deployed: Container) -> Iterator[None]:
    """A consumer that hands score_history_queue to record_scores, as the runtime does."""
    environment = {"AMQP_URL": deployed.settings.amqp_url, "AMQP_CA_FILE": deployed.settings.amqp_ca_file}
    directory = ROOT / "functions" / "record_scores"
    function = Function("RecordScores", "record_scores", directory, "handler.lambda_handler", 60, 256, {})
    mapping = EventSourceMapping(
        QueueBinding(function, HISTORY, "/", batch_size=500, batching_window_seconds=0),
        lambda event: invoke("record_scores", event),
        lambda: connection_parameters(environment, "/"),
    )
    thread = threading.Thread(target=mapping.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        mapping.stop()
        thread.join(60)
        assert not thread.is_alive()
