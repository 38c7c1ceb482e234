"""Have the stores know whose they are: nothing is written beside what other keys have sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.audit.entries import Seal
from shared.core.errors import ForeignStores, KeysStillNeeded, RedisUnavailable
from shared.core.logs import get_logger
from shared.core.secret_keys import PAYLOAD, KeyPrint
from shared.operations.installation import NEEDED_SECONDS, Installation, KnownKey, current_keys, holder_of

if TYPE_CHECKING:
    from shared.audit.hmac_seals import SealSigner
    from shared.audit.redis import SealAnchor
    from shared.operations.postgresql import Installations
    from shared.operations.rabbitmq import BrokerMark
    from shared.operations.redis import BoardMark


# An older version's stores are ours when one of so many of their newest seals is.
SEALS_LOOKED_AT = 40
_SETTINGS = {"payload": "PAYLOAD_KEYS", "signing": "JWT_SIGNING_KEY"}
_WAY_OUT = """\
Copy the keys from the instance or the backup that has them:
  scoreboard keys export keys.json      there
  scoreboard keys import keys.json      here, then start again
or set PAYLOAD_KEYS and JWT_SIGNING_KEY (on AWS in the secret that SCOREBOARD_SECRET_ID names). A key that was replaced stays
behind the new one as long as it is needed. To begin anew, name empty stores."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ownership:
    """The ports that know whose the stores are, and the keys of this instance in their order.

    `further` are the marks of further shards. `gives_up`: the instance has others, which are about to be given up;
    KeysStillNeeded says which cannot be yet.
    """

    installations: Installations
    board: BoardMark
    broker: BrokerMark
    signer: SealSigner
    anchor: SealAnchor
    keys: Sequence[KeyPrint]
    gives_up: bool = False
    further: Sequence[BoardMark] = ()


def refuse_strangers(own: Ownership) -> None:
    """Before anything is written: raises ForeignStores when these keys cannot read what is there.

    Stores that a version without identities has filled are ours when our keys have sealed their audit log, or nothing has yet.
    """
    installation, holder = own.installations.read(), own.board.holder()
    if installation is None:
        if holder is not None:
            raise ForeignStores(
                f"DATABASE_URL leads to an empty database, and REDIS_URL to the Redis of the installation {holder}, whose ledger"
                " is elsewhere: correct DATABASE_URL, or restore the database from its backup. To begin anew, empty Redis, too."
            )
    elif installation.installation_id is None:
        _see_that_seals_are_ours(own, is_marked=holder is not None)
    else:
        _see_that_redis_is(installation.installation_id, holder)
        for shard in own.further:
            _see_that_shard_is(installation.installation_id, shard)
        _see_that_keys_suffice(own, installation, asks_stores=True)


def claim_stores(own: Ownership) -> str:
    """Write the identity where there is none, and remember the keys; answer the id. Of several that begin at once one wins.

    Raises ForeignStores, having written nothing, when the stores belong to others by now. Called after the migrations.
    """
    current = current_keys(own.keys)
    with own.installations.alone() as record:
        installation = record.read() or Installation(None)
        installation_id = installation.installation_id
        if installation_id is None:
            # An older version may have sealed with any of its keys; which, nothing tells.
            retired = [key for key in own.keys if key not in current]
            installation_id = own.board.holder() or current[0].fingerprint
            record.begin(installation_id)
        else:
            _see_that_keys_suffice(own, installation, asks_stores=False)
            known = {one.key for one in installation.keys}
            retired = [key for key in own.keys if key in known and key not in current]
        forgotten = [one.key for one in installation.missing(own.keys)]
        record.remember(current, retired, forgotten)
    _mark(own, installation_id)
    if forgotten:
        _log.warning("keys are given up: what they made is refused", extra={"keys": [key.key_id for key in forgotten]})
    return installation_id


def _mark(own: Ownership, installation_id: str) -> None:
    _see_that_redis_is(installation_id, own.board.mark(installation_id))
    for shard in own.further:
        _see_that_shard_is(installation_id, shard, marks=True)
    _see_that_the_broker_is(installation_id, own.broker.mark(installation_id))


def _see_that_shard_is(installation_id: str, shard: BoardMark, *, marks: bool = False) -> None:
    """One that is away holds up nobody: it is looked at again before its boards are filled, and with every probe."""
    try:
        holder = shard.mark(installation_id) if marks else shard.holder()
    except RedisUnavailable:
        _log.warning("a shard does not answer: its boards are away", extra={"shard": shard.shard})
        return
    if holder not in (None, holder_of(installation_id, shard.shard)):
        raise ForeignStores(
            f"REDIS_SHARDS: `{shard.shard}` leads to the Redis of {holder} instead of"
            f" {holder_of(installation_id, shard.shard)}: correct it. If a copy belongs here from now on, delete its key"
            " `installation` behind the prefix."
        )


def _see_that_redis_is(installation_id: str, holder: str | None) -> None:
    if holder not in (None, installation_id):
        raise ForeignStores(
            f"REDIS_URL leads to the Redis of the installation {holder}, DATABASE_URL to the database of {installation_id}:"
            " correct the one that is wrong. If a copy belongs here from now on, delete its key `installation`."
        )


def _see_that_the_broker_is(installation_id: str, holder: str) -> None:
    if holder != installation_id:
        raise ForeignStores(
            f"AMQP_URL leads to the broker of the installation {holder}, DATABASE_URL to the database of {installation_id}:"
            " correct the one that is wrong. If a copy belongs here from now on, delete its exchange `scoreboard_installation`."
        )


def _see_that_seals_are_ours(own: Ownership, *, is_marked: bool) -> None:
    """A Redis that is marked already belongs to the same installation only if it remembers a seal of ours."""
    anchor, seals = own.anchor.get(), own.installations.newest_seals(SEALS_LOOKED_AT)
    if anchor is not None:
        seals = [anchor] if is_marked else [*seals, anchor]
    if not seals or any(_is_ours(own, seal) for seal in seals):
        return
    own_ids = {key.key_id for key in own.keys if key.purpose == PAYLOAD}
    problems = [
        f"PAYLOAD_KEYS: `{key_id}` is another key than the `{key_id}` that signed the seals of the audit log"
        if key_id in own_ids
        else f"PAYLOAD_KEYS: `{key_id}` is missing, with which the seals of the audit log are signed"
        for key_id in sorted({seal.signature.key_id for seal in seals})
    ]
    raise ForeignStores(_refusal(own, problems))


def _see_that_keys_suffice(own: Ownership, installation: Installation, *, asks_stores: bool) -> None:
    """`asks_stores`: also for keys that were replaced long ago, what is still there of what they have sealed."""
    problems = [
        f"{_SETTINGS[known.key.purpose]}: `{known.key.key_id}` is another key here than in the stores"
        f" (fingerprint {_fingerprint_of(own, known)} instead of {known.key.fingerprint})"
        for known in installation.replaced(own.keys)
    ]
    for known in installation.missing(own.keys):
        reason = _why_needed(known) or (_what_it_sealed(own, known) if asks_stores else "")
        if reason:
            problems.append(_needed(known, reason, gives_up=own.gives_up))
    if problems and own.gives_up:
        raise KeysStillNeeded(f"old keys are still needed: {'; '.join(problems)}")
    if problems:
        raise ForeignStores(_refusal(own, problems))


def _needed(known: KnownKey, reason: str, *, gives_up: bool) -> str:
    key_id, seconds = known.key.key_id, known.retired_seconds
    if not gives_up:
        return f"{_SETTINGS[known.key.purpose]}: `{key_id}` is missing: {reason}"
    if seconds is not None and seconds < NEEDED_SECONDS:
        left = (NEEDED_SECONDS - seconds) // 60 + 1
        return f"`{key_id}` was replaced {_minutes(seconds // 60)} ago; try again in {_minutes(left)}"
    return f"`{key_id}`: {reason}"


def _minutes(count: float) -> str:
    return f"{count:.0f} minute{'' if count == 1 else 's'}"


def _why_needed(known: KnownKey) -> str:
    """Why no start can do without this key, "" when one may. Replaced signing keys are given up at once: others may know them."""
    is_payload, seconds = known.key.purpose == PAYLOAD, known.retired_seconds
    if seconds is None:
        return "it seals messages and signs the audit log" if is_payload else "it signs access tokens"
    if is_payload and seconds < NEEDED_SECONDS:
        most = NEEDED_SECONDS // 60
        return f"it was replaced {_minutes(seconds // 60)} ago, and what it sealed is on its way for up to {most}"
    return ""


def _what_it_sealed(own: Ownership, known: KnownKey) -> str:
    """What nobody could read or verify any more without a replaced key; "" for nothing."""
    if known.key.purpose != PAYLOAD:
        return ""
    if _is_end_of_chain_signed_with(own, known.key.key_id):
        return "the newest seal of the audit log is signed with it, until the next one is"
    sealed, kept_whole = own.installations.kept_letters(known.key.key_id)
    if sealed:
        return f"{sealed} messages that the ledger did not take are sealed with it: see `dead-letters list`"
    updates, dead_letters = own.broker.waiting()
    if updates:
        return f"{updates} updates in the queues may be sealed with it, until they are recorded"
    if dead_letters > kept_whole:
        return f"{dead_letters - kept_whole} dead letters may be sealed with it: see `dead-letters list`"
    return ""


def see_that_keys_fit(own: Ownership) -> None:
    """For whoever cannot open a message: raises ForeignStores when that is for want of a key that the stores know.

    Another instance has put new keys in use, or this one never had those it needs: the message is in order.
    """
    installation = own.installations.read() or Installation(None)
    lacking = [known.key for known in installation.replaced(own.keys) + installation.missing(own.keys)]
    problems = [f"PAYLOAD_KEYS: `{key.key_id}` is missing" for key in lacking if key.purpose == PAYLOAD]
    if problems:
        raise ForeignStores(_refusal(own, problems))


def mark_again(own: Ownership) -> None:
    """After Redis or RabbitMQ came back empty; raises ForeignStores when others have marked them meanwhile."""
    installation = own.installations.read()
    if installation is not None and installation.installation_id is not None:
        _mark(own, installation.installation_id)


def _is_end_of_chain_signed_with(own: Ownership, key_id: str) -> bool:
    """Whether no seal of ours is newer. What Redis remembers was the newest one, whatever else somebody may have written."""
    anchor = own.anchor.get()
    if anchor is not None and _is_ours(own, anchor):
        return False
    seals = [*own.installations.newest_seals(SEALS_LOOKED_AT), *([anchor] if anchor else [])]
    newest_of_it = max((seal.seq for seal in seals if seal.signature.key_id == key_id), default=None)
    newest_of_ours = max((seal.seq for seal in seals if _is_ours(own, seal)), default=0)
    return newest_of_it is not None and newest_of_it > newest_of_ours


def _is_ours(own: Ownership, seal: Seal) -> bool:
    return seal.is_consistent and own.signer.verify(seal.hash, seal.signature) is True


def _fingerprint_of(own: Ownership, known: KnownKey) -> str:
    name = (known.key.purpose, known.key.key_id)
    return next(key.fingerprint for key in own.keys if (key.purpose, key.key_id) == name)


def _refusal(own: Ownership, problems: Sequence[str]) -> str:
    here = ", ".join(f"`{key.key_id}`" for key in own.keys)
    lines = "\n  ".join(problems)
    return (
        f"the stores hold what the keys of this instance cannot read, and nothing is written beside it:\n  {lines}\n"
        f"It has only {here}. {_WAY_OUT}"
    )
