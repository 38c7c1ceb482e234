"""How players are named in the sorted sets of boards, so that equal scores stand in the order in which they were reached.

`<second column, 17 characters, on boards that have one><epoch, 8 digits><sequence, 14 digits><user id>`. A script makes them
(add_entry.lua); here they are made from what the ledger has, and read.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.boards.definition import BoardDefinition
from shared.core.limits import LARGEST
from shared.ledger.events import Number

SECOND, EPOCH, SEQUENCE = 17, 8, 14
LAST_EPOCH, LAST_SEQUENCE = 10**EPOCH - 1, 10**SEQUENCE - 1


class Member(NamedTuple):
    """`number` is that of the entry which made the present score."""

    second: int
    number: Number
    user_id: str


def member_of(board: BoardDefinition, user_id: str, second: int, number: Number) -> str:
    """The name under which a player stands."""
    epoch, sequence = number
    if board.order == "descending":  # read from the end: who came earlier has the larger name
        epoch, sequence = LAST_EPOCH - epoch, LAST_SEQUENCE - sequence
    key = ""
    if board.has_second:
        key = f"1{second:016d}" if second >= 0 else f"0{LARGEST + second:016d}"
    return f"{key}{epoch:0{EPOCH}d}{sequence:0{SEQUENCE}d}{user_id}"


def parse_member(board: BoardDefinition, member: str) -> Member:
    """The other direction; raises ValueError."""
    second = 0
    if board.has_second:
        key, member = member[:SECOND], member[SECOND:]
        second = int(key[1:]) if key[0] == "1" else int(key[1:]) - LARGEST
    epoch, sequence = int(member[:EPOCH]), int(member[EPOCH : EPOCH + SEQUENCE])
    if board.order == "descending":
        epoch, sequence = LAST_EPOCH - epoch, LAST_SEQUENCE - sequence
    return Member(second, Number(epoch, sequence), member[EPOCH + SEQUENCE :])


def user_id_in(board: BoardDefinition, member: bytes) -> str:
    """Whose member it is, or "" for what nobody of ours made."""
    try:
        return parse_member(board, member.decode()).user_id
    except (ValueError, IndexError):
        return ""
