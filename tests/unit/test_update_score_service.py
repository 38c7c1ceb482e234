"""What makes an update, and what the use case does when the script has something to ask."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from shared.accounts.player import Caller, Profile
from shared.accounts.session import EndedSession, Missing
from shared.boards.acceptance_redis import Done
from shared.boards.action_tickets import ActionTicket
from shared.boards.board import MAIN
from shared.boards.hmac_tickets import TicketSigner
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.boards.update_score import MAX_TRIES, Receipt, parse_update, spend_ticket, update_score
from shared.core.errors import (
    InvalidActionTicket,
    InvalidIncrement,
    InvalidParameter,
    LeaderboardRebuilding,
    NotYourScore,
    RabbitUnavailable,
    RateWindowLost,
    RedisUnavailable,
    TicketAlreadyUsed,
    TicketRequired,
    UnknownPlayer,
)
from shared.core.rate_window import RateWindow
from shared.ledger.events import FirstResult, HistoryEntry, Number, ScoreAccepted

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CALLER = Caller("u-1", "player", NOW, "s-1")
ENDED = EndedSession("s-0", NOW)
COMMAND = ScoreUpdate("r-1", "u-1", 3, "198.51.100.7")
WITH_KEY = COMMAND._replace(key_id="k")
ACCEPTED = AcceptedUpdate("r-1", "u-1", 3, 12, 4, NOW, RateWindow(100, 60, 99, 60), "1-0", Number(1, 7))
REPLAYED = ACCEPTED._replace(outbox_id=None, number=None, replayed=True)
FIRST = FirstResult("k", "r-0", "u-1", 3, 12, 4, NOW)
PROFILE = Profile("u-1", "Ada", "player", "hash")


@dataclass
class Stores:
    """All the ports that an update asks, answering from lists and noting what was done, in order."""

    answers: list[AcceptedUpdate | Missing | RateWindowLost]
    profile: Profile | None = PROFILE
    first: FirstResult | None = None
    spent: HistoryEntry | None = None
    command: ScoreUpdate = COMMAND
    total: int = 0
    is_hidden: bool = False
    broker_is_away: bool = False
    disk_is_full: bool = False
    lacks_replicas: bool = False
    done: list[Any] = field(default_factory=list)

    def apply(self, update: ScoreUpdate, *, not_in_ledger: bool = False) -> AcceptedUpdate | Missing:
        assert update == self.command
        if not_in_ledger:
            self.done.append("not in the ledger")
        answer = self.answers.pop(0)
        if isinstance(answer, RateWindowLost):
            raise answer
        return answer

    def ask_for_rebuild(self) -> bool:
        return True

    def publish_rebuild(self) -> None:
        self.done.append("rebuild wanted")

    def suspect(self, user_ids: Sequence[str]) -> None:
        self.done.append(("suspected", list(user_ids)))

    def remember(self, results: Sequence[FirstResult]) -> None:
        self.done.append(("remembered", list(results)))

    def first_result(self, key_id: str) -> FirstResult | None:
        return self.first if self.first and self.first.key_id == key_id else None

    def has_accepted(self, request_id: str) -> bool:
        return self.spent is not None and self.spent.request_id == request_id

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        return {} if self.profile is None else dict.fromkeys(user_ids, self.profile)

    def changed_of_late(self) -> list[Profile]:
        return []

    def ended(self) -> list[EndedSession]:
        return [ENDED]

    def restore(self, ended: list[EndedSession]) -> None:
        self.done.append(("sessions restored", ended))

    def put_many(self, profiles: Any) -> None:
        self.done.append(("cached", list(profiles)))

    def totals(self, user_ids: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(user_ids, self.total) if self.total else {}

    def enter(self, user_id: str) -> None:
        self.done.append(("entered", user_id))

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """As they were before anybody disabled or hid them."""
        return {user_id: replace(profile, disabled=False) for user_id, profile in self.profiles(user_ids).items()}

    def on_main(self, user_ids: Sequence[str]) -> set[str]:
        is_hidden = self.profile is not None and (self.profile.disabled or self.profile.hidden_on)
        return set(user_ids) if is_hidden else set()

    def show(self, user_ids: Collection[str]) -> int:
        moved = len(user_ids) if self.is_hidden else 0
        self.done += [("shown", user_id) for user_id in user_ids if moved]
        return moved

    def hide(self, user_ids: Collection[str], *, enters: bool = True) -> int:
        self.done += [("entered, hidden", user_id) for user_id in user_ids if enters]
        return 0

    def drop(self, user_id: str) -> None:
        self.done.append(("dropped", user_id))

    def publish_accepted(self, events: Sequence[ScoreAccepted]) -> None:
        self.done.append(("published", list(events)))
        if self.broker_is_away:
            raise RabbitUnavailable

    def ensure_kept(self, done: Sequence[Done]) -> None:
        self.done.append("kept")
        if self.disk_is_full:
            raise RedisUnavailable

    def ensure_replicated(self, done: Sequence[Done]) -> None:
        if self.lacks_replicas:
            raise RedisUnavailable

    def update(self) -> Receipt:
        ports = cast("Any", self)
        accounts = cast("Any", SimpleNamespace(access=ports, profiles=ports, users=ports, sessions=ports))
        return update_score(self.command, ports, ports, accounts, ports, ports)


EVENT = ScoreAccepted("r-1", "u-1", 3, 12, NOW, "198.51.100.7", Number(1, 7), "1-0", rank=4)
PUBLISHED, CACHED = ("published", [EVENT]), ("cached", [PROFILE])


def parse(increment: object = 3, *, user_id: str = "u-1", api_key: str | None = None, key: str | None = None) -> ScoreUpdate:
    body = {"increment": increment, "score": 999}
    return parse_update(user_id, body, CALLER, "198.51.100.7", MAIN, api_key=api_key, idempotency_key=key)


def test_an_update_is_made_of_what_was_sent() -> None:
    update = parse()
    assert (update.user_id, update.increment, update.source_ip) == ("u-1", 3, "198.51.100.7")
    assert (update.api_key_hash, update.key_id, update.session_id) == (None, "", "s-1")
    assert UUID(update.request_id).version == 4
    assert parse().request_id != update.request_id


def test_an_api_key_is_hashed_at_once_even_an_empty_one() -> None:
    assert parse(api_key="secret").api_key_hash == hashlib.sha256(b"secret").hexdigest()
    assert parse(api_key="").api_key_hash == hashlib.sha256(b"").hexdigest()


def test_a_key_of_a_player_always_has_the_same_id_and_no_other_has() -> None:
    ids = {parse(key=key).key_id for key in ("k", "k", "K", "k2")}
    other = Caller("u-2", "player", NOW)
    ids.add(parse_update("u-2", {"increment": 3}, other, "ip", MAIN, api_key=None, idempotency_key="k").key_id)
    assert len(ids) == 4
    assert {UUID(key_id).version for key_id in ids} == {4}


def test_the_request_id_is_new_each_time_for_a_key_may_be_used_again_after_its_day() -> None:
    assert len({parse(key="k").request_id for _ in range(3)}) == 3


@pytest.mark.parametrize("key", ["", " ", "k k", "k" * 256, "é", "k\n", "\x7f"])
def test_a_key_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidParameter):
        parse(key=key)


def test_whose_score_it_is_comes_before_everything_else() -> None:
    with pytest.raises(NotYourScore):
        parse(99, user_id="u-2", key="")
    with pytest.raises(InvalidIncrement):
        parse(99)


class Signer(TicketSigner):
    """Knows one ticket, the text `good`."""

    def __init__(self, user_id: str = "u-1") -> None:
        self.ticket = ActionTicket("t-1", user_id, NOW)

    def sign(self, ticket: ActionTicket) -> str:
        raise NotImplementedError

    def verify(self, text: str) -> ActionTicket:
        if text != "good":
            raise InvalidActionTicket
        return self.ticket


def test_without_a_ticket_an_update_stays_as_it_is_unless_one_is_required() -> None:
    assert spend_ticket(WITH_KEY, None, Signer(), required=False) is WITH_KEY
    with pytest.raises(TicketRequired):
        spend_ticket(COMMAND, None, Signer(), required=True)


@pytest.mark.parametrize("required", [True, False])
def test_an_update_gets_its_tickets_request_id_and_keeps_its_keys(*, required: bool) -> None:
    spent = spend_ticket(COMMAND, "good", Signer(), required=required)
    assert spent == COMMAND._replace(request_id="t-1", ticket_expires_at=NOW)
    spent = spend_ticket(WITH_KEY, "good", Signer(), required=required)
    assert spent == WITH_KEY._replace(request_id="t-1", ticket_expires_at=NOW)


@pytest.mark.parametrize(("text", "owner"), [("bad", "u-1"), ("", "u-1"), ("good", "u-2")])
def test_a_forged_or_foreign_ticket_is_refused_even_where_none_is_required(text: str, owner: str) -> None:
    with pytest.raises(InvalidActionTicket):
        spend_ticket(COMMAND, text, Signer(owner), required=False)


def test_an_accepted_update_is_published_under_its_outbox_id() -> None:
    stores = Stores([ACCEPTED])
    receipt = stores.update()
    assert receipt.as_json() == {"userId": "u-1", "score": 12, "rank": 4, "increment": 3, "requestId": "r-1"}
    assert set(receipt.headers()) == {"RateLimit-Policy", "RateLimit"}
    assert stores.done == [PUBLISHED]


def test_a_replayed_update_is_not_published_again() -> None:
    stores = Stores([REPLAYED])
    assert stores.update().headers()["Idempotency-Replayed"] == "true"
    assert stores.done == ["kept"]


def test_a_replayed_update_that_waits_in_the_outbox_is_published_before_it_is_acknowledged() -> None:
    stores = Stores([ACCEPTED._replace(replayed=True)])
    assert stores.update().headers()["Idempotency-Replayed"] == "true"
    assert stores.done == [PUBLISHED]


def test_an_event_says_which_key_it_came_of() -> None:
    stores = Stores([ACCEPTED], command=WITH_KEY)
    stores.update()
    assert stores.done == [("published", [EVENT._replace(key_id="k")])]


def test_a_broker_that_is_away_does_not_spoil_the_receipt() -> None:
    stores = Stores([ACCEPTED], broker_is_away=True)
    assert stores.update().update == ACCEPTED
    assert stores.done == [PUBLISHED, "kept"]


@pytest.mark.parametrize("answer", [ACCEPTED, REPLAYED])
def test_what_neither_the_broker_nor_the_disk_of_redis_has_is_not_acknowledged(answer: AcceptedUpdate) -> None:
    with pytest.raises(RedisUnavailable):
        Stores([answer], broker_is_away=True, disk_is_full=True).update()


@pytest.mark.parametrize("answer", [ACCEPTED, REPLAYED])
def test_what_too_few_replicas_have_is_published_and_not_acknowledged(answer: AcceptedUpdate) -> None:
    stores = Stores([answer], lacks_replicas=True)
    with pytest.raises(RedisUnavailable):
        stores.update()
    assert (PUBLISHED in stores.done) is (answer is ACCEPTED)


def test_a_profile_that_is_not_cached_is_cached_and_the_script_asked_again() -> None:
    stores = Stores([Missing.PROFILE, ACCEPTED])
    stores.update()
    assert stores.done == [CACHED, PUBLISHED]


def test_ended_sessions_that_redis_does_not_know_are_restored_and_the_script_asked_again() -> None:
    stores = Stores([Missing.SESSIONS, ACCEPTED])
    stores.update()
    assert stores.done == [("sessions restored", [ENDED]), PUBLISHED]


def test_one_who_never_scored_gets_a_place() -> None:
    stores = Stores([Missing.PROFILE, Missing.MEMBER, ACCEPTED])
    stores.update()
    assert stores.done == [CACHED, ("entered", "u-1"), PUBLISHED]


def test_one_who_was_hidden_until_a_moment_ago_is_back_with_all_points() -> None:
    stores = Stores([Missing.MEMBER, ACCEPTED], total=9, is_hidden=True)
    stores.update()
    assert stores.done == [("shown", "u-1"), PUBLISHED]


def test_one_who_is_hidden_by_an_account_that_the_cache_does_not_know_to_be_disabled_gets_no_place() -> None:
    stores = Stores([Missing.MEMBER, Missing.PROFILE, ACCEPTED], profile=replace(PROFILE, disabled=True))
    stores.update()
    assert stores.done[0] == ("dropped", "u-1")
    assert ("entered", "u-1") not in stores.done


def test_one_whom_a_moderator_has_hidden_gets_a_place_beside_the_board() -> None:
    stores = Stores([Missing.MEMBER, ACCEPTED], profile=replace(PROFILE, hidden_on="main"))
    stores.update()
    assert stores.done == [("entered, hidden", "u-1"), PUBLISHED]


@pytest.mark.parametrize("hidden_on", ["", "main"])
def test_one_who_has_points_in_the_ledger_does_not_begin_again_and_is_looked_at(hidden_on: str) -> None:
    stores = Stores([Missing.MEMBER, Missing.MEMBER, ACCEPTED], profile=replace(PROFILE, hidden_on=hidden_on), total=9)
    with pytest.raises(LeaderboardRebuilding) as refused:
        stores.update()
    assert refused.value.retry_after_seconds == 30
    assert stores.done == [("suspected", ["u-1"]), "rebuild wanted"]


def test_one_whom_a_moderator_moved_meanwhile_goes_on() -> None:
    stores = Stores([Missing.MEMBER, ACCEPTED], total=9)
    assert stores.update() == Receipt(ACCEPTED)


def test_a_first_result_that_only_the_ledger_knows_is_answered_again() -> None:
    stores = Stores([Missing.HISTORY, REPLAYED], first=FIRST, command=WITH_KEY)
    stores.update()
    assert stores.done == [("remembered", [FIRST]), "not in the ledger", "kept"]


def test_a_key_that_only_the_ledger_knows_is_found_whichever_ticket_is_sent_with_it() -> None:
    command = WITH_KEY._replace(request_id="another", ticket_expires_at=NOW)
    stores = Stores([Missing.HISTORY, REPLAYED], first=FIRST, command=command)
    stores.update()
    assert stores.done == [("remembered", [FIRST]), "not in the ledger", "kept"]


def test_while_rate_windows_are_unknown_the_check_is_asked_for() -> None:
    stores = Stores([RateWindowLost(retry_after_seconds=1)])
    with pytest.raises(RateWindowLost):
        stores.update()
    assert stores.done == ["rebuild wanted"]


def test_a_ticket_that_only_the_ledger_knows_as_spent_is_refused() -> None:
    spent = HistoryEntry(1, "r-1", "u-1", 3, 12, NOW)
    stores = Stores([Missing.HISTORY, ACCEPTED], spent=spent, command=COMMAND._replace(ticket_expires_at=NOW))
    with pytest.raises(TicketAlreadyUsed):
        stores.update()
    assert stores.done == []


def test_an_update_the_ledger_does_not_know_is_accepted() -> None:
    stores = Stores([Missing.HISTORY, Missing.PROFILE, ACCEPTED])
    stores.update()
    assert stores.done == ["not in the ledger", CACHED, "not in the ledger", PUBLISHED]


def test_a_user_who_does_not_exist_is_refused() -> None:
    stores = Stores([Missing.PROFILE, ACCEPTED], profile=None)
    with pytest.raises(UnknownPlayer):
        stores.update()
    assert stores.done == []


def test_a_board_that_keeps_asking_is_not_asked_for_ever() -> None:
    stores = Stores([Missing.PROFILE] * MAX_TRIES)
    with pytest.raises(LeaderboardRebuilding):
        stores.update()
    assert stores.answers == []


def test_an_update_that_the_board_cannot_take_has_the_board_looked_at() -> None:
    stores = Stores([Missing.PROFILE] * MAX_TRIES)
    with pytest.raises(LeaderboardRebuilding):
        stores.update()
    assert stores.done[-1] == "rebuild wanted"
