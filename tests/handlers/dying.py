"""Workers that are killed between the commit in PostgreSQL and what Redis is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from shared.accounts.redis import Access, Profiles
from shared.accounts.session import EndedSession
from shared.container import Container
from tests.support.waiting import eventually


class Killed(BaseException):
    """SIGKILL: nothing after it is carried out, and nothing is answered."""


class DyingAccess(Access):
    """The access of a worker that is killed before it tells Redis which sessions ended."""

    def __init__(self, access: Access) -> None:
        vars(self).update(vars(access))

    def end(self, ended: Iterable[EndedSession]) -> None:
        raise Killed


class DyingProfiles(Profiles):
    """The profiles of a worker that is killed before it tells Redis how an account has changed."""

    def __init__(self, profiles: Profiles) -> None:
        vars(self).update(vars(profiles))

    def replace(self, profile: object) -> None:
        raise Killed

    def renew(self, profiles: object) -> None:
        raise Killed


@contextmanager
def dying_between_the_stores(deployed: Container) -> Iterator[None]:
    """Meanwhile every handler that changes an account is killed after its commit."""
    access, profiles = deployed.access, deployed.profiles
    deployed.access, deployed.profiles = DyingAccess(access), DyingProfiles(profiles)
    try:
        yield
    finally:
        deployed.access, deployed.profiles = access, profiles


def killed(deployed: Container, request: Callable[[], object]) -> None:
    """Have a request's worker killed between the stores."""
    with dying_between_the_stores(deployed), suppress(Killed):
        raise AssertionError(f"not killed, but answered {request()}")


@contextmanager
def dismissed(deployed: Container) -> Iterator[Callable[[], list[str]]]:
    """The labels (sessions, accounts) whose sockets gateways are told to close from now on."""
    client: Any = redis.Redis.from_url(deployed.settings.redis_url)
    labels: list[str] = []

    channel = f"{deployed.settings.broadcast_channel}:dismissals"

    def heard() -> list[str]:
        client.publish(channel, "null")
        while (message := listener.get_message(timeout=60))["data"] != b"null":
            labels.append(json.loads(message["data"])["label"])
        return labels

    with client, client.pubsub() as listener:
        listener.subscribe(channel)
        eventually(lambda: (listener.get_message(timeout=0.1) or {}).get("type") == "subscribe", what="subscribed")
        yield heard
