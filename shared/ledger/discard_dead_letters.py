"""Take dead letters out of the accepted updates, for good: an operator's decision, which is audited."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from shared.core.errors import InvalidParameter, RabbitUnavailable
from shared.ledger.dead_letter import Choice
from shared.ledger.letter_stores import LetterStores, sift, sift_if_out_of_step
from shared.ledger.redrive_dead_letters import MAX_LIMIT, PATIENCE_SECONDS, Outcomes, outcome_of, parse_choice, report, unmoved
from shared.stores.actor import Actor

MAX_REASON_LENGTH = 500


def parse_discard(body: Mapping[str, Any]) -> tuple[Choice, str]:
    """Read `{"ids": [...] | "requestIds": [...] | "all": true, "reason": "..."}`; raises InvalidParameter."""
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_REASON_LENGTH or "\0" in reason:
        raise InvalidParameter(f"`reason` must say in 1 to {MAX_REASON_LENGTH} characters why they are discarded.")
    everything = body.get("all", False)
    if type(everything) is not bool or everything == ("ids" in body or "requestIds" in body):
        raise InvalidParameter("Name those to discard by `ids` or `requestIds`, or send `all` with the value true.")
    return parse_choice({"limit": MAX_LIMIT, **body}), reason.strip()


def discard_dead_letters(choice: Choice, reason: str, actor: Actor, stores: LetterStores) -> dict[str, Any]:
    """Mark them as discarded: they stay in PostgreSQL, whole, and their points count no longer as accepted.

    Returns `{"discarded": n, "left": n, "outcomes": {outcome: n}, "letters": [...]}` as redrive_dead_letters. The broker's copies
    go at once, or when the broker is back.
    """
    sift_if_out_of_step(stores)
    ids = stores.letters.choose(choice, patience_seconds=PATIENCE_SECONDS)
    settled = stores.letters.discard(ids, reason, actor)
    outcomes: Outcomes = {letter_id: outcome_of(letter_id, None, "already_recorded") for letter_id in settled.recorded}
    for whole in settled.letters:
        outcomes[whole.letter.id] = outcome_of(whole.letter.id, whole.letter.request_id, "discarded", reason)
    with suppress(RabbitUnavailable):
        sift(stores)
    others = unmoved(choice.ids, choice.request_ids, outcomes, stores)
    return {"discarded": len(settled.letters), **report([*outcomes.values(), *others], stores)}
