"""Rings of connections: who is sent the same frames, in shards, and what is posted to some of them at a time."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from shared.viewers.frame import Frame

if TYPE_CHECKING:
    from shared.stores.keys import ShardKeys, ViewersKeys

SHARDS, VIEW_SHARDS = 16, 4


class Ring(NamedTuple):
    """Connections that are sent the same frames: those of `main`, or of a view; in so many shards."""

    keys: ViewersKeys
    shards: int
    view: str = ""

    @property
    def places(self) -> list[Place]:
        """All its shards."""
        return [Place(self, shard) for shard in range(self.shards)]

    def place_of(self, connection_id: str) -> Place:
        """The shard that a connection is in."""
        return Place(self, crc32(connection_id.encode()) % self.shards)


class Place(NamedTuple):
    """A shard of a ring."""

    ring: Ring
    shard: int

    @property
    def connections(self) -> str:
        """The key of the connections there."""
        return self.ring.keys.connections(self.shard)

    @property
    def since(self) -> str:
        """The key of when they came."""
        return self.ring.keys.since(self.shard)

    @property
    def owed(self) -> str:
        """The key of those who are owed a frame."""
        return self.ring.keys.owed(self.shard)

    @property
    def round(self) -> str:
        """The key of how far the newest frame has come."""
        return self.ring.keys.round(self.shard)


def ring_of_main(keys: ShardKeys) -> Ring:
    """Those who are sent `main`."""
    return Ring(keys.viewers, SHARDS)


def ring_of_view(keys: ShardKeys, name: str) -> Ring:
    """Those who watch a view of another board."""
    return Ring(keys.view(name), VIEW_SHARDS, name)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Viewers of one shard who are to be posted the frame; the shard is the holder's until it is settled."""

    place: Place
    holder: str
    frame: Frame
    connection_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Throttled:
    """There are viewers to be posted to, but requests for them only in a while."""

    seconds: float


@dataclass(slots=True)
class Outcome:
    """Who was served, who is gone and whose post failed; `forfeited` requests the gateway had no room for."""

    served: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    forfeited: int = 0


def new_holder() -> str:
    """A name for somebody who takes chunks."""
    return secrets.token_hex(8)
