"""A state machine over boards that operators defined: entries of every operator while seasons turn, players are hidden and shown,
scores are corrected, and everything dies.

After every step each season says what the accepted entries come to; in the end so do ledger and final ranks. Boundaries are
those of a moved clock. `SCOREBOARD_MODEL_EXAMPLES=5000` looks deeper than the run that belongs to every test run.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from uuid import uuid4

import pg8000.native
import pytest
import redis
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from shared.accounts.player import Caller
from shared.accounts.redis import Access, Profiles
from shared.accounts.take_effect import spread_profiles
from shared.boards.add_entry import add_entry
from shared.boards.board import MAIN
from shared.boards.board_rows import Row
from shared.boards.board_shards import BoardShards
from shared.boards.definition import BoardDefinition
from shared.boards.entries_redis import Entries
from shared.boards.entry import EntryPlace, parse_places
from shared.boards.fill_boards import BoardStores, fill_boards
from shared.boards.known_boards import KnownBoards
from shared.boards.member import parse_member
from shared.boards.moderation import Moderate
from shared.boards.open_epoch import open_epoch
from shared.boards.parse_entries import parse_entry
from shared.boards.redis import Leaderboard, RateWindows
from shared.boards.reset_board import reset_board
from shared.boards.settle_places import settle_board_places
from shared.boards.states_redis import BoardStates
from shared.boards.turn_seasons import turn_seasons
from shared.container import Container
from shared.core.errors import LeaderboardRebuilding, LedgerBehind, NoOpenSeason, RateWindowLost, UnknownEntry, WithoutEffect
from shared.ledger import redis as outbox_module
from shared.ledger.catch_up import Pipeline
from shared.ledger.events import EVERY_BOARD, Number, ScoreAccepted
from shared.ledger.redis import Outbox
from shared.reconciliation.balance_books import balance_books
from shared.reconciliation.heal_leaderboard import heal_leaderboard
from shared.reconciliation.moderate_scores import ScoreModeration
from shared.reconciliation.rebuild_leaderboard import pages
from shared.reconciliation.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores
from shared.reconciliation.redis import BoardCheck
from shared.reconciliation.score_decision import ModerateScore
from shared.reconciliation.standings_redis import SeasonCheck
from shared.stores.actor import Actor
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from tests.contract.read_boards import Entrant, Oracle
from tests.handlers.players import add_account
from tests.model.machine import Travelling, run_machine
from tests.model.world import Broker, Fate, ImpatientOutbox, Interrupted, Killed, RedisWorld, WorldClock
from tests.support.product import connect as database_connection

EXAMPLES = int(os.environ.get("SCOREBOARD_MODEL_EXAMPLES", "40"))
PLAYERS = 3
CATCH_UP_SECONDS = 1.0
ACTOR = Actor("an admin")
EACH_MINUTE, ALL_TIME, CUP = {"name": "minute", "cron": "* * * * *"}, {"name": "all_time"}, {"name": "cup"}
BOARDS: dict[str, dict[str, Any]] = {
    "points": {"minValue": -9, "periods": [ALL_TIME, EACH_MINUTE]},
    "race": {"operator": "best", "order": "ascending", "secondColumn": True, "periods": [EACH_MINUTE, CUP]},
    "mood": {"operator": "latest", "ties": "shared", "minValue": -9, "periods": [CUP, ALL_TIME, EACH_MINUTE]},
}
BOARD, CUPS = st.sampled_from(sorted(BOARDS)), st.sampled_from(("race", "mood"))
BOARD_OR_ALL = st.sampled_from((*sorted(BOARDS), EVERY_BOARD))
PLAYER, VALUE, SECOND = st.integers(0, PLAYERS - 1), st.integers(0, 4), st.integers(-1, 1)
KEY = st.sampled_from((None, "a", "b"))
MEANWHILE = st.lists(
    st.tuples(st.sampled_from(("nothing", "entry", "relay", "consume", "time")), BOARD, PLAYER, VALUE), max_size=8
)
TAMPERINGS = ("raised", "member lost", "score lost", "invented", "season lost")
DELETES = (
    "DELETE FROM final_ranks",
    "DELETE FROM season_totals",
    "DELETE FROM score_entries",
    "DELETE FROM board_seasons",
    "DELETE FROM boards",
    "DELETE FROM accepted_keys",
    "DELETE FROM repeated_updates",
    "DELETE FROM unrecorded_updates",
    "DELETE FROM hidden_players",
    "DELETE FROM moderation_entries",
    "DELETE FROM users",
)
FINAL_RANKS = (
    "SELECT board_id, period, season, rank, user_id, score, second FROM final_ranks JOIN board_seasons"
    " USING (board_id, period, season, version) WHERE closed_at IS NOT NULL ORDER BY position"
)
Place = tuple[str, str, int]


class Adjustment(NamedTuple):
    """A moderator's entry, right after the one with the number; those with one number in the order of their `turn`."""

    board_id: str
    user_id: str
    increment: int
    second: int
    number: Number
    turn: int
    seasons: Sequence[tuple[str, int]]


class Quiet(ScoreModeration):
    """Dies before Redis learns of a decision."""

    def settle(self, user_id: str) -> None: ...


class BoardsExactlyOnce(Travelling):
    """`accepted` holds every entry that the script took, by request id. While `is_behind`, Redis has an earlier state.

    `hidden` holds where (a board, or all) whom a moderator has hidden, and `unsettled` about whom Redis may not know that.
    `decisions` holds what stands about scores: the request id that was struck, or the adjustment. `is_uncorrected` says that
    Redis may not know of one.
    """

    def __init__(self, deployed: Container, client: redis.Redis, database: pg8000.native.Connection) -> None:
        super().__init__()
        self.deployed, self.client, self.database = deployed, client, database
        self.numbers: dict[Number, str] = {}
        self.unanswered: list[tuple[str, int, int, int, str]] = []
        self.meanwhile: list[tuple[str, str, int, int]] = []
        self.resets = 0
        self.hidden: set[tuple[str, str]] = set()
        self.unsettled: set[str] = set()
        self.decisions: dict[int, tuple[str, str | Adjustment]] = {}
        self.is_uncorrected = self.was_behind = False
        self.at = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(hours=3)

    @initialize()
    def begin(self) -> None:
        """Three boards, three players, three hours ago."""
        self.shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
        self.keys = MAIN.keys(self.shard)
        self.board = Leaderboard(self.client, MAIN, self.keys, self.shard, rate_limit_requests=10**6, rate_window_seconds=60)
        self.outbox = Outbox(self.client, self.shard)
        self.redis = RedisWorld(self.client, self.shard)
        self.broker = Broker(self.deployed.sealer, self.deployed.ledger, self.outbox, self.take_note, self.redis.empty)
        self.states = BoardStates(self.client, self.keys, self.shard, now=lambda: self.at)
        self.boards = BoardStores(self.states, self.deployed.boards, self.deployed.board_seasons, self.deployed.hidden_players)
        impatient: Any = ImpatientOutbox(self.outbox)
        self.pipeline = Pipeline(self.deployed.ledger, impatient, self.broker, WorldClock(self.others_go_on), CATCH_UP_SECONDS)
        self.accounts: Any = SimpleNamespace(
            access=Access(self.client, self.shard),
            profiles=Profiles(self.client, self.shard),
            users=self.deployed.users,
            sessions=self.deployed.sessions,
        )
        self.accounts.everywhere = [self.accounts]
        self.another_process_serves()
        season_check: Any = Interrupted(SeasonCheck(self.client, self.keys, self.shard), self.something_happens)
        self.stores = Reconciliation(
            self.board,
            BoardCheck(self.client, MAIN, self.keys),
            self.deployed.reconciliations,
            RateWindows(self.client, self.keys, self.shard, rate_window_seconds=60),
            self.pipeline,
            self.deployed.users,
            self.boards,
            season_check,
            self.deployed.season_books,
            self.deployed.moderated_scores,
        )
        self.user_ids = [add_account(self.deployed, str(uuid4())).user_id for _ in range(PLAYERS)]
        self.board.rebuild(pages(self.deployed.reconciliations), set())
        open_epoch(self.board, self.deployed.ledger)
        self.definitions = {board_id: BoardDefinition.parse(board_id, members) for board_id, members in BOARDS.items()}
        for definition in self.definitions.values():
            self.deployed.boards.put(definition, ACTOR)
        self.database.run("UPDATE boards SET created_at = :at", at=self.at)

    # What is known of the truth

    def take_note(self, event: ScoreAccepted) -> None:
        """An event was handed to the broker: the first time it is one more that counts."""
        assert event.number is not None
        assert self.numbers.setdefault(event.number, event.request_id) == event.request_id, "a number was given twice"
        if event.request_id not in self.accepted:
            assert self.first_of(event.key_id) is None, "a key counts twice"
            self.accepted[event.request_id] = event

    def first_of(self, key_id: str) -> ScoreAccepted | None:
        return next((event for event in self.accepted.values() if key_id and event.key_id == key_id), None)

    def expected(self) -> dict[Place, dict[str, Entrant]]:
        """What entries and adjustments come to in each season in which there are any, by player."""
        found: dict[Place, dict[str, Entrant]] = {}
        decided = [what for _, what in self.decisions.values()]
        entries = [
            Adjustment(event.board_id, event.user_id, event.increment, event.second, _number(event), 0, _seasons(event))
            for request_id, event in self.accepted.items()
            if request_id not in decided
        ]
        counting = [*entries, *(what for what in decided if isinstance(what, Adjustment))]
        for item in sorted(counting, key=lambda item: (item.number, item.turn)):
            for season in item.seasons:
                entrants = found.setdefault((item.board_id, *season), {})
                entrants[item.user_id] = _folded(self.definitions[item.board_id], entrants.get(item.user_id), item)
        return found

    def is_hidden(self, board_id: str, user_id: str) -> bool:
        return not {(board_id, user_id), (EVERY_BOARD, user_id)}.isdisjoint(self.hidden)

    def held(self, board: BoardDefinition, period: str, season: int) -> dict[str, Entrant]:
        """What Redis says of a season, of hidden players, too; each stands where they should."""
        keys, found = self.shard.defined(board.board_id), {}
        members: Any = self.client.hgetall(keys.members(period, season))
        shown, hidden = (
            dict(self.client.zrange(key, 0, -1, withscores=True))  # type: ignore[arg-type]
            for key in (keys.scores(period, season), keys.hidden(period, season))
        )
        assert not set(shown) & set(hidden), "a player stands twice"
        scores = shown | hidden
        assert set(scores) == set(members.values())
        for user_id, member in members.items():
            name = user_id.decode()
            assert name in self.unsettled or (member in hidden) is self.is_hidden(board.board_id, name)
            second, number, owner = parse_member(board, member.decode())
            assert owner == user_id.decode()
            found[owner] = Entrant(owner, int(scores[member]), second, number)
        return found

    def recorded(self) -> set[str]:
        return {row[0] for row in self.database.run("SELECT request_id FROM score_entries") or ()}

    # What happens

    @rule(board=BOARD, player=PLAYER, value=VALUE, second=SECOND, key=KEY, fate=st.sampled_from(Fate))
    def enter(self, board: str, player: int, value: int, second: int, key: str | None, fate: Fate) -> None:
        if fate is Fate.REDIS_EMPTIED:
            assume(not self.only_in_redis())
        self.play(board, player, value, second, key, fate)

    @precondition(lambda self: self.unanswered)
    @rule(fate=st.sampled_from((Fate.GOOD, Fate.BROKER_AWAY, Fate.KILLED_BEFORE_ANSWERING)))
    def retry(self, fate: Fate) -> None:
        """Whoever got no answer asks again, with the same key."""
        self.play(*self.unanswered.pop(), fate)

    def play(self, board_id: str, player: int, value: int, second: int, key: str | None, fate: Fate) -> None:
        """One request; with a key the values are the key's, so that a retry is a retry."""
        user_id, board = self.user_ids[player], self.definitions[board_id]
        value, second = (value, second) if key is None else ("ab".index(key) + 1, 0)
        value = value if board.min_value == 0 else value - 2
        body = {"value": value, "second": second} if board.has_second else {"value": value}
        caller = Caller(user_id, "player", self.pipeline.clock.now(), "of-the-model")
        command = parse_entry(user_id, body, caller, "198.51.100.7", board, api_key=None, key=key)
        first, before = self.first_of(command.key_id), self.expected()
        self.broker.fate = fate
        try:
            receipt = add_entry(command, BoardShards([self.writing], self.deployed.boards))
        except Killed:
            self.unanswered += [(board_id, player, value, second, key)] if key else []
            return
        except LeaderboardRebuilding:
            assert self.is_behind or not self.board.is_whole() or self.states.load(board_id) is None
            return
        except RateWindowLost:
            assert self.is_behind
            return
        finally:
            self.broker.fate = Fate.GOOD
        entry = receipt.entry
        self.acknowledged.add(entry.request_id)
        assert entry.replayed is (first is not None)
        event = self.accepted[entry.request_id]
        if first is not None:
            assert event is first
            assert entry.places == parse_places(first.places)
        elif not self.is_behind:
            for place in entry.places:
                if not self.unsettled and not self.is_uncorrected:
                    self.is_told(board, place, before.get((board_id, place.period, place.season), {}), event)
        kept = fate not in (Fate.BROKER_AWAY, Fate.BROKER_LOSES_IT)
        assert first is not None or not kept or entry.request_id not in self.only_in_redis()

    def is_told(self, board: BoardDefinition, place: EntryPlace, before: dict[str, Entrant], event: ScoreAccepted) -> None:
        """Score, second column and rank as they are with this entry; who is hidden is told where they would stand."""
        others = {user_id: entrant for user_id, entrant in before.items() if not self.is_hidden(board.board_id, user_id)}
        entry = Adjustment(board.board_id, event.user_id, event.increment, event.second, _number(event), 0, ())
        entrants = {**others, event.user_id: _folded(board, before.get(event.user_id), entry)}
        [row] = [row for row in Oracle(board, entrants).rows() if row.user_id == event.user_id]
        assert (place.score, place.second, place.rank) == (row.score, row.second, row.rank)

    def something_happens(self) -> None:
        """Between two steps of somebody else's."""
        if not self.meanwhile:
            return
        what, board, player, value = self.meanwhile.pop()
        if what == "entry":
            self.play(board, player, value, 0, None, Fate.GOOD)
        elif what == "relay":
            self.relay(Fate.GOOD)
        elif what == "consume":
            self.broker.consume(2)
        elif what == "time":
            self.time_passes(1)

    @rule(minutes=st.integers(1, 3))
    def time_passes(self, minutes: int) -> None:
        """Over the boundary of every cron period."""
        self.at += timedelta(minutes=minutes)

    @rule()
    def another_process_serves(self) -> None:
        """It knows no board yet."""
        self.known = KnownBoards(self.states, self.deployed.boards, self.deployed.board_seasons, lambda: None)
        self.writing: Any = SimpleNamespace(
            access=self.accounts.access,
            profiles=self.accounts.profiles,
            users=self.accounts.users,
            sessions=self.accounts.sessions,
            name="main",
            known_boards=self.known,
            entries=Entries(self.client, self.keys, self.shard, now=lambda: self.at),
            leaderboard=self.board,
            ledger=self.deployed.ledger,
            publisher=self.broker,
        )

    @rule(board=BOARD_OR_ALL, player=PLAYER, hides=st.booleans(), dies=st.booleans())
    def moderate(self, board: str, player: int, hides: bool, dies: bool) -> None:
        """Whoever decides may die before Redis learns of it; then it does within a minute."""
        user_id = self.user_ids[player]
        decision = Moderate(board, "hide" if hides else "show", "of the model", user_id)
        self.deployed.moderations.decide(decision, [user_id], ACTOR, lambda *_: None)
        (self.hidden.add if hides else self.hidden.discard)((board, user_id))
        self.unsettled.add(user_id)
        if not dies and self.board.is_whole() and not self.is_behind:
            spread_profiles([user_id], self.accounts)
            settle_board_places([user_id], self.boards)
            self.unsettled.discard(user_id)

    @precondition(lambda self: self.accepted)
    @rule(entry=st.integers(0, 99), dies=st.booleans())
    def strike(self, entry: int, dies: bool) -> None:
        events = [event for name, event in self.accepted.items() if name not in [what for _, what in self.decisions.values()]]
        assume(events)
        event = events[entry % len(events)]
        command = ModerateScore(event.board_id, "strike", "of the model", event.user_id, event.request_id)
        if answer := self.correct(command, dies):
            self.decisions[answer["entry"]["id"]] = event.board_id, event.request_id

    @rule(board=BOARD, player=PLAYER, value=st.integers(1, 4), second=SECOND, one=st.booleans(), dies=st.booleans())
    def adjust(self, board: str, player: int, value: int, second: int, one: bool, dies: bool) -> None:
        definition, user_id = self.definitions[board], self.user_ids[player]
        said: dict[str, Any] = {"value": value, **({"second": second} if definition.has_second else {})}
        if one:
            said["period"] = definition.periods[0].name
        if answer := self.correct(ModerateScore(board, "adjust", "of the model", user_id, said=said), dies):
            number = self.board.newest_epoch().newest
            assert number is not None
            seasons, turn = [(score["period"], score["season"]) for score in answer["scores"]], answer["entry"]["id"]
            self.decisions[turn] = board, Adjustment(board, user_id, value, said.get("second", 0), number, turn, seasons)

    @precondition(lambda self: self.decisions)
    @rule(decision=st.integers(0, 99), dies=st.booleans())
    def undo(self, decision: int, dies: bool) -> None:
        moderation_id = sorted(self.decisions)[decision % len(self.decisions)]
        board_id, _ = self.decisions[moderation_id]
        if self.correct(ModerateScore(board_id, "undo", "of the model", entry_id=moderation_id), dies):
            del self.decisions[moderation_id]

    def correct(self, command: ModerateScore, dies: bool) -> dict[str, Any] | None:
        """What was decided, and Redis shows it, unless who decides dies first; None when nothing was."""
        try:
            answer = (Quiet if dies else ScoreModeration)(self.known, self.stores).moderate(command, ACTOR)
        except (LeaderboardRebuilding, LedgerBehind, NoOpenSeason, WithoutEffect):
            return None
        except UnknownEntry:
            assert command.request_id not in self.recorded()
            return None
        self.is_uncorrected = self.is_uncorrected or dies or not self.board.is_whole() or self.is_behind
        return answer

    @rule(board=CUPS, again=st.booleans())
    def reset(self, board: str, again: bool) -> None:
        """A request that is sent twice ends one season."""
        self.resets += 1
        name = f"reset-{self.resets}"
        with suppress(LeaderboardRebuilding):
            answer = reset_board(board, {"period": "cup"}, ACTOR, name, self.known, self.boards)
            assert answer["began"]["season"] == answer["ended"]["season"] + 1
            if again:
                assert reset_board(board, {"period": "cup"}, ACTOR, name, self.known, self.boards) == answer

    @rule(dies_after=st.none() | st.integers(0, 12), meanwhile=MEANWHILE)
    def turn(self, dies_after: int | None, meanwhile: list[tuple[str, str, int, int]]) -> None:
        """Whoever closes seasons may die between any two steps."""
        self.meanwhile, steps = meanwhile, iter(range(10**6))

        def between() -> None:
            if next(steps) == dies_after:
                raise Killed
            self.something_happens()

        states, boards, seasons = (
            cast("Any", Interrupted(each, between)) for each in (self.states, self.boards.boards, self.boards.seasons)
        )
        stores = BoardStores(states, boards, seasons, self.deployed.hidden_players)
        known = KnownBoards(states, boards, seasons, lambda: None)
        with suppress(Killed, LedgerBehind):
            turn_seasons(stores, known, self.pipeline)
        self.meanwhile = []

    @rule(meanwhile=MEANWHILE)
    def heal(self, meanwhile: list[tuple[str, str, int, int]]) -> None:
        """What the ledger knows is back, each entry once."""
        was_behind, self.meanwhile = self.is_behind, meanwhile
        self.is_behind = self.is_behind or bool(meanwhile)
        outcome = heal_leaderboard(self.stores)
        fill_boards(self.boards, self.pipeline)
        self.meanwhile = []
        self.unsettled.clear()
        self.is_uncorrected = False
        assert outcome["rebuilt"] or outcome["reconciled"] or not was_behind
        self.is_behind = was_behind and not outcome["reconciled"] and not outcome["rebuilt"]

    @property
    def is_settled(self) -> bool:
        """Redis has all that was accepted and decided."""
        return self.board.is_whole() and not (self.is_behind or self.unsettled or self.is_uncorrected)

    @precondition(lambda self: self.is_settled)
    @rule(meanwhile=MEANWHILE, dry_run=st.booleans(), full=st.booleans())
    def reconcile(self, meanwhile: list[tuple[str, str, int, int]], dry_run: bool, full: bool) -> None:
        """Finds nothing, whatever is under way."""
        self.meanwhile = meanwhile
        summary = reconcile_scores(self.stores, ReconciliationOptions(dry_run, full))
        self.meanwhile = []
        assert summary["discrepancies"] == []

    @precondition(lambda self: self.is_settled)
    @rule(board=BOARD, player=PLAYER, how=st.sampled_from(TAMPERINGS), meanwhile=MEANWHILE)
    def tamper_and_reconcile(self, board: str, player: int, how: str, meanwhile: list[tuple[str, str, int, int]]) -> None:
        """Found and repaired to the point, while others go on."""
        held = self.states.load(board)
        assume(held is not None and held.state.open_seasons)
        assert held is not None
        season = held.state.open_seasons[-1]
        keys, user_id = self.shard.defined(board), self.user_ids[player]
        place = (season.period, season.number)
        where = keys.hidden if self.is_hidden(board, user_id) else keys.scores
        scores, members = where(*place), keys.members(*place)
        member: Any = self.client.hget(members, user_id)
        assume(member is not None)
        if how == "raised":
            self.client.zincrby(scores, 7, member)
        elif how == "member lost":
            self.client.hdel(members, user_id)
        elif how == "score lost":
            self.client.zrem(scores, member)
        elif how == "invented":
            self.client.zadd(scores, {"nonsense": 3})
        else:
            self.client.delete(scores, members)
        self.meanwhile = [each for each in meanwhile if each[1] != board and each[0] != "time"]
        summary = reconcile_scores(self.stores, ReconciliationOptions(full=True, beyond_bounds=True))
        self.meanwhile = []
        assert summary["discrepancies"]

    # What must be true all the time

    @invariant()
    def every_season_says_what_was_accepted(self) -> None:
        if not hasattr(self, "definitions") or not self.board.is_whole() or self.is_behind or self.is_uncorrected:
            return
        expected = self.expected()
        for board_id, held in self.states.load_all(BOARDS).items():
            for season in held.state.open_seasons:
                place = (season.period, season.number)
                assert self.held(self.definitions[board_id], *place) == expected.get((board_id, *place), {})

    @invariant()
    def nothing_accepted_is_lost(self) -> None:
        self.was_behind = self.was_behind or self.is_behind
        if hasattr(self, "definitions"):
            assert set(self.accepted) <= self.in_outbox() | self.broker.waiting() | self.recorded()
            assert self.acknowledged <= set(self.accepted)

    def teardown(self) -> None:
        """When the dust settles, all three are the same, and nothing is open but what is."""
        try:
            if hasattr(self, "definitions"):
                self.settle()
        finally:
            self.redis.empty()
            for delete in DELETES:
                self.database.run(delete)

    def settle(self) -> None:
        """All that is under way arrives, and what has ended is closed."""
        self.at = datetime.now(UTC)
        self.relay(Fate.GOOD)
        while self.broker.queue:
            self.broker.consume(len(self.broker.queue))
        for _ in range(2):
            heal_leaderboard(self.stores)
            fill_boards(self.boards, self.pipeline)
        turn_seasons(self.boards, self.known, self.pipeline)
        assert reconcile_scores(self.stores, ReconciliationOptions(dry_run=True, full=True))["discrepancies"] == []
        assert self.recorded() == set(self.accepted)
        assert self.in_outbox() == set()
        balance = balance_books(self.board, self.deployed.ledger, self.outbox)
        assert balance is not None
        assert balance.in_flight == []
        self.totals_and_final_ranks_are_exact(self.expected())
        self.each_entry_is_in_the_season_of_its_instant()

    def totals_and_final_ranks_are_exact(self, expected: dict[Place, dict[str, Entrant]]) -> None:
        totals: dict[Place, dict[str, Entrant]] = {}
        for board_id, period, season, user_id, score, second, epoch, sequence in self.rows(
            "SELECT board_id, period, season, user_id, score, second, epoch, sequence FROM season_totals"
        ):
            totals.setdefault((board_id, period, season), {})[user_id] = Entrant(user_id, score, second, Number(epoch, sequence))
        assert totals == expected
        final: dict[Place, list[tuple[int, str, int, int]]] = {}
        for board_id, period, season, *row in self.rows(FINAL_RANKS):
            final.setdefault((board_id, period, season), []).append(tuple(row))
        held = self.states.load_all(BOARDS)
        ended = {
            place: [(row.rank, row.user_id, row.score, row.second) for row in self.shown(place[0], entrants)]
            for place, entrants in expected.items()
            if place[1:] not in {(season.period, season.number) for season in held[place[0]].state.open_seasons}
        }
        assert final == {place: rows for place, rows in ended.items() if rows}

    def shown(self, board_id: str, entrants: dict[str, Entrant]) -> Sequence[Row]:
        """The rows of those who are not hidden."""
        seen = {user_id: entrant for user_id, entrant in entrants.items() if not self.is_hidden(board_id, user_id)}
        return Oracle(self.definitions[board_id], seen).rows()

    def each_entry_is_in_the_season_of_its_instant(self) -> None:
        """A Redis that went back before the ledger had an entry may have begun its season once more, a little later."""
        spans = {
            (board_id, season): (starts_at, ends_at)
            for board_id, season, starts_at, ends_at in self.rows(
                "SELECT board_id, season, starts_at, ends_at FROM board_seasons WHERE period = 'minute'"
            )
        }
        for event in self.accepted.values():
            periods = [place.period for place in parse_places(event.places)]
            assert periods == [period.name for period in self.definitions[event.board_id].periods]
            for place in parse_places(event.places):
                if place.period == "minute":
                    starts_at, ends_at = spans[event.board_id, place.season]
                    assert event.accepted_at < ends_at
                    assert starts_at <= event.accepted_at or self.was_behind

    def rows(self, sql: str) -> Sequence[Any]:
        return self.database.run(sql) or ()


def _number(event: ScoreAccepted) -> Number:
    assert event.number is not None
    return event.number


def _seasons(event: ScoreAccepted) -> list[tuple[str, int]]:
    return [(place.period, place.season) for place in parse_places(event.places)]


def _folded(board: BoardDefinition, before: Entrant | None, item: Adjustment) -> Entrant:
    """What a player has with one entry more, by the operator of the board."""
    entrant = Entrant(item.user_id, item.increment, item.second, item.number)
    if before is None:
        return entrant
    if board.operator == "add":
        entrant = entrant._replace(score=before.score + item.increment, second=before.second + item.second)
    if board.operator != "best":
        return before if entrant[:3] == before[:3] else entrant
    sign = 1 if board.order == "descending" else -1
    improves = (sign * entrant.score, sign * entrant.second) > (sign * before.score, sign * before.second)
    return entrant if improves else before


@pytest.mark.timeout(1800)
def test_each_entry_counts_exactly_once_in_one_season_of_each_period(
    deployed: Container, redis_url: str, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "NOTE_EVERY_SECONDS", 0.0)  # the same choices must always do the same
    with connect(redis_url) as client, closing(database_connection(own_database_url)) as database:
        run_machine(lambda: BoardsExactlyOnce(deployed, client, database), EXAMPLES)
