"""URLs that name several servers of a cluster: `scheme://user:password@one:1234,two:1234/path`."""

from __future__ import annotations


def each_host(url: str) -> tuple[str, ...]:
    """The URL once for each of its hosts, in their order; itself where it names one."""
    scheme, mark, rest = url.partition("://")
    end = min((rest.index(sign) for sign in "/?#" if sign in rest), default=len(rest))
    account, at, hosts = rest[:end].rpartition("@")
    return tuple(f"{scheme}{mark}{account}{at}{host}{rest[end:]}" for host in hosts.split(","))
