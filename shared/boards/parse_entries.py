"""Read what is to be written to a board: by a player, or by a game's server for several of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from shared.accounts.player import Caller
from shared.accounts.server_key import BEGINNING, ServerCredential, parse_server_key
from shared.boards.definition import BoardDefinition
from shared.boards.entry import ScoreEntry, check_values, parse_values
from shared.boards.update_score import key_id_of
from shared.core.errors import Forbidden, InvalidParameter, ScoreboardError
from shared.core.ids import canonical_id, new_request_id
from shared.stores.idempotency import checked_key

MAX_BATCH, MAX_ID_LENGTH = 100, 36


def writer_of(token: str, identify: Callable[[str], Caller]) -> Caller | ServerCredential:
    """Who writes: a game's server with its key, or whom `identify` finds in an access token; raises InvalidServerKey and what
    that raises.
    """
    return parse_server_key(token) if token.startswith(BEGINNING) else identify(token)


def check_entry(entry: ScoreEntry, board: BoardDefinition) -> None:
    """Whether the board takes what was read by other rules of it; raises Forbidden, ValueOutOfBounds or InvalidParameter."""
    _check_writer(board, is_server=entry.server_key is not None)
    check_values(entry.value, entry.second, entry.metadata, board)


def _check_writer(board: BoardDefinition, *, is_server: bool) -> None:
    if not is_server and board.write != "player":
        raise Forbidden("Only the game's server may write to this board, with its server key.")
    if is_server and board.write != "server":
        raise Forbidden("Players write to this board themselves. It takes server keys when `write` is `server`.")


def parse_entry(
    user_id: str,
    body: Mapping[str, Any],
    writer: Caller | ServerCredential,
    source_ip: str,
    board: BoardDefinition,
    *,
    api_key: str | None,
    key: str | None,
) -> ScoreEntry:
    """Read `{"value": …, "second"?, "metadata"?}`, other members are ignored; `key` names the entry, so that it counts once.

    Raises NotYourScore, Forbidden, ValueOutOfBounds or InvalidParameter.
    """
    if isinstance(writer, Caller):
        writer.must_own(user_id)
    _check_writer(board, is_server=not isinstance(writer, Caller))
    value, second, metadata = parse_values(body, board)
    return ScoreEntry(
        new_request_id(),
        board.board_id,
        user_id,
        value,
        second,
        metadata,
        source_ip,
        None if api_key is None else hashlib.sha256(api_key.encode()).hexdigest(),
        key_id_of(f"{user_id}\n{board.board_id}", key),
        session_id=writer.session_id if isinstance(writer, Caller) else "",
        server_key=None if isinstance(writer, Caller) else writer,
    )


def parse_batch(
    body: Mapping[str, Any],
    writer: Caller | ServerCredential,
    source_ip: str,
    board: BoardDefinition,
    *,
    idempotency_key: str | None = None,
) -> list[ScoreEntry | ScoreboardError]:
    """Read `{"entries": [{"userId", "value", "second"?, "metadata"?, "idempotencyKey"?}]}`: what can be read of each, in order.

    With an `idempotency_key` of the batch each entry that has none of its own has one by its place in it.

    Raises Forbidden or InvalidParameter when it is no batch, or not of a game's server.
    """
    if isinstance(writer, Caller):
        raise Forbidden("Entries of several players are for the game's server, with its server key.")
    entries = body.get("entries")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_BATCH:
        raise InvalidParameter(f"`entries` must be a list of 1 to {MAX_BATCH} entries.")
    batch_key = checked_key(idempotency_key)
    found: list[ScoreEntry | ScoreboardError] = []
    for place, each in enumerate(entries):
        # With a space, which is in no key that a client could send.
        key = None if batch_key is None else f"{batch_key} {place}"
        try:
            found.append(_parse_one(each, writer, source_ip, board, key))
        except ScoreboardError as error:
            found.append(error)
    return found


def _parse_one(
    each: object, writer: ServerCredential, source_ip: str, board: BoardDefinition, key_of_batch: str | None
) -> ScoreEntry:
    if not isinstance(each, dict):
        raise InvalidParameter("An entry is an object with `userId` and `value`.")
    user_id, key = each.get("userId"), each.get("idempotencyKey")
    if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_ID_LENGTH or not user_id.isprintable():
        raise InvalidParameter(f"`userId` must be a player's id, of 1 to {MAX_ID_LENGTH} characters.")
    if key is not None and not isinstance(key, str):
        raise InvalidParameter("`idempotencyKey` must be a text.")
    key = key_of_batch if key is None else checked_key(key, "idempotencyKey")
    return parse_entry(canonical_id(user_id), each, writer, source_ip, board, api_key=None, key=key)
