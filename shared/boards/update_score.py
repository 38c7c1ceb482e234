"""Raise a player's own score: one atomic script, then a confirmed publish that may fail without losing anything."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.accounts.check_access import Accounts, cache_profile, restore_sessions
from shared.accounts.player import Caller
from shared.accounts.session import Missing
from shared.boards.action_tickets import TicketSigner
from shared.boards.open_epoch import ask_for_rebuild, open_epoch
from shared.boards.ports import Leaderboard
from shared.boards.score import AcceptedUpdate, ScoreUpdate, checked_increment
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
from shared.ledger.ports import EventPublisher, Ledger
from shared.stores.idempotency import checked_key

MAX_TRIES = 5


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
    user_id: str, body: Mapping[str, Any], caller: Caller, source_ip: str, *, api_key: str | None, idempotency_key: str | None
) -> ScoreUpdate:
    """Read `{"increment": 1..5}`, other members are ignored; raises NotYourScore, InvalidIncrement or InvalidParameter."""
    caller.must_own(user_id)
    return ScoreUpdate(
        request_id=new_request_id(),
        user_id=user_id,
        increment=checked_increment(body.get("increment")),
        source_ip=source_ip,
        api_key_hash=None if api_key is None else hashlib.sha256(api_key.encode()).hexdigest(),
        key_id=_key_id(user_id, checked_key(idempotency_key)),
        session_id=caller.session_id,
    )


def spend_ticket(command: ScoreUpdate, text: str | None, tickets: TicketSigner, *, required: bool) -> ScoreUpdate:
    """The update under the request id of the ticket that was sent with it; raises TicketRequired or InvalidActionTicket."""
    if text is None:
        if required:
            raise TicketRequired
        return command
    ticket = tickets.verify(text)
    ticket.must_belong_to(command.user_id)
    return command._replace(request_id=ticket.request_id, ticket_expires_at=ticket.expires_at)


def update_score(
    command: ScoreUpdate, leaderboard: Leaderboard, accounts: Accounts, ledger: Ledger, publisher: EventPublisher
) -> Receipt:
    """Whether the caller's session goes on and the account may score is for the board's script to say: no round trip of its own.

    Raises what Leaderboard.apply and Leaderboard.ensure_kept raise, and UnknownPlayer.

    A broker that is away costs a bounded wait: the event stays in the outbox until the ledger has it; relay_outbox publishes it.
    What neither the broker nor Redis's disk has is not acknowledged; it may count nevertheless.
    """
    try:
        accepted = _apply(command, leaderboard, accounts, ledger, publisher)
    except (LeaderboardRebuilding, RateWindowLost):
        ask_for_rebuild(leaderboard, publisher)
        raise
    note(update_id=accepted.request_id)
    if accepted.replayed:
        note(replayed=True)
    if accepted.outbox_id is None:
        leaderboard.ensure_kept(command, accepted)  # the ledger has the event, or an outbox in which it was not found
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
            leaderboard.ensure_kept(command, accepted)  # then the event is safe in the outbox
    return Receipt(accepted)


def _apply(
    command: ScoreUpdate, leaderboard: Leaderboard, accounts: Accounts, ledger: Ledger, publisher: EventPublisher
) -> AcceptedUpdate:
    not_in_ledger = False
    for _ in range(MAX_TRIES):
        answer = leaderboard.apply(command, not_in_ledger=not_in_ledger)
        if isinstance(answer, AcceptedUpdate):
            return answer
        if answer is Missing.EPOCH:
            if open_epoch(leaderboard, ledger):
                ask_for_rebuild(leaderboard, publisher)
        elif answer is Missing.SESSIONS:
            restore_sessions(accounts)
        elif answer is Missing.PROFILE:
            if cache_profile(command.user_id, accounts) is None:
                raise UnknownPlayer
        elif answer is Missing.MEMBER:
            _give_place(command.user_id, leaderboard, ledger)
        else:
            _recall(command, leaderboard, ledger)
            not_in_ledger = True
    raise LeaderboardRebuilding


def _recall(command: ScoreUpdate, leaderboard: Leaderboard, ledger: Ledger) -> None:
    """Give Redis what the ledger has of the same key; raises TicketAlreadyUsed."""
    first = ledger.first_result(command.key_id) if command.key_id else None
    if first is not None:
        leaderboard.remember([first])
    elif command.ticket_expires_at is not None and ledger.has_accepted(command.request_id):
        raise TicketAlreadyUsed


def _give_place(user_id: str, leaderboard: Leaderboard, ledger: Ledger) -> None:
    """A place on the board for one who never scored."""
    if ledger.totals([user_id]).get(user_id, 0):
        # Somebody removed the member. Counting on from 0 would show a wrong score; within a minute the right one is back.
        leaderboard.suspect([user_id])
        raise LeaderboardRebuilding(retry_after_seconds=30)
    leaderboard.enter(user_id)


def _key_id(user_id: str, idempotency_key: str | None) -> str:
    """The same for the same key of the same player, "" without one; it does not tell the key."""
    if idempotency_key is None:
        return ""
    digest = hashlib.sha256(f"{user_id}\n{idempotency_key}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
