"""Add an entry to a board that an operator defined: one atomic script, then a confirmed publish, as in update_score."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shared.accounts.check_access import Accounts, knows_less
from shared.accounts.session import Missing
from shared.boards.definition import BoardDefinition
from shared.boards.entry import AcceptedEntry, BoardMoved, EntryPlace, ScoreEntry
from shared.boards.open_epoch import ask_for_rebuild, open_epoch
from shared.boards.parse_entries import check_entry
from shared.boards.settle_places import settle
from shared.boards.update_score import MAX_TRIES, give_missing
from shared.core.errors import (
    BoardElsewhere,
    InvalidServerKey,
    LeaderboardRebuilding,
    NotItsBoard,
    NotItsScope,
    RabbitUnavailable,
    RateWindowLost,
    ScoreboardError,
    TicketAlreadyUsed,
)
from shared.core.invocation import note, note_updates
from shared.ledger.events import ScoreAccepted
from shared.ledger.ports import EventPublisher

if TYPE_CHECKING:
    from shared.accounts.server_keys_postgresql import ServerKeys
    from shared.accounts.server_keys_redis import KnownServerKeys
    from shared.boards.board_shards import BoardShards
    from shared.boards.entries_redis import Entries
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.known_boards import KnownBoards
    from shared.boards.redis import Leaderboard
    from shared.boards.season import BoardState
    from shared.ledger.postgresql import Ledger


@dataclass(frozen=True, slots=True)
class EntryReceipt:
    """What the player gets for an accepted entry."""

    entry: AcceptedEntry
    board: BoardDefinition

    def as_json(self) -> dict[str, Any]:
        """The receipt in the words of the API: score and rank are those in the board's first period that is open."""
        first = self.entry.places[0]
        return {
            "userId": self.entry.user_id,
            "board": self.board.board_id,
            "score": first.score,
            **self._second(first),
            "rank": first.rank,
            "improved": first.improved,
            "periods": [self._place(place) for place in self.entry.places],
            "requestId": self.entry.request_id,
        }

    def headers(self) -> dict[str, str]:
        """The state of the rate window, and whether this is an earlier result."""
        replayed = {"Idempotency-Replayed": "true"} if self.entry.replayed else {}
        return {**self.entry.rate_window.headers(), **replayed}

    def _place(self, place: EntryPlace) -> dict[str, Any]:
        return {
            "period": place.period,
            "season": place.season,
            "score": place.score,
            **self._second(place),
            "rank": place.rank,
            "improved": place.improved,
        }

    def _second(self, place: EntryPlace) -> dict[str, int]:
        return {"second": place.second} if self.board.has_second else {}


# What all entries of a batch would be asked is given once.
_ASKED_BY_ALL = (BoardMoved, Missing.EPOCH, Missing.SESSIONS, Missing.SERVER_KEY)


class Writing(Accounts, Protocol):
    """What entries are written with in a shard, and who is known there."""

    @property
    def known_boards(self) -> KnownBoards:
        """Their definitions and seasons."""
        ...

    @property
    def entries(self) -> Entries:
        """The boards' script."""
        ...

    @property
    def leaderboard(self) -> Leaderboard:
        """With the marks of this Redis."""
        ...

    @property
    def hidden_players(self) -> HiddenPlayers:
        """Who plays out of sight."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What was recorded."""
        ...

    @property
    def publisher(self) -> EventPublisher:
        """To the ledger."""
        ...

    @property
    def name(self) -> str:
        """The shard's."""
        ...

    @property
    def server_keys(self) -> ServerKeys:
        """Of record."""
        ...

    @property
    def known_server_keys(self) -> KnownServerKeys:
        """As the script looks at them."""
        ...


W = TypeVar("W", bound=Writing)
# Through how many shards an entry follows its board.
MAX_SHARDS = 3


def add_batch(commands: Sequence[ScoreEntry | ScoreboardError], shards: BoardShards[W]) -> list[dict[str, Any]]:
    """What became of each as JSON, of those that could not be read, too. Raises the refusal that all of them share."""
    readable = [command for command in commands if isinstance(command, ScoreEntry)]
    outcomes = iter(add_entries(readable, shards) if readable else ())
    found = [next(outcomes) if isinstance(command, ScoreEntry) else command for command in commands]
    for outcome in found:
        if isinstance(outcome, InvalidServerKey | NotItsBoard | NotItsScope):
            raise outcome
    return [_as_json(outcome) for outcome in found]


def _as_json(outcome: EntryReceipt | ScoreboardError) -> dict[str, Any]:
    if isinstance(outcome, EntryReceipt):
        return {"status": 200, **outcome.as_json(), "replayed": outcome.entry.replayed}
    waits = {} if outcome.retry_after_seconds is None else {"retryAfterSeconds": outcome.retry_after_seconds}
    return {"status": outcome.status, "code": outcome.code, "detail": outcome.detail, **waits}


def add_entry(command: ScoreEntry, shards: BoardShards[W]) -> EntryReceipt:
    """As add_entries; raises what became of it."""
    [outcome] = add_entries([command], shards)
    if isinstance(outcome, ScoreboardError):
        raise outcome
    return outcome


def add_entries(commands: Sequence[ScoreEntry], shards: BoardShards[W]) -> list[EntryReceipt | ScoreboardError]:
    """Add entries on one board, in the shard that it is in: what became of each, in their order; raises UnknownBoard.

    Those that the board had left behind when they came are added where it is now.
    """
    board_id = commands[0].board_id
    shard = shards.of(board_id)
    outcomes: list[EntryReceipt | ScoreboardError] = [BoardElsewhere()] * len(commands)
    places = list(range(len(commands)))
    for _ in range(MAX_SHARDS):
        for place, outcome in zip(places, _add_in(shard, [commands[place] for place in places], shards.first), strict=True):
            outcomes[place] = outcome
        places = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, BoardElsewhere)]
        if not places:
            break
        try:
            now = shards.found_again(board_id)
        except BoardElsewhere as error:
            for place in places:
                outcomes[place] = error
            break
        if now is shard:
            break
        shard = now
    return outcomes


def _add_in(shard: W, commands: Sequence[ScoreEntry], first: W) -> list[EntryReceipt | ScoreboardError]:
    """Tickets are reserved where they are all known."""
    if shard is first:
        return add_entries_here(commands, shard)
    refused: dict[int, ScoreboardError] = {}
    for place, command in enumerate(commands):
        try:
            if command.ticket_expires_at is not None and not _is_reserved(command, shard, first):
                refused[place] = TicketAlreadyUsed()
        except LeaderboardRebuilding as error:
            ask_for_rebuild(first.leaderboard, first.publisher)
            refused[place] = error
    outcomes = iter(add_entries_here([each for place, each in enumerate(commands) if place not in refused], shard))
    return [refused.get(place) or next(outcomes) for place in range(len(commands))]


def add_entries_here(commands: Sequence[ScoreEntry], stores: Writing) -> list[EntryReceipt | ScoreboardError]:
    """Add entries on one board in this shard; BoardElsewhere for those that it does not hold the board for.

    Whether who writes may do so is for the board's script to say, as in update_score: one round trip for all, and one confirmed
    publish. The script notices that definition or seasons have changed meanwhile.
    """
    if not commands:
        return []
    outcomes, board = _add(commands, stores)
    pairs = zip(commands, outcomes, strict=True)
    accepted = [(command, outcome) for command, outcome in pairs if isinstance(outcome, AcceptedEntry)]
    if len(accepted) < len(outcomes) and any(map(_is_of_a_loss, outcomes)):
        ask_for_rebuild(stores.leaderboard, stores.publisher)
    note(board=board.board_id, entries=len(accepted))
    note_updates([entry.request_id for _, entry in accepted])
    new = [each for each in accepted if each[1].outbox_id is not None]
    # Of the others the ledger has the event, or an outbox in which it was not found.
    unpublished = [each for each in accepted if each[1].outbox_id is None]
    if new:
        try:
            stores.publisher.publish_accepted([_event(*each, stores.name) for each in new])
        except RabbitUnavailable:
            note(published=False)
            unpublished += new
    stores.entries.ensure_kept(unpublished)
    stores.entries.ensure_replicated(accepted)
    return [EntryReceipt(outcome, board) if isinstance(outcome, AcceptedEntry) else outcome for outcome in outcomes]


def _is_of_a_loss(outcome: object) -> bool:
    return isinstance(outcome, LeaderboardRebuilding | RateWindowLost) and not isinstance(outcome, BoardElsewhere)


def _add(commands: Sequence[ScoreEntry], stores: Writing) -> tuple[list[AcceptedEntry | ScoreboardError], BoardDefinition]:
    board_id = commands[0].board_id
    state = stores.known_boards.get(board_id)
    outcomes: list[AcceptedEntry | ScoreboardError | None] = [None] * len(commands)
    asked: set[int] = set()
    absent: set[int] = set()
    waiting = list(range(len(commands)))
    tries = 0
    while waiting and tries < MAX_TRIES:
        ready = _in_turn(waiting, commands, asked)
        answers = stores.entries.add([(commands[place], place in asked) for place in ready], state)
        questions = []
        for place, answer in zip(ready, answers, strict=True):
            if isinstance(answer, AcceptedEntry | ScoreboardError):
                outcomes[place] = answer
            else:
                questions.append((place, answer))
        given: set[object] = set()
        for place, question in questions:
            kind = BoardMoved if isinstance(question, BoardMoved) else question
            try:
                if kind in given:
                    pass
                elif isinstance(question, BoardMoved):
                    before, state = state, stores.known_boards.renewed(board_id, question.now)
                    if state.definition != before.definition:
                        outcomes = [_judged(*each, state.definition) for each in zip(commands, outcomes, strict=True)]
                elif question is Missing.MEMBER:
                    _give_place(commands[place].user_id, state, stores, again=place in absent)
                    absent.add(place)
                elif _give(question, commands[place], stores):
                    asked.add(place)
                if kind in _ASKED_BY_ALL:
                    given.add(kind)
            except ScoreboardError as error:
                outcomes[place] = error
        were_waiting, waiting = len(waiting), [place for place in waiting if outcomes[place] is None]
        tries = 0 if len(waiting) < were_waiting else tries + 1
    return [LeaderboardRebuilding() if outcome is None else outcome for outcome in outcomes], state.definition


def _judged(
    command: ScoreEntry, outcome: AcceptedEntry | ScoreboardError | None, board: BoardDefinition
) -> AcceptedEntry | ScoreboardError | None:
    """The outcome, or of an entry that has none yet the refusal by rules that are new."""
    if outcome is None:
        try:
            check_entry(command, board)
        except ScoreboardError as error:
            return error
    return outcome


def _in_turn(waiting: Sequence[int], commands: Sequence[ScoreEntry], asked: Collection[int]) -> list[int]:
    """Those that may be sent now. The script may have a question about an idempotency key alone: the player's next entry waits
    for the answer.
    """
    ready: list[int] = []
    held: set[str] = set()
    for place in waiting:
        command = commands[place]
        if command.user_id not in held:
            ready.append(place)
            if command.key_id and place not in asked:
                held.add(command.user_id)
    return ready


def _give(missing: Missing, command: ScoreEntry, stores: Writing) -> bool:
    """As give_missing."""
    if missing is Missing.SERVER_KEY and command.server_key is not None:
        key_id = command.server_key.key_id
        stores.known_server_keys.remember(key_id, stores.server_keys.good(key_id))
        return False
    return give_missing(missing, command, stores.leaderboard, stores, stores.ledger, stores.publisher)


def _give_place(user_id: str, state: BoardState, stores: Writing, *, again: bool) -> None:
    """For one who was shown or hidden a moment ago; raises LeaderboardRebuilding where the score is lost: nobody had to be moved
    `again`. The first time a moderator may have moved them between the question and now.
    """
    board_id = state.definition.board_id
    moved = settle(
        lambda: stores.hidden_players.on([board_id], [user_id])[board_id],
        lambda hidden: stores.entries.place("hide" if hidden else "show", state, [user_id]),
    )
    if again and not moved and not knows_less(user_id, stores):
        stores.leaderboard.suspect([user_id])  # within a minute the right score is back
        raise LeaderboardRebuilding(retry_after_seconds=30)


def _is_reserved(command: ScoreEntry, shard: Writing, first: Writing) -> bool:
    """Whether the ticket of an entry may be spent in a further shard. One that was spent before on the very entry that is sent
    again may: then the shard is told what the entry was answered first.
    """
    if _reserve(command, first):
        return True
    result = shard.ledger.first_result(command.key_id) if command.key_id else None
    if result is None:
        return False
    shard.leaderboard.remember([result])
    return True


def _reserve(command: ScoreEntry, first: Writing) -> bool:
    not_in_ledger = False
    for _ in range(MAX_TRIES):
        answer = first.entries.reserve_ticket(command, not_in_ledger=not_in_ledger)
        if isinstance(answer, bool):
            return answer
        if answer is Missing.EPOCH:
            open_epoch(first.leaderboard, first.ledger)
        elif first.ledger.has_accepted(command.request_id):
            return False
        else:
            not_in_ledger = True
    raise LeaderboardRebuilding


def _event(command: ScoreEntry, accepted: AcceptedEntry, shard: str) -> ScoreAccepted:
    return ScoreAccepted(
        accepted.request_id,
        accepted.user_id,
        command.value,
        accepted.places[0].score,
        accepted.accepted_at,
        command.source_ip,
        accepted.number,
        accepted.outbox_id or "",
        command.key_id,
        board_id=command.board_id,
        second=command.second,
        metadata=command.metadata,
        places=accepted.text,
        writer=command.writer,
        shard=shard,
    )
