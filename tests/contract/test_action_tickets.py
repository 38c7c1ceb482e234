"""The script of an update with an action ticket: spent once, and only by an update that counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.accounts.session import Missing
from shared.boards.acceptance_redis import SPENT_BEFORE_MS, SPENT_MARGIN_MS
from shared.boards.action_tickets import LIFETIME_SECONDS, ActionTicket
from shared.boards.board import MAIN
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.core.errors import (
    IdempotencyKeyReused,
    InvalidActionTicket,
    InvalidApiKey,
    RateLimited,
    ScoreboardError,
    TicketAlreadyUsed,
)
from shared.ledger.events import FirstResult
from tests.contract.board import API_KEY, SOURCE_IP, Board, Clock

LIFETIME_MS = LIFETIME_SECONDS * 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(redis_client: redis.Redis, clock: Clock) -> Board:
    return Board(redis_client, now=clock)


def ticket_for(player: str, clock: Clock) -> ActionTicket:
    return ActionTicket.new(player, str(uuid4()), clock.at)


def test_an_update_goes_under_the_tickets_request_id(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ticket_for(player, clock)
    assert board.update(player, 3, ticket=ticket).request_id == ticket.request_id
    [event] = board.outbox.pending(0, 10)
    assert event.request_id == ticket.request_id


def test_a_ticket_is_good_once_and_a_refusal_changes_nothing(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ticket_for(player, clock)
    board.update(player, 3, ticket=ticket)
    before = board.contents()
    with pytest.raises(TicketAlreadyUsed):
        board.update(player, 3, ticket=ticket)
    with pytest.raises(TicketAlreadyUsed):
        board.update(player, 3, ticket=ticket, key="k")
    assert board.contents() == before
    assert board.update(player, 3, ticket=ticket_for(player, clock)).score == 6


def test_of_many_who_spend_one_ticket_at_once_one_scores(redis_client: redis.Redis) -> None:
    board, clock = Board(redis_client), Clock()
    player = board.player()
    seconds, _ = board.client.time()
    clock.move(round(seconds * 1000 - clock.at.timestamp() * 1000))
    ticket = ticket_for(player, clock)

    def attempt(_: int) -> bool:
        try:
            return bool(board.update(player, ticket=ticket))
        except TicketAlreadyUsed:
            return False

    with ThreadPoolExecutor(32) as threads:
        assert sum(threads.map(attempt, range(60))) == 1
    assert board.scores() == {player: 1}


def test_a_ticket_is_good_until_its_last_millisecond(board: Board, clock: Clock) -> None:
    player = board.player()
    tickets = [ticket_for(player, clock) for _ in range(2)]
    clock.move(LIFETIME_MS - 1)
    assert board.update(player, ticket=tickets[0]).score == 1
    clock.move(1)
    before = board.contents()
    with pytest.raises(InvalidActionTicket):
        board.update(player, ticket=tickets[1])
    assert board.contents() == before


def test_that_a_ticket_is_spent_is_known_as_long_as_it_lives_even_if_the_clock_steps_back(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ticket_for(player, clock)
    board.update(player, ticket=ticket)
    for _ in range(3):
        clock.move(LIFETIME_MS // 3)
        board.update(player, ticket=ticket_for(player, clock))
        board.windows.forget(10)
        with pytest.raises(TicketAlreadyUsed):
            board.update(player, ticket=ticket)
    clock.move(SPENT_MARGIN_MS - 1)
    board.update(player, ticket=ticket_for(player, clock))
    clock.move(-SPENT_MARGIN_MS)
    with pytest.raises(TicketAlreadyUsed):
        board.update(player, ticket=ticket)


def test_only_what_is_still_of_use_is_kept_of_spent_tickets(board: Board, clock: Clock) -> None:
    player = board.player()
    for _ in range(200):
        board.update(player, ticket=ticket_for(player, clock))
        clock.move(1000)
    kept = board.client.zcard(board.shard.user(player).spent_tickets)
    assert kept == (LIFETIME_MS + SPENT_MARGIN_MS) // 1000


def test_a_retry_with_the_key_gets_the_first_result_whatever_ticket_comes_with_it(board: Board, clock: Clock) -> None:
    player = board.player()
    first_ticket, second_ticket = ticket_for(player, clock), ticket_for(player, clock)
    first = board.update(player, 3, key="k", ticket=first_ticket)
    before = board.contents()
    for ticket in (first_ticket, second_ticket, None):
        again = board.update(player, 3, key="k", ticket=ticket)
        assert again == first._replace(replayed=True)
    clock.move(LIFETIME_MS + SPENT_MARGIN_MS)
    assert board.update(player, 3, key="k", ticket=first_ticket).replayed, "even when the ticket has expired"
    assert board.scores() == {player: 3}
    clock.move(-LIFETIME_MS - SPENT_MARGIN_MS)
    assert board.update(player, 1, ticket=second_ticket).score == 4, "a replay spends no ticket"
    assert before.keys() == board.contents().keys()


def test_racing_retries_with_key_and_ticket_count_once(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ticket_for(player, clock)
    with ThreadPoolExecutor(32) as threads:
        accepted = list(threads.map(lambda _: board.update(player, 4, key="k", ticket=ticket), range(60)))
    assert sum(not update.replayed for update in accepted) == 1
    assert board.scores() == {player: 4}


def test_a_refused_update_does_not_spend_its_ticket(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=1, now=clock)
    player = board.player()
    board.update(player)
    clock.move(LIFETIME_MS - 1)
    ticket = ticket_for(player, clock)
    refusals: list[tuple[type[ScoreboardError], dict[str, Any]]] = [(RateLimited, {}), (InvalidApiKey, {"api_key": "wrong"})]
    for refusal, how in refusals:
        with pytest.raises(refusal):
            board.update(player, ticket=ticket, **how)
    clock.move(1)
    board.client.zrem(board.keys.leaderboard, MAIN.member(player))
    assert board.try_update(player, ticket=ticket) is Missing.MEMBER
    board.leaderboard.enter(player)
    assert board.update(player, ticket=ticket).score == 1


def test_what_is_wrong_with_a_ticket_is_told_between_the_key_and_the_limit(redis_client: redis.Redis, clock: Clock) -> None:
    board = Board(redis_client, limit=1, now=clock)
    player = board.player()
    spent, expired = ticket_for(player, clock), replace(ticket_for(player, clock), expires_at=clock.at)
    board.update(player, 2, key="k", ticket=spent)
    with pytest.raises(InvalidApiKey):
        board.update(player, 2, api_key="wrong", ticket=spent)
    with pytest.raises(IdempotencyKeyReused):
        board.update(player, 3, api_key=API_KEY, key="k", ticket=spent)
    with pytest.raises(TicketAlreadyUsed):
        board.update(player, 2, ticket=spent)
    with pytest.raises(InvalidActionTicket):
        board.update(player, 2, ticket=expired)
    with pytest.raises(RateLimited):
        board.update(player, 2, ticket=ticket_for(player, clock))


def test_after_a_rebuild_the_ledger_is_asked_for_tickets_that_may_have_been_spent_before(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ticket_for(player, clock)
    board.client.delete(board.keys.whole)
    board.rebuild([{player: 7}])
    clock.move(LIFETIME_MS - 1)
    assert board.try_update(player, ticket=ticket) is Missing.HISTORY
    update = ScoreUpdate(ticket.request_id, player, 1, SOURCE_IP, ticket_expires_at=ticket.expires_at)
    accepted = board.leaderboard.apply(update, not_in_ledger=True)
    assert isinstance(accepted, AcceptedUpdate)
    assert accepted.score == 8
    with pytest.raises(TicketAlreadyUsed):
        board.update(player, ticket=ticket)
    clock.move(SPENT_BEFORE_MS - LIFETIME_MS)
    assert board.try_update(player, ticket=ticket_for(player, clock)) is Missing.HISTORY, "its clock may have been ahead"
    clock.move(1)
    assert board.update(player, ticket=ticket_for(player, clock)).score == 9, "no ticket from before can be alive"


def test_a_first_result_that_only_the_ledger_knew_is_found_under_the_key(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ticket_for(player, clock)
    board.client.delete(board.keys.whole)
    board.rebuild([{player: 7}])
    update = ScoreUpdate(ticket.request_id, player, 2, SOURCE_IP, None, "k", ticket.expires_at)
    assert board.leaderboard.apply(update) is Missing.HISTORY
    board.leaderboard.remember([FirstResult("k", ticket.request_id, player, 2, 7, 1, clock.at)])
    for again in (update, update._replace(request_id=str(uuid4()))):
        replayed = board.leaderboard.apply(again)
        assert isinstance(replayed, AcceptedUpdate)
        assert (replayed.score, replayed.replayed, replayed.request_id) == (7, True, ticket.request_id)
