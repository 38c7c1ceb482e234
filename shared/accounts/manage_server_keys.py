"""Make, rotate and revoke the keys of games' servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shared.accounts.server_key import KEY_ID, GoodKey, ServerCredential, mint, parse_new_key, parse_server_key
from shared.core.errors import InvalidServerKey, NotItsBoard, NotItsScope, UnknownServerKey
from shared.stores.actor import Actor
from shared.stores.everywhere import everywhere
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.accounts.server_keys_postgresql import ServerKeys
    from shared.accounts.server_keys_redis import KnownServerKeys


class ServerKeyStores(Protocol):
    """Where they stand."""

    @property
    def server_keys(self) -> ServerKeys:
        """Of record."""
        ...

    @property
    def known_server_keys(self) -> KnownServerKeys:
        """As scripts look at them."""
        ...


class EveryServerKeyStore(ServerKeyStores, Protocol):
    """Where they stand, in all shards."""

    @property
    def everywhere(self) -> Sequence[ServerKeyStores]:
        """Each shard."""
        ...


def create_server_key(
    body: Mapping[str, Any], actor: Actor, stores: ServerKeyStores, attempt: Attempt = not_kept
) -> dict[str, Any]:
    """`{keyId, name, boards, scopes, key}`, the key this once; raises InvalidParameter."""
    name, boards, scopes = parse_new_key(body)
    minted = mint()
    told = {"keyId": minted.credential.key_id, "name": name, "boards": boards, "scopes": scopes, "key": minted.text}
    stores.server_keys.add(minted.credential, name, boards, scopes, actor, attempt(told))
    return told


def rotate_server_key(key_id: str, actor: Actor, stores: EveryServerKeyStore, attempt: Attempt = not_kept) -> dict[str, str]:
    """`{keyId, key}`, the key this once: the one before is refused with the next request. Raises UnknownServerKey.

    When Redis is away it is committed all the same, and asking again makes it known: the old one is good for 15 minutes at most.
    """
    if not KEY_ID.fullmatch(key_id):
        raise UnknownServerKey
    minted = mint(key_id)
    told = {"keyId": key_id, "key": minted.text}
    _change(key_id, stores.server_keys.rotate(minted.credential, actor, attempt(told)), stores)
    return told


def good_key(credential: ServerCredential, stores: ServerKeyStores) -> GoodKey:
    """What the key that was shown is good for; raises InvalidServerKey."""
    known = stores.known_server_keys.get(credential.key_id)
    if known is None:
        known = stores.server_keys.good(credential.key_id)
        stores.known_server_keys.remember(credential.key_id, known)
    if not known or known.key_hash != credential.key_hash:
        raise InvalidServerKey
    return known


def check_server_key(text: str, board_id: str, scope: str, stores: ServerKeyStores) -> ServerCredential:
    """The key that was shown; raises InvalidServerKey, NotItsBoard when it is good for other boards, and NotItsScope."""
    credential = parse_server_key(text)
    known = good_key(credential, stores)
    if known.boards is not None and board_id not in known.boards:
        raise NotItsBoard
    if scope not in known.scopes:
        raise NotItsScope(
            f"This server key lacks the scope `{scope}` (it has {', '.join(known.scopes)}). Ask an admin for a key that has it."
        )
    return credential


def spread_server_key(key_id: str, stores: EveryServerKeyStore) -> None:
    """Tell Redis again what counts of a key."""
    _change(key_id, stores.server_keys.good(key_id), stores)


def revoke_server_key(key_id: str, actor: Actor, stores: EveryServerKeyStore) -> None:
    """It is refused with the next request; raises UnknownServerKey, and what is said of Redis for rotate_server_key holds."""
    stores.server_keys.revoke(key_id, actor)
    _change(key_id, None, stores)


def _change(key_id: str, known: GoodKey | None, stores: EveryServerKeyStore) -> None:
    everywhere(stores.everywhere, lambda shard: shard.known_server_keys.change(key_id, known))
