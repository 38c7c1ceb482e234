"""Have dead letters recorded after all, when the cause is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from shared.core.errors import InvalidParameter, RabbitUnavailable
from shared.core.ids import canonical_id
from shared.ledger.dead_letter import DISCARDED, PARKED, REDRIVEN, WAITING, Choice, WholeLetter
from shared.ledger.letter_stores import LetterStores, opened, sift, with_body
from shared.stores.actor import Actor

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
MAX_NAMED = 1000
_MAX_ID = 2**63 - 1
CHUNK = 200
# One whose outcome is not known after this time may be published once more.
PATIENCE_SECONDS = 30.0
UNCONFIRMED_SECONDS = 3.0
FIRST_POLL_SECONDS, POLL_SECONDS = 0.02, 0.25
SHOWN_IDS = 100
Outcomes = dict[int, dict[str, Any]]


def parse_choice(body: Mapping[str, Any]) -> Choice:
    """Read `{"limit"?: n, "ids"?: [...], "requestIds"?: [...]}`; raises InvalidParameter.

    A list that is null or empty is refused: it does not mean all of them.
    """
    limit = body.get("limit", DEFAULT_LIMIT)
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidParameter(f"`limit` must be an integer from 1 to {MAX_LIMIT}.")
    return Choice(limit, _listed(body, "ids", int), _listed(body, "requestIds", str))


def _listed(body: Mapping[str, Any], name: str, kind: type) -> tuple[Any, ...]:
    if name not in body:
        return ()
    values = body[name]
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_NAMED or not all(type(value) is kind for value in values):
        what = "ids of dead letters" if kind is int else "request ids"
        raise InvalidParameter(f"`{name}` must be a list of 1 to {MAX_NAMED} {what}, or left out.")
    if kind is int and not all(0 < value <= _MAX_ID for value in values):
        raise InvalidParameter(f"`{name}` must be ids of dead letters.")
    return tuple(map(canonical_id, values)) if kind is str else tuple(values)


def redrive_dead_letters(choice: Choice, actor: Actor, stores: LetterStores, wait_seconds: float) -> dict[str, Any]:
    """Publish them again and wait, at most `wait_seconds`, for what becomes of each; audited.

    Returns `{"redriven": n, "left": n, "outcomes": {outcome: n}, "letters": [{"id", "requestId", "outcome", "reason"}]}`. An
    outcome is `recorded`, `already_recorded`, `returned` (refused again, for `reason`), `moved` (published, not known yet),
    `discarded` or `not_found`.

    A message is noted as redriven before it is published, and stays in PostgreSQL until the ledger has it: whatever is killed
    meanwhile, it is published again or found parked, and counts once. Raises RabbitUnavailable when nothing could be published:
    then all are parked again.
    """
    deadline = stores.clock.monotonic() + wait_seconds
    sift(stores)
    ids = stores.letters.choose(choice, patience_seconds=PATIENCE_SECONDS)
    stores.ledger.audit(
        "dead_letters_redriven",
        actor=actor.name,
        user_id=None,
        detail={"letters": len(ids), "ids": ids[:SHOWN_IDS]},
        source_ip=actor.source_ip,
        request_id=actor.request_id,
    )
    outcomes: Outcomes = {}
    sent: dict[int, WholeLetter] = {}
    unconfirmed: list[int] = []
    attempted: list[int] = []
    for chunk in _chunks(ids):
        attempted += chunk
        settled = stores.letters.redrive(chunk, actor.name)
        outcomes |= {letter_id: outcome_of(letter_id, None, "already_recorded") for letter_id in settled.recorded}
        sent |= {whole.letter.id: whole for whole in settled.letters}
        try:
            stores.publisher.publish_again([with_body(whole, stores) for whole in settled.letters], redriven=True)
        except RabbitUnavailable:
            unconfirmed = [whole.letter.id for whole in settled.letters]
            deadline = min(deadline, stores.clock.monotonic() + UNCONFIRMED_SECONDS)
        if stores.clock.monotonic() > deadline or unconfirmed:
            break
    outcomes |= _awaited(sent, stores, deadline)
    if unconfirmed:
        _give_up([letter_id for letter_id in unconfirmed if outcomes[letter_id]["outcome"] == "moved"], outcomes, sent, stores)
    with suppress(RabbitUnavailable):
        sift(stores)
    others = unmoved({*attempted, *choice.ids}, choice.request_ids, outcomes, stores)
    return {"redriven": len(sent), **report([*outcomes.values(), *others], stores)}


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _awaited(sent: Mapping[int, WholeLetter], stores: LetterStores, deadline: float) -> Outcomes:
    """What became of each; `moved` where nothing is known when the time is over."""
    outcomes: Outcomes = {}
    pause = FIRST_POLL_SECONDS
    while open_ids := [letter_id for letter_id in sent if letter_id not in outcomes]:
        standing = {letter.id: letter for letter in stores.letters.named(open_ids)}
        for letter_id in open_ids:
            letter = standing.get(letter_id)
            if letter is None:
                outcomes[letter_id] = _left(sent[letter_id], stores)
            elif letter.state != REDRIVEN:
                outcome = "discarded" if letter.state == DISCARDED else "returned"
                outcomes[letter_id] = outcome_of(letter_id, letter.request_id, outcome, letter.reason)
        if stores.clock.monotonic() > deadline:
            break
        stores.clock.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS)
    moved = {letter_id: outcome_of(letter_id, sent[letter_id].letter.request_id, "moved") for letter_id in sent}
    return moved | outcomes


def _left(whole: WholeLetter, stores: LetterStores) -> dict[str, Any]:
    """A message that is not there any more is recorded; one that could not be opened before may be refused as an update now."""
    letter_id, request_id = whole.letter.id, whole.letter.request_id
    if request_id is None and whole.body is not None:
        event = opened(whole.body, stores)
        if event is None or stores.ledger.recorded(event.request_id) is None:
            named = [] if event is None else stores.letters.choose(Choice(1, request_ids=[event.request_id]), patience_seconds=0)
            reasons = [letter.reason for letter in stores.letters.named(named)]
            return outcome_of(letter_id, event and event.request_id, "returned" if reasons else "moved", *reasons)
        request_id = event.request_id
    return outcome_of(letter_id, request_id, "recorded")


def _give_up(unpublished: Sequence[int], outcomes: Outcomes, sent: Mapping[int, WholeLetter], stores: LetterStores) -> None:
    """They are parked again. Should the broker have one of them all the same, it is recorded or parked when it comes."""
    stores.letters.park_again(unpublished)
    if len(unpublished) == len(sent):
        raise RabbitUnavailable
    for letter_id in unpublished:
        outcomes[letter_id] = outcome_of(letter_id, outcomes[letter_id]["requestId"], "returned", "the broker did not take it")


def unmoved(ids: Iterable[int], request_ids: Iterable[str], known: Outcomes, stores: LetterStores) -> list[dict[str, Any]]:
    """Chosen ones with which nothing was done, and why."""
    missing = sorted(set(ids).difference(known))
    standing = {letter.id: letter for letter in stores.letters.named(missing)} if missing else {}
    told = []
    for letter_id in missing:
        letter = standing.get(letter_id)
        if letter is None:
            told.append(outcome_of(letter_id, None, "not_found"))
        else:
            outcome = {DISCARDED: "discarded", REDRIVEN: "moved"}.get(letter.state, "returned")
            told.append(outcome_of(letter_id, letter.request_id, outcome, letter.reason))
    named = {told["requestId"] for told in known.values()} | {letter.request_id for letter in standing.values()}
    for request_id in sorted(set(request_ids).difference(named)):
        outcome = "not_found" if stores.ledger.recorded(request_id) is None else "already_recorded"
        told.append(outcome_of(None, request_id, outcome))
    return told


def report(outcomes: Sequence[Mapping[str, Any]], stores: LetterStores) -> dict[str, Any]:
    """`{"left": n, "outcomes": {outcome: n}, "letters": [...]}`."""
    return {
        "left": stores.letters.count([WAITING, PARKED]),
        "outcomes": dict(Counter(told["outcome"] for told in outcomes)),
        "letters": outcomes,
    }


def outcome_of(letter_id: int | None, request_id: str | None, outcome: str, reason: str | None = None) -> dict[str, Any]:
    """What became of one."""
    return {"id": letter_id, "requestId": request_id, "outcome": outcome, "reason": reason}
