"""Carry out a request that has an Idempotency-Key once, however often it is sent, and give its first answer again.

As the IETF draft httpapi-idempotency-key-header has it: the same key with another request is 422, a second try while the first
one runs waits for it or is 409. Refusals are not kept: they changed nothing, and the next try may succeed. An answer is kept
for 24 h, in the transaction of the change where there is one: so there is never a change without its answer, nor an answer alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from shared.core.errors import BadMessage, IdempotencyKeyReused, RequestInProgress
from shared.core.invocation import note
from shared.stores.idempotency import Attempt, KeptAnswer, checked_key, key_hash, not_kept

if TYPE_CHECKING:
    from shared.stores.kept_answers import KeptAnswers
    from shared.stores.sealing import Sealer


LOOK_AGAIN_SECONDS = 1.0  # most requests are answered long before
MAX_TRIES = 3


class HttpRequest(Protocol):
    """What is read of a request."""

    @property
    def route_key(self) -> str:
        """Method and path, with the names of its parameters."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in small letters."""
        ...

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """By their names."""
        ...

    @property
    def query(self) -> Mapping[str, str]:
        """By their names."""
        ...


class Memory(Protocol):
    """Remembers answers, which only the client gets again."""

    @property
    def kept_answers(self) -> KeptAnswers:
        """By the hashes of keys."""
        ...

    def sealer_under(self, secret: str) -> Sealer:
        """Seals for a client with this secret."""
        ...


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request to be carried out once: its key, None without one; to what the key belongs; all that the request says."""

    key: str | None = field(repr=False)
    scope: str
    bound: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request, as JSON, and whether that is its first answer given again."""

    data: Any = field(repr=False)
    is_replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Say so."""
        return {"Idempotency-Replayed": "true"} if self.is_replayed else {}


def keyed(request: HttpRequest, scope: str, said: object = None) -> KeyedRequest:
    """A request with its key, if it has one; raises InvalidParameter for one that is none.

    `scope` is the account that the key belongs to. `said` is what the body says but for passwords: from what is bound to them
    whoever knows server's and client's keys could find a password out; they are compared with the account's hash instead.
    """
    key = checked_key(request.headers.get("idempotency-key"))
    bound = [scope, request.route_key, dict(request.path_parameters), dict(request.query), said]
    return KeyedRequest(key, scope, json.dumps(bound, sort_keys=True).encode())


def answer_once(
    request: KeyedRequest,
    memory: Memory,
    carry_out: Callable[[Attempt], Any],
    *,
    proves_password: Callable[[], bool] | None = None,
    complete: Callable[[Any], object] | None = None,
    is_claimed: bool = False,
) -> Answer:
    """What `carry_out` gives, or gave the first time; raises IdempotencyKeyReused and RequestInProgress.

    `carry_out` is given what seals its answer, and has it kept by the transaction of its change. With `is_claimed` the key is
    claimed before and the answer kept afterwards: for what several stores take part in, and may be done again after a crash.
    Before an answer is given again, `proves_password` says whether the password in the request is the account's, and
    `complete` tells the other stores what the first try may have died before.
    """
    if request.key is None:
        return Answer(carry_out(not_kept))
    name, sealer = key_hash(request.scope, request.key), memory.sealer_under(request.key)

    def attempt(answer: object) -> KeptAnswer:
        return KeptAnswer(name, sealer.seal(json.dumps(answer).encode(), request.bound))

    for _ in range(MAX_TRIES):
        first = memory.kept_answers.find(name)
        if first is None:
            try:
                return Answer(_claimed(name, memory.kept_answers, attempt, carry_out) if is_claimed else carry_out(attempt))
            except RequestInProgress:
                continue  # another try was faster: here is its answer, or it is under way
        if first.sealed is None:
            raise RequestInProgress(retry_after_seconds=min(LOOK_AGAIN_SECONDS, first.remaining_seconds))
        try:
            data = json.loads(sealer.open(first.sealed, request.bound))
        except BadMessage:
            raise IdempotencyKeyReused from None
        if proves_password is not None and not proves_password():
            raise IdempotencyKeyReused
        if complete is not None:
            complete(data)
        note(replayed=True)
        return Answer(data, is_replayed=True)
    raise RequestInProgress


def _claimed(
    name: str, answers: KeptAnswers, attempt: Callable[[object], KeptAnswer], carry_out: Callable[[Attempt], Any]
) -> Any:
    answers.claim(name)
    try:
        data = carry_out(not_kept)
    except Exception:
        answers.release(name)
        raise
    answers.settle(attempt(data))
    return data
