"""Reads REDIS_URL: of one server, or of the Sentinels or the nodes of a Cluster that know which server is the primary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.redis_servers import ClusterPrimary, SentinelPrimary, has_hash_tag
from shared.core.tls import redis_options

if TYPE_CHECKING:
    from shared.core.redis_servers import FindPrimary, Places

PORT, SENTINEL_PORT = 6379, 26379
ASK_SECONDS = 1.0
_SENTINELS = "redis+sentinel://:password@sentinel-1:26379,sentinel-2:26379/primary-name/0"
_CLUSTER = "redis+cluster://:password@node-1:6379,node-2:6379"
NAME = "REDIS_URL"
_SET_PREFIX = "set KEY_PREFIX to one with a hash tag, e.g. {scoreboard}:"
_GIVE_PREFIX = "give it a prefix with a hash tag behind a #, e.g. #{scoreboard-blue}:"
_SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """`server` is the URL of a server, for redis-py; `find_primary` answers its host and port where others have to be asked.

    In a cluster, `is_cluster`, channels are sharded: what is published stays on the nodes of their slot, and crosses no others.
    """

    server: str = field(repr=False)
    find_primary: FindPrimary | None = None
    is_cluster: bool = False

    @property
    def publish(self) -> str:
        """The command that publishes to who is subscribed."""
        return "SPUBLISH" if self.is_cluster else "PUBLISH"

    @classmethod
    def parse(cls, url: str, ca_file: str = "", *, key: str = "", name: str = NAME) -> RedisUrl:
        """Read `redis://`, `redis+sentinel://` or `redis+cluster://`, or the same with `rediss`; raises ConfigurationError, which
        calls the URL by its `name`.

        Account, database and options are those of the servers; `sentinel_password` is the Sentinels' own. In a cluster the
        primary is the node that serves `key`, which all keys begin with (KEY_PREFIX).
        """
        scheme = url.partition("://")[0]
        if scheme not in _SCHEMES:
            raise ConfigurationError(f"{name} must begin with {'://, '.join(_SCHEMES)}://")
        scheme, _, kind = scheme.partition("+")
        if kind == "sentinel":
            return _of_sentinels(url, scheme, ca_file, name)
        if kind == "cluster":
            return _of_a_cluster(url, scheme, ca_file, key, name)
        if len(each_host(url)) > 1:
            raise ConfigurationError(
                f"{name} names several servers; their Sentinels know which is the primary: {_SENTINELS}, or the nodes of"
                f" a cluster: {_CLUSTER}"
            )
        return cls(url)

    def current(self) -> str:
        """URL of the server that is the primary now, for a client that is made anew for each connection."""
        if self.find_primary is None:
            return self.server
        host, port = self.find_primary()
        return self.server.replace("primary/", f"{f'[{host}]' if ':' in host else host}:{port}/", 1)


def _of_sentinels(url: str, scheme: str, ca_file: str, of: str) -> RedisUrl:
    places, account, options = _read(url, SENTINEL_PORT, _SENTINELS, of)
    name, _, database = urlsplit(each_host(url)[0]).path.lstrip("/").partition("/")
    if not name or not all(host for host, _ in places):
        raise ConfigurationError(f"{of} must name Sentinels and the primary they watch: {_SENTINELS}")
    password = options.pop("sentinel_password", [None])[0]
    primary = SentinelPrimary(places, {"password": password, **_ways(scheme, ca_file)}, unquote(name))
    return RedisUrl(_server(scheme, account, database, options), primary)


def _of_a_cluster(url: str, scheme: str, ca_file: str, key: str, of: str) -> RedisUrl:
    places, account, options = _read(url, PORT, _CLUSTER, of)
    parts = urlsplit(each_host(url)[0])
    if not all(host for host, _ in places) or parts.path not in ("", "/", "/0"):
        raise ConfigurationError(f"{of} must name nodes of the cluster, and no database but 0, for it has no other: {_CLUSTER}")
    if not has_hash_tag(key):
        raise ConfigurationError(
            f"{of} names a Redis Cluster, where all keys of a shard must lie in one hash slot:"
            f" {_SET_PREFIX if of == NAME else _GIVE_PREFIX}"
        )
    user, password = (unquote(word) if word else None for word in (parts.username, parts.password))
    primary = ClusterPrimary(places, {"username": user, "password": password, **_ways(scheme, ca_file)}, key)
    return RedisUrl(_server(scheme, account, "0", options), primary, is_cluster=True)


def _read(url: str, port: int, form: str, of: str) -> tuple[Places, str, dict[str, list[str]]]:
    """Hosts and ports, the account with its `@`, and the options."""
    try:
        each = [urlsplit(one) for one in each_host(url)]
        places = [(parts.hostname or "", parts.port or port) for parts in each]
    except ValueError:
        raise ConfigurationError(f"{of} is not a URL such as {form}") from None
    account = f"{each[0].netloc.rpartition('@')[0]}@" if "@" in each[0].netloc else ""
    return places, account, parse_qs(each[0].query)


def _server(scheme: str, account: str, database: str, options: dict[str, list[str]]) -> str:
    query = "&".join(f"{option}={value}" for option, values in options.items() for value in values)
    return f"{scheme}://{account}primary/{database or 0}{'?' if query else ''}{query}"


def _ways(scheme: str, ca_file: str) -> dict[str, Any]:
    """How those who know the primary are asked."""
    tls = {"ssl": True, **redis_options(f"{scheme}://", ca_file)} if scheme == "rediss" else {}
    return {"socket_timeout": ASK_SECONDS, "socket_connect_timeout": ASK_SECONDS, **tls}
