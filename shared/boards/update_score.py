"""Raise a player's own score: one atomic script, then a confirmed publish that may fail without losing anything."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from shared.accounts.check_access import Accounts, cache_profile, knows_less, restore_sessions
from shared.accounts.player import Caller
from shared.accounts.session import Missing
from shared.boards.board import Board
from shared.boards.entry import ScoreEntry
from shared.boards.open_epoch import ask_for_rebuild, open_epoch
from shared.boards.score import AcceptedUpdate, ScoreUpdate, checked_increment
from shared.boards.settle_places import settle_places
from shared.core.errors import (
    LeaderboardRebuilding,
    RabbitUnavailable,
    RateWindowLost,
    TicketAlreadyUsed,
    TicketRequired,
    UnknownPlayer,
)
from shared.core.ids import new_request_id
from shared.core.invocation import note
from shared.ledger.events import ScoreAccepted
from shared.ledger.ports import EventPublisher
from shared.stores.idempotency import checked_key

if TYPE_CHECKING:
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.hmac_tickets import TicketSigner
    from shared.boards.redis import Leaderboard
    from shared.ledger.postgresql import Ledger


MAX_TRIES = 5
C = TypeVar("C", ScoreUpdate, ScoreEntry)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the player gets for an accepted update."""

    update: AcceptedUpdate

    def as_json(self) -> dict[str, Any]:
        """The receipt in the words of the API."""
        update = self.update
        return {
            "userId": update.user_id,
            "score": update.score,
            "rank": update.rank,
            "increment": update.increment,
            "requestId": update.request_id,
        }

    def headers(self) -> dict[str, str]:
        """The state of the rate window, and whether this is an earlier result."""
        replayed = {"Idempotency-Replayed": "true"} if self.update.replayed else {}
        return {**self.update.rate_window.headers(), **replayed}


def parse_update(
    user_id: str,
    body: Mapping[str, Any],
    caller: Caller,
    source_ip: str,
    board: Board,
    *,
    api_key: str | None,
    idempotency_key: str | None,
) -> ScoreUpdate:
    """Read `{"increment": …}`, other members are ignored; raises NotYourScore, InvalidIncrement or InvalidParameter."""
    caller.must_own(user_id)
    return ScoreUpdate(
        request_id=new_request_id(),
        user_id=user_id,
        increment=checked_increment(body.get("increment"), board.increments),
        source_ip=source_ip,
        api_key_hash=None if api_key is None else hashlib.sha256(api_key.encode()).hexdigest(),
        key_id=key_id_of(user_id, checked_key(idempotency_key)),
        session_id=caller.session_id,
    )


def spend_ticket(command: C, text: str | None, tickets: TicketSigner, *, required: bool) -> C:
    """The update under the request id of the ticket that was sent with it; raises TicketRequired or InvalidActionTicket."""
    if text is None:
        if required:
            raise TicketRequired
        return command
    ticket = tickets.verify(text)
    ticket.must_belong_to(command.user_id)
    return command._replace(request_id=ticket.request_id, ticket_expires_at=ticket.expires_at)


def update_score(
    command: ScoreUpdate,
    leaderboard: Leaderboard,
    hidden: HiddenPlayers,
    accounts: Accounts,
    ledger: Ledger,
    publisher: EventPublisher,
) -> Receipt:
    """Whether the caller's session goes on and the account may score is for the board's script to say: no round trip of its own.

    Raises what Leaderboard.apply, ensure_kept and ensure_replicated raise, and UnknownPlayer.

    A broker that is away costs a bounded wait: the event stays in the outbox until the ledger has it; relay_outbox publishes it.
    What neither the broker nor Redis's disk has, or too few replicas, is not acknowledged; it may count nevertheless.
    """
    try:
        accepted = _apply(command, leaderboard, hidden, accounts, ledger, publisher)
    except (LeaderboardRebuilding, RateWindowLost):
        ask_for_rebuild(leaderboard, publisher)
        raise
    note(update_id=accepted.request_id)
    if accepted.replayed:
        note(replayed=True)
    if accepted.outbox_id is None:
        leaderboard.ensure_kept([(command, accepted)])  # the ledger has the event, or an outbox in which it was not found
    else:
        event = ScoreAccepted(
            accepted.request_id,
            accepted.user_id,
            accepted.increment,
            accepted.score,
            accepted.accepted_at,
            command.source_ip,
            accepted.number,
            accepted.outbox_id,
            command.key_id,
            accepted.rank,
        )
        try:
            publisher.publish_accepted([event])
        except RabbitUnavailable:
            note(published=False)
            leaderboard.ensure_kept([(command, accepted)])  # then the event is safe in the outbox
    leaderboard.ensure_replicated([(command, accepted)])
    return Receipt(accepted)


def _apply(
    command: ScoreUpdate,
    leaderboard: Leaderboard,
    hidden: HiddenPlayers,
    accounts: Accounts,
    ledger: Ledger,
    publisher: EventPublisher,
) -> AcceptedUpdate:
    not_in_ledger = was_absent = False
    for _ in range(MAX_TRIES):
        answer = leaderboard.apply(command, not_in_ledger=not_in_ledger)
        if isinstance(answer, AcceptedUpdate):
            return answer
        if answer is Missing.MEMBER:
            _give_place(command.user_id, leaderboard, hidden, accounts, ledger, again=was_absent)
            was_absent = True
        else:
            not_in_ledger = give_missing(answer, command, leaderboard, accounts, ledger, publisher) or not_in_ledger
    raise LeaderboardRebuilding


def give_missing(
    missing: Missing,
    command: ScoreUpdate | ScoreEntry,
    leaderboard: Leaderboard,
    accounts: Accounts,
    ledger: Ledger,
    publisher: EventPublisher,
) -> bool:
    """Give a script what it asks for, except for a member; returns whether the ledger was asked for key and request id.

    Raises UnknownPlayer or TicketAlreadyUsed.
    """
    if missing is Missing.EPOCH:
        if open_epoch(leaderboard, ledger):
            ask_for_rebuild(leaderboard, publisher)
    elif missing is Missing.SESSIONS:
        restore_sessions(accounts)
    elif missing is Missing.PROFILE:
        if cache_profile(command.user_id, accounts) is None:
            raise UnknownPlayer
    else:
        _recall(command, leaderboard, ledger)
        return True
    return False


def _recall(command: ScoreUpdate | ScoreEntry, leaderboard: Leaderboard, ledger: Ledger) -> None:
    """Give Redis what the ledger has of the same key; raises TicketAlreadyUsed."""
    first = ledger.first_result(command.key_id) if command.key_id else None
    if first is not None:
        leaderboard.remember([first])
    elif command.ticket_expires_at is not None and ledger.has_accepted(command.request_id):
        raise TicketAlreadyUsed


def _give_place(
    user_id: str, leaderboard: Leaderboard, hidden: HiddenPlayers, accounts: Accounts, ledger: Ledger, *, again: bool
) -> None:
    """A place on the board, or hidden beside it, for one who never scored, or who was hidden until a moment ago."""
    if settle_places([user_id], leaderboard, hidden, enters=False) or knows_less(user_id, accounts):
        return
    if ledger.totals([user_id]).get(user_id, 0):
        if not again:
            return  # a moderator may have moved them between the question and now
        # Somebody removed the member. Counting on from 0 would show a wrong score; within a minute the right one is back.
        leaderboard.suspect([user_id])
        raise LeaderboardRebuilding(retry_after_seconds=30)
    if hidden.on_main([user_id]):
        leaderboard.hide([user_id])
    else:
        leaderboard.enter(user_id)


def key_id_of(whose: str, idempotency_key: str | None) -> str:
    """The same for the same key of the same player (and board), "" without one; it does not tell the key."""
    if idempotency_key is None:
        return ""
    digest = hashlib.sha256(f"{whose}\n{idempotency_key}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
