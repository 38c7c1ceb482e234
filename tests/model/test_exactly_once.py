"""A state machine over everything that may happen to an update; the promise is asserted after every step.

`SCOREBOARD_MODEL_EXAMPLES=5000` looks deeper than the run that belongs to every test run.
"""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest
import redis
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from shared.accounts.player import AccountChange, Caller
from shared.accounts.redis import Access, Profiles
from shared.boards.action_tickets import ActionTicket
from shared.boards.board import MAIN
from shared.boards.fill_boards import BoardStores
from shared.boards.open_epoch import open_epoch
from shared.boards.redis import Leaderboard, RateWindows
from shared.boards.settle_places import settle_places
from shared.boards.states_redis import BoardStates
from shared.boards.update_score import parse_update, update_score
from shared.container import Container
from shared.core.errors import LeaderboardRebuilding, RateWindowLost, TicketAlreadyUsed, UnknownPlayer
from shared.core.ids import new_request_id
from shared.ledger import redis as outbox_module
from shared.ledger.catch_up import Pipeline
from shared.ledger.events import Number, ReceivedMessage, ScoreAccepted
from shared.ledger.redis import Outbox
from shared.reconciliation.balance_books import balance_books
from shared.reconciliation.heal_leaderboard import heal_leaderboard
from shared.reconciliation.rebuild_leaderboard import pages, rebuild_leaderboard
from shared.reconciliation.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores
from shared.reconciliation.redis import BoardCheck
from shared.reconciliation.standings_redis import SeasonCheck
from shared.stores.actor import Actor
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from tests.handlers.players import add_account
from tests.model.machine import Travelling, run_machine
from tests.model.world import Broker, Fate, ImpatientOutbox, Interrupted, Killed, RedisWorld, WorldClock
from tests.support.product import connect as database_connection

EXAMPLES = int(os.environ.get("SCOREBOARD_MODEL_EXAMPLES", "60"))
PLAYERS = 3
CATCH_UP_SECONDS = 1.0
PLAYER, INCREMENT = st.integers(0, PLAYERS - 1), st.integers(1, 5)
KEY = st.sampled_from((None, "a", "b", "c"))
TICKET = st.booleans()
OTHERS = ("nothing", "update", "relay", "consume", "account")
MEANWHILE = st.lists(st.tuples(st.sampled_from(OTHERS), PLAYER, INCREMENT, KEY), max_size=12)
A_DAY = st.sampled_from((timedelta(hours=24, seconds=1), timedelta(hours=26)))
TAMPERINGS = ("raised", "lowered", "deleted", "invented", "row deleted")

# In a new installation; before an upgrade made the table of keys; so long ago that it has all keys of the day.
OPENED_BEFORE = (timedelta(), timedelta(hours=23), timedelta(hours=48))
OPENED = "UPDATE number_epochs SET opened_at = now() - make_interval(secs => :by)"
ACCEPT_ALL = "ALTER TABLE score_history DROP CONSTRAINT IF EXISTS refused_by_the_model"
DELETES = (
    "DELETE FROM score_history WHERE user_id = ANY(:ids)",
    "DELETE FROM score_totals WHERE user_id = ANY(:ids)",
    "DELETE FROM accepted_keys WHERE user_id = ANY(:ids)",
    "DELETE FROM repeated_updates WHERE user_id = ANY(:ids)",
    "DELETE FROM unrecorded_updates WHERE user_id = ANY(:ids)",
    "DELETE FROM users WHERE user_id = ANY(:ids)",
)
AGES = (
    "UPDATE accepted_keys SET accepted_at = accepted_at - make_interval(secs => :by) WHERE user_id = ANY(:ids)",
    "UPDATE score_history SET created_at = created_at - make_interval(secs => :by) WHERE user_id = ANY(:ids)",
    "UPDATE unrecorded_updates SET accepted_at = accepted_at - make_interval(secs => :by) WHERE user_id = ANY(:ids)",
    "UPDATE repeated_updates SET accepted_at = accepted_at - make_interval(secs => :by) WHERE user_id = ANY(:ids)",
)


class ExactlyOnce(Travelling):
    """`points` is what each player must have; `accepted` holds every update that the script took, by request id.

    Those who are `disabled` are hidden from the board, with their points; `untold` are those who may stand where
    they should not, and `uncached` those of whom the cached profile, which lives a minute, may say something else.

    `beyond` is what the board shows beyond that until the next reconciliation: points of updates that were discarded. While
    `is_behind`, Redis has an earlier state, and shows something else.
    """

    def __init__(self, deployed: Container, client: redis.Redis, database: pg8000.native.Connection) -> None:
        super().__init__()
        self.deployed, self.client, self.database = deployed, client, database
        self.numbers: dict[Number, str] = {}
        self.yesterdays: set[str] = set()
        self.discarded: set[str] = set()
        self.disabled: set[str] = set()
        self.untold: set[str] = set()
        self.uncached: set[str] = set()
        self.spent: list[tuple[int, ActionTicket]] = []
        self.refused_player: int | None = None
        self.is_changing = False
        self.unanswered: list[tuple[int, str]] = []
        self.poison = 0
        self.meanwhile: list[tuple[str, int, int, str | None]] = []

    @initialize(opened=st.sampled_from(OPENED_BEFORE))
    def begin(self, opened: timedelta) -> None:
        """Three players on a board of their own; the ledger knows all keys of the day, or may lack some of an older version."""
        self.shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
        self.keys = MAIN.keys(self.shard)
        self.board = Leaderboard(self.client, MAIN, self.keys, self.shard, rate_limit_requests=10**6, rate_window_seconds=60)
        self.outbox = Outbox(self.client, self.shard)
        self.redis = RedisWorld(self.client, self.shard)
        self.accounts: Any = SimpleNamespace(
            access=Access(self.client, self.shard),
            profiles=Profiles(self.client, self.shard),
            users=self.deployed.users,
            sessions=self.deployed.sessions,
        )
        self.broker = Broker(self.deployed.sealer, self.deployed.ledger, self.outbox, self.take_note, self.forget_everything)
        self.user_ids = [add_account(self.deployed, str(uuid4())).user_id for _ in range(PLAYERS)]
        self.points = dict.fromkeys(self.user_ids, 0)
        self.beyond = dict.fromkeys(self.user_ids, 0)
        impatient: Any = ImpatientOutbox(self.outbox)
        self.pipeline = Pipeline(self.deployed.ledger, impatient, self.broker, WorldClock(self.others_go_on), CATCH_UP_SECONDS)
        self.check = BoardCheck(self.client, MAIN, self.keys)
        board_check: Any = Interrupted(self.check, self.something_happens)
        users: Any = Interrupted(self.deployed.users, self.something_happens)
        reconciliations: Any = Interrupted(self.deployed.reconciliations, self.something_happens)
        self.windows = RateWindows(self.client, self.keys, self.shard, rate_window_seconds=60)
        hidden: Any = Interrupted(self.deployed.hidden_players, self.something_happens)
        states = BoardStates(self.client, self.keys, self.shard)
        boards = BoardStores(states, self.deployed.boards, self.deployed.board_seasons, hidden)
        seasons = SeasonCheck(self.client, self.keys, self.shard)
        self.stores = Reconciliation(
            self.board,
            board_check,
            reconciliations,
            self.windows,
            self.pipeline,
            users,
            boards,
            seasons,
            self.deployed.season_books,
            self.deployed.moderated_scores,
        )
        self.board.rebuild(pages(self.deployed.reconciliations), self.deployed.hidden_players.pages_of_main())
        open_epoch(self.board, self.deployed.ledger)
        self.database.run(OPENED, by=opened.total_seconds())

    # What is known of the truth

    def take_note(self, event: ScoreAccepted) -> None:
        """An event was handed to the broker: the first time it is one more that counts."""
        assert event.number is not None
        assert self.numbers.setdefault(event.number, event.request_id) == event.request_id, "a number was given twice"
        if event.request_id not in self.accepted:
            assert self.first_of(event.key_id) is None, "a key counts twice within its day"
            self.accepted[event.request_id] = event
            self.points[event.user_id] += event.increment

    def first_of(self, key_id: str) -> ScoreAccepted | None:
        """What was accepted under a key within the day."""
        today = (event for event in self.accepted.values() if event.request_id not in self.yesterdays)
        return next((event for event in today if key_id and event.key_id == key_id), None)

    def forget_everything(self) -> None:
        super().forget_everything()
        self.beyond = dict.fromkeys(self.user_ids, 0)

    def recorded(self) -> set[str]:
        """Request ids of ours in the ledger."""
        rows = self.database.run("SELECT request_id FROM score_history WHERE user_id = ANY(:ids)", ids=self.user_ids) or ()
        return {row[0] for row in rows}

    def noted(self, state: str = "%") -> list[str]:
        """Request ids of ours that the ledger refused and does not have now, in the order of their numbers."""
        rows = self.database.run(
            "SELECT request_id FROM unrecorded_updates AS noted WHERE user_id = ANY(:ids) AND state LIKE :state"
            " AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = noted.request_id)"
            " ORDER BY epoch, sequence",
            ids=self.user_ids,
            state=state,
        )
        return [row[0] for row in rows or ()]

    def only_in_redis(self) -> set[str]:
        return super().only_in_redis() - set(self.noted())

    def are_lost(self, request_ids: set[str]) -> None:
        for request_id in request_ids:
            event = self.accepted[request_id]
            self.points[event.user_id] -= event.increment
        super().are_lost(request_ids)

    # What happens

    @rule(player=PLAYER, increment=INCREMENT, key=KEY, fate=st.sampled_from(Fate), ticket=TICKET)
    def update(self, player: int, increment: int, key: str | None, fate: Fate, ticket: bool) -> None:
        if fate is Fate.REDIS_EMPTIED:
            assume(not self.only_in_redis())
        self.play(player, increment, key, fate, self.new_ticket(player) if ticket else None)

    def new_ticket(self, player: int) -> ActionTicket:
        now = self.pipeline.clock.now()
        return replace(ActionTicket.new(self.user_ids[player], new_request_id(), now), expires_at=now + timedelta(minutes=10))

    @precondition(lambda self: self.spent)
    @rule(which=st.integers(0, 5), key=KEY)
    def spend_a_ticket_again(self, which: int, key: str | None) -> None:
        """It is refused, unless the key has a result, or nothing is left of the update that it was spent for."""
        player, ticket = self.spent[which % len(self.spent)]
        self.play(player, 1, key, Fate.GOOD, ticket)

    @precondition(lambda self: self.unanswered)
    @rule(fate=st.sampled_from((Fate.GOOD, Fate.BROKER_AWAY, Fate.KILLED_BEFORE_ANSWERING)), ticket=TICKET)
    def retry(self, fate: Fate, ticket: bool) -> None:
        """Whoever got no answer asks again, with the same key, and with another ticket where one is needed."""
        player, key = self.unanswered.pop()
        self.play(player, 1, key, fate, self.new_ticket(player) if ticket else None)

    def play(self, player: int, increment: int, key: str | None, fate: Fate, ticket: ActionTicket | None = None) -> None:
        """One request; with a key the increment is the key's, so that a retry is a retry."""
        user_id = self.user_ids[player]
        increment = increment if key is None else "abc".index(key) + 1
        caller = Caller(user_id, "player", self.pipeline.clock.now(), "of-the-model")
        command = parse_update(user_id, {"increment": increment}, caller, "198.51.100.7", MAIN, api_key=None, idempotency_key=key)
        first = self.first_of(command.key_id)
        is_spent = ticket is not None and ticket.request_id in self.accepted
        if ticket is not None:
            command = command._replace(request_id=ticket.request_id, ticket_expires_at=ticket.expires_at)
            self.spent += [] if (player, ticket) in self.spent else [(player, ticket)]
        shown = self.points[user_id] + self.beyond[user_id] + increment
        self.broker.fate = fate
        try:
            receipt = update_score(
                command, self.board, self.deployed.hidden_players, self.accounts, self.deployed.ledger, self.broker
            )
        except Killed:
            self.unanswered += [(player, key)] if key else []
            return
        except LeaderboardRebuilding:
            assert not self.board.is_whole()
            return
        except UnknownPlayer:
            assert user_id in self.disabled | self.uncached
            return
        except RateWindowLost:
            assert self.is_behind
            return
        except TicketAlreadyUsed:
            assert is_spent
            assert first is None
            return
        finally:
            self.broker.fate = Fate.GOOD
        assert user_id not in self.disabled - self.uncached
        request_id = receipt.update.request_id
        self.acknowledged.add(request_id)
        assert receipt.update.replayed is (first is not None)
        assert first is not None or not is_spent, "a ticket was spent twice"
        if first is not None or not (self.is_behind or self.is_changing):
            assert receipt.update.score == (first.new_score if first else shown)
        assert request_id == (first.request_id if first else command.request_id)
        assert request_id in self.accepted
        # Who is answered first while the broker keeps messages does not depend on Redis any more.
        kept = fate not in (Fate.BROKER_AWAY, Fate.BROKER_LOSES_IT)
        assert first is not None or not kept or request_id not in self.only_in_redis()

    def something_happens(self) -> None:
        """Between two steps of somebody else's."""
        if not self.meanwhile:
            return
        what, player, increment, key = self.meanwhile.pop()
        if what == "update":
            self.play(player, increment, key, Fate.GOOD)
        elif what == "relay":
            self.relay(Fate.GOOD)
        elif what == "consume" and self.broker.has_consumer:
            self.broker.consume(2)
        elif what == "account":
            self.an_admin_changes_an_account(player, self.user_ids[player] not in self.disabled, "everybody")

    @rule(player=PLAYER, disabled=st.booleans(), told=st.sampled_from(("nobody", "the cache", "everybody")))
    def an_admin_changes_an_account(self, player: int, disabled: bool, told: str) -> None:
        """Whoever does it may die between the stores."""
        user_id = self.user_ids[player]
        self.deployed.account_changes.change(user_id, AccountChange(disabled=disabled), Actor("an admin"))
        self.disabled = self.disabled | {user_id} if disabled else self.disabled - {user_id}
        self.untold.add(user_id)
        self.uncached.add(user_id)
        if told == "nobody":
            return
        self.accounts.profiles.replace(self.deployed.users.profiles([user_id])[user_id])
        self.uncached.discard(user_id)
        if told == "everybody":
            settle_places([user_id], self.board, self.deployed.hidden_players)
            self.untold.discard(user_id)

    @rule(body=st.sampled_from((b"", b"nonsense", b'{"request_id": "x"}', b"[" * 2000, b"\xff")))
    def poison_the_queue(self, body: bytes) -> None:
        self.broker.queue.insert(0, ReceivedMessage(body))
        self.poison += 1

    @rule(meanwhile=MEANWHILE)
    def heal(self, meanwhile: list[tuple[str, int, int, str | None]]) -> None:
        """What the ledger knows is back, each update once."""
        self.meanwhile, self.is_changing = meanwhile, True
        outcome = heal_leaderboard(self.stores)
        self.meanwhile, self.is_changing = [], False
        self.untold = set()
        assert outcome["rebuilt"] or outcome["reconciled"] or not self.is_behind
        if outcome["reconciled"] and not outcome["rebuilt"]:
            self.nothing_is_beyond()

    def nothing_is_beyond(self) -> None:
        """The board was compared with the ledger, and repaired."""
        self.is_behind = False
        self.beyond = dict.fromkeys(self.user_ids, 0)

    @precondition(lambda self: not self.is_behind)
    @rule(by=A_DAY, forget=st.booleans())
    def a_day_passes(self, by: timedelta, forget: bool) -> None:
        """All that is dated is older then: a key may be used for something else, tickets have expired.

        Among the dead letters there may be updates of yesterday, elsewhere there are none.
        """
        self.others_go_on()
        if self.in_outbox():
            return
        self.yesterdays = set(self.accepted)
        self.spent, self.earlier = [], None
        self.redis.grow_older(self.user_ids, by)
        self.broker.grow_older(by)
        self.database.run(ACCEPT_ALL)  # the constraint looks at changed rows, too
        for age in AGES:
            self.database.run(age, by=by.total_seconds(), ids=self.user_ids)
        self.tell_the_ledger()
        if forget:
            while self.windows.forget_results(2):
                pass
            self.windows.forget(100)
            self.deployed.ledger.forget_keys(100)
            assert not self.client.xlen(self.shard.results)

    # What the ledger refuses

    @rule(player=st.none() | PLAYER)
    def the_ledger_refuses(self, player: int | None) -> None:
        """Each update of theirs, for its own sake; or nothing any more."""
        self.refused_player = player
        self.tell_the_ledger()

    def tell_the_ledger(self) -> None:
        self.database.run(ACCEPT_ALL)
        if self.refused_player is not None:
            user_id = self.user_ids[self.refused_player]
            self.database.run(
                f"ALTER TABLE score_history ADD CONSTRAINT refused_by_the_model CHECK (user_id <> '{user_id}') NOT VALID"
            )

    @rule(player=PLAYER, increment=INCREMENT, key=KEY, is_mended=st.booleans())
    def an_update_becomes_a_dead_letter(self, player: int, increment: int, key: str | None, is_mended: bool) -> None:
        """Refused until all tries are over; then the cause may be gone."""
        self.the_ledger_refuses(player)
        self.play(player, increment, key, Fate.GOOD)
        while self.broker.queue:
            self.broker.consume(len(self.broker.queue))
        if is_mended:
            self.the_ledger_refuses(None)

    @precondition(lambda self: self.broker.parked)
    @rule()
    def redrive(self) -> None:
        """Noted in PostgreSQL first."""
        self.database.run(
            "UPDATE unrecorded_updates SET state = 'redriven' WHERE request_id = ANY(:ids) AND state = 'parked'",
            ids=[message.request_id for message in self.broker.parked if message.request_id],
        )
        self.broker.redrive()

    @precondition(lambda self: self.broker.parked and not self.is_behind)
    @rule(which=st.integers(0, 5))
    def discard(self, which: int) -> None:
        """It counts no longer: the next reconciliation takes exactly its points from the board."""
        if not (parked := self.noted("parked")):
            return
        request_id = parked[which % len(parked)]
        self.database.run("UPDATE unrecorded_updates SET state = 'discarded' WHERE request_id = :id", id=request_id)
        self.broker.discard(request_id)
        self.discarded.add(request_id)
        event = self.accepted[request_id]
        self.points[event.user_id] -= event.increment
        if self.board.is_whole():
            self.beyond[event.user_id] += event.increment

    @rule(meanwhile=MEANWHILE)
    def rebuild(self, meanwhile: list[tuple[str, int, int, str | None]]) -> None:
        self.meanwhile = meanwhile
        rebuild_leaderboard(self.board, self.stores.reconciliations, self.windows, self.pipeline, self.stores.boards.hidden)
        self.meanwhile = []
        assert self.board.is_whole()

    @precondition(lambda self: self.board.is_whole() and not self.is_behind)
    @rule(meanwhile=MEANWHILE, dry_run=st.booleans(), full=st.booleans())
    def reconcile(self, meanwhile: list[tuple[str, int, int, str | None]], dry_run: bool, full: bool) -> None:
        """Finds what was discarded and nothing else, whatever is under way."""
        self.meanwhile, self.is_changing = meanwhile, any(self.beyond.values())
        summary = reconcile_scores(self.stores, ReconciliationOptions(dry_run, full))
        self.meanwhile, self.is_changing = [], False
        found = summary["discrepancies"]
        differences = {entry["userId"]: -entry["difference"] for entry in found if entry["difference"]}
        assert differences == {user_id: points for user_id, points in self.beyond.items() if points}
        assert all(entry["misplaced"] for entry in found if not entry["difference"])
        if not dry_run:
            self.untold = set()
            self.nothing_is_beyond()

    @precondition(lambda self: self.board.is_whole() and not self.is_behind and not any(self.beyond.values()))
    @rule()
    def reconcile_without_a_consumer(self) -> None:
        """Takes nothing from anybody when the ledger cannot catch up."""
        self.broker.has_consumer = False
        summary = reconcile_scores(self.stores, ReconciliationOptions(full=True))
        assert summary["repaired"] == sum(entry["difference"] == 0 for entry in summary["discrepancies"])
        self.broker.has_consumer = True

    @precondition(lambda self: self.board.is_whole() and not self.is_behind and not any(self.beyond.values()))
    @rule(player=PLAYER, how=st.sampled_from(TAMPERINGS), meanwhile=MEANWHILE)
    def tamper_and_reconcile(self, player: int, how: str, meanwhile: list[tuple[str, int, int, str | None]]) -> None:
        """Found, told and repaired to the point, while others go on."""
        assume(how != "row deleted" or player != self.refused_player)
        user_id = self.user_ids[player]
        found = self.tamper(user_id, how)
        is_known = user_id not in self.disabled | self.untold | self.uncached
        if how == "deleted" and is_known and self.deployed.ledger.totals([user_id]).get(user_id):
            self.nothing_is_built_on(user_id)
        told = {
            entry["userId"]
            for entry in reconcile_scores(self.stores, ReconciliationOptions(dry_run=True, full=True))["discrepancies"]
        }
        assert found <= told
        self.meanwhile = [entry for entry in meanwhile if entry[1] != player]
        reconcile_scores(self.stores, ReconciliationOptions(full=True))
        self.meanwhile = []

    def nothing_is_built_on(self, user_id: str) -> None:
        """One who has points in the ledger and no place on the board is refused, not begun with anew."""
        caller = Caller(user_id, "player", self.pipeline.clock.now(), "of-the-model")
        command = parse_update(user_id, {"increment": 1}, caller, "198.51.100.7", MAIN, api_key=None, idempotency_key=None)
        with pytest.raises(LeaderboardRebuilding):
            update_score(command, self.board, self.deployed.hidden_players, self.accounts, self.deployed.ledger, self.broker)

    def tamper(self, user_id: str, how: str) -> set[str]:
        """Do it; answer who must be told of."""
        member = MAIN.member(user_id)
        is_hidden = self.client.zscore(self.keys.hidden, member) is not None
        key = self.keys.hidden if is_hidden else self.keys.leaderboard
        if how == "row deleted":
            recorded = self.recorded()
            ours = [rid for rid, event in self.accepted.items() if rid in recorded and event.user_id == user_id]
            assume(ours)
            self.database.run("DELETE FROM score_history WHERE request_id = :rid", rid=ours[0])
            self.broker.queue = [m for m in self.broker.queue if ours[0] not in m.body.decode(errors="replace")]
        elif how == "deleted":
            self.client.zrem(key, member)
        elif how == "invented":
            self.client.zadd(self.keys.leaderboard, {"user:nobody": 10})
            return {"nobody"}
        else:
            self.client.zincrby(key, 7 if how == "raised" else -7, member)
        return {user_id}

    # What must be true all the time

    @invariant()
    def the_board_says_what_was_accepted(self) -> None:
        if hasattr(self, "board") and self.board.is_whole() and not self.is_behind:
            shown = {user_id: self.points[user_id] + self.beyond[user_id] for user_id in self.user_ids}
            board = self.check.read(self.user_ids)
            assert {user_id: board.score(user_id) for user_id in self.user_ids} == shown
            told = [user_id for user_id in self.user_ids if user_id not in self.untold]
            assert not [user_id for user_id in told if board.is_misplaced(user_id, is_hidden=user_id in self.disabled)]

    @invariant()
    def nothing_accepted_is_lost(self) -> None:
        if hasattr(self, "board"):
            assert set(self.accepted) <= self.in_outbox() | self.broker.waiting() | self.recorded() | set(self.noted())
            assert self.acknowledged <= set(self.accepted)

    @invariant()
    def nothing_is_counted_twice_in_the_ledger(self) -> None:
        if hasattr(self, "board"):
            totals = self.deployed.ledger.totals(self.user_ids)
            recorded = self.recorded()
            assert not recorded & self.discarded
            for user_id in self.user_ids:
                ours = [event.increment for rid, event in self.accepted.items() if rid in recorded and event.user_id == user_id]
                assert totals.get(user_id, 0) == sum(ours)

    def teardown(self) -> None:
        """When the dust settles, all three are the same."""
        try:
            self.database.run(ACCEPT_ALL)
            if hasattr(self, "board"):
                self.settle()
        finally:
            self.database.run(ACCEPT_ALL)
            self.database.run(OPENED, by=0.0)
        if hasattr(self, "board"):
            self.leave_no_trace()

    def settle(self) -> None:
        """All that is under way arrives, and everything that was accepted is accounted for by its number."""
        self.relay(Fate.GOOD)
        while self.broker.queue:
            self.broker.consume(len(self.broker.queue))
        self.redrive()
        self.broker.consume(len(self.broker.queue))
        assert not self.broker.queue
        heal_leaderboard(self.stores)
        reconcile_scores(self.stores, ReconciliationOptions(full=True))
        assert reconcile_scores(self.stores, ReconciliationOptions(dry_run=True, full=True))["discrepancies"] == []
        assert self.board.scores(self.user_ids) == {u: points for u, points in self.points.items() if u not in self.disabled}
        assert self.check.read(self.user_ids).hidden == {user_id: self.points[user_id] for user_id in self.disabled}
        totals = self.deployed.ledger.totals(self.user_ids)
        assert {user_id: totals.get(user_id, 0) for user_id in self.user_ids} == self.points
        assert self.recorded() == set(self.accepted) - self.discarded
        assert self.noted() == self.noted("discarded")
        assert self.in_outbox() == set()
        assert len(self.broker.parked) >= self.poison
        newest = self.board.newest_epoch().newest
        assert newest is not None
        assert self.deployed.ledger.missing(newest, on_board=True) == []
        balance = balance_books(self.board, self.deployed.ledger, self.outbox)
        assert balance is not None
        assert balance.in_flight == []

    def leave_no_trace(self) -> None:
        """A reconciliation takes other steps where there are more players: the same choices must always do the same."""
        self.forget_everything()
        for delete in DELETES:
            self.database.run(delete, ids=self.user_ids)


@pytest.mark.timeout(1800)
def test_each_accepted_update_counts_exactly_once(
    deployed: Container, redis_url: str, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "NOTE_EVERY_SECONDS", 0.0)  # the same choices must always do the same
    with connect(redis_url) as client, closing(database_connection(own_database_url)) as database:
        run_machine(lambda: ExactlyOnce(deployed, client, database), EXAMPLES)
