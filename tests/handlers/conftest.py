"""Handlers in another environment than the usual one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
import redis

from shared.accounts.check_access import restore_sessions
from shared.container import Container
from shared.reconciliation.rebuild_leaderboard import pages
from tests.handlers.consumer import Bench
from tests.handlers.players import board_in_agreement
from tests.support import aws
from tests.support.product import query
from tests.support.redis_clock import standing_clock

Redeploy = Callable[..., Container]
Cloud = tuple[aws.Connections, Container]


@pytest.fixture
def deps(deployed: Container, redeploy: Redeploy) -> Iterator[Container]:
    """A board of its own that agrees with the ledger, and a consumer that keeps it so."""
    with board_in_agreement(redeploy) as made:
        restore_sessions(made)
        yield made


@pytest.fixture
def bench(deployed: Container) -> Bench:
    return Bench(deployed)


@pytest.fixture
def time_stands(redis_url: str) -> Iterator[None]:
    """For what counts in Redis: a delay of two seconds is not over before a test has seen it."""
    with redis.Redis.from_url(redis_url) as client, standing_clock(client):
        yield


@pytest.fixture
def nothing_public(deployed: Container) -> None:
    """Boards of other tests are private from now on."""
    query(deployed.settings.migrations_database_url, "UPDATE boards SET definition = definition || '{\"public\": false}'")


@pytest.fixture
def cloud(redeploy: Redeploy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The functions as they are deployed, on a board of their own; a stand-in holds the connections."""
    for name, value in aws.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    api = aws.Connections()
    with aws.serving(api) as url:
        prefix = f"{{{secrets.token_hex(6)}}}:"
        made = redeploy(BROADCAST_CHANNEL="", KEY_PREFIX=prefix, WEBSOCKET_MANAGEMENT_URL=f"{url}/{aws.STAGE}")
        made.leaderboard.rebuild(pages(made.reconciliations), made.hidden_players.pages_of_main())
        yield api, made
        made.close()
