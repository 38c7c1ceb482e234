"""Reads REDIS_SHARDS: the places of the shards beside the first one, which REDIS_URL and KEY_PREFIX name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.redis_url import RedisUrl

# The shard of `main`, and of everything that is not a board's.
FIRST = "main"
FORM = "blue=redis://:password@host:6379/0 green=#{scoreboard-green}:"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")


class ShardPlace(NamedTuple):
    """Where a shard is: the URL of its Redis, "" for the one of REDIS_URL, and what its keys begin with."""

    name: str
    url: str
    key_prefix: str

    def __repr__(self) -> str:
        """Without the password that is in the URL."""
        return f"ShardPlace({self.name!r})"

    def of(self, redis_url: str) -> ShardPlace:
        """With the URL that counts."""
        return self._replace(url=self.url or redis_url)


def shard_places(raw: str) -> tuple[ShardPlace, ...]:
    """Read `name=url#prefix`, separated by white space; raises ValueError that says what is wrong with which."""
    places: dict[str, ShardPlace] = {}
    for number, word in enumerate(raw.split(), 1):
        name, sign, rest = word.partition("=")
        if not sign or not _NAME.fullmatch(name):  # it may be a part of a URL, with a password in it
            raise ValueError(f"has no name of at most 20 characters a-z, 0-9, _ or - before the = of its shard {number}")
        if name == FIRST:
            raise ValueError(f"names a shard `{FIRST}`, as the first one is called: choose another name")
        if name in places:
            raise ValueError(f"names the shard `{name}` twice")
        url, _, prefix = rest.partition("#")
        if not url and not prefix:
            raise ValueError(f"does not say where the shard `{name}` is: a URL, or # and the prefix of its keys, or both")
        places[name] = ShardPlace(name, url, prefix)
    return tuple(places.values())


def check_places(places: Sequence[ShardPlace], redis_url: str, key_prefix: str) -> list[str]:
    """What is wrong with them beside the first shard: URLs that cannot be read, one place for two of them."""
    problems: list[str] = []
    taken = {_place(redis_url, key_prefix): FIRST}
    for place in places:
        where = place.of(redis_url)
        try:
            RedisUrl.parse(where.url, key=where.key_prefix, name=f"the shard `{where.name}` in REDIS_SHARDS")
        except ConfigurationError as error:
            problems.append(str(error))
            continue
        other = taken.setdefault(_place(where.url, where.key_prefix), where.name)
        if other != where.name:
            problems.append(
                f"REDIS_SHARDS: the shards `{other}` and `{where.name}` are one place: give one of them another prefix"
                " behind its #, or another server"
            )
    return problems


def _place(url: str, key_prefix: str) -> tuple[frozenset[str], str, str]:
    """The same for one place, whichever account and options are used."""
    try:
        servers = [urlsplit(one) for one in each_host(url)]
        hosts = frozenset(f"{server.hostname or ''}:{server.port or 6379}" for server in servers)
        return hosts, servers[0].path.strip("/") or "0", key_prefix
    except ValueError:
        return frozenset({url}), "", key_prefix
