"""The packages as Lambda runs them, wired by the template: what the contract's tests over HTTP and WebSockets do not see."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import ClientConnection

from local_runtime.hosting.invoker import FunctionError
from tests.lambda_runtime.deployment import Deployment, beside
from tests.support.api import Player, frame_with
from tests.support.relay import Relay
from tests.support.waiting import eventually

Verdict = Callable[[Callable[[str], int | None]], None]


@pytest.fixture
def player(deployment: Deployment) -> Player:
    return deployment.api.new_player()


@pytest.fixture
def verdict(deployment: Deployment) -> Verdict:
    """What the @connections API says instead of its usual answer."""

    def says(answer: Callable[[str], int | None]) -> None:
        deployment.connections.verdict = answer

    return says


@pytest.fixture(autouse=True)
def _usual_verdict(deployment: Deployment) -> None:
    deployment.connections.verdict = lambda connection_id: None


def peer_of(deployment: Deployment, viewer: ClientConnection) -> str:
    """The connection id that the gateway gave a viewer."""
    return deployment.connections.id_at(viewer.local_address[1])


def all_frozen(deployment: Deployment, name: str) -> bool:
    return all(environment.is_frozen for environment in deployment.functions.idle(name))


def registered(deployment: Deployment) -> set[str]:
    """Whom the functions know to be watching."""
    with deployment.redis() as board:
        return {connection_id for key in board.scan_iter("viewers:*", _type="zset") for connection_id in board.zrange(key, 0, -1)}


def is_relayed(deployment: Deployment, player: Player, expected: int) -> bool:
    deployment.run_schedules("relay_outbox")
    return has_recorded(deployment, player, expected)


def has_recorded(deployment: Deployment, player: Player, expected: int) -> bool:
    [[total]] = deployment.query(
        "SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :user_id", user_id=player.user_id
    )
    return int(total) == expected


@pytest.mark.timeout(600)  # a cold start for each, on however busy a machine
def test_every_function_of_the_template_loads(deployment: Deployment) -> None:
    """Also those that nothing else invokes here: none answers that its handler cannot be imported."""
    for function in deployment.manifest.functions:
        if not deployment.functions.idle(function.name):
            try:
                deployment.functions.invoke(function, {})
            except FunctionError as error:
                assert not error.error_type.startswith("Runtime."), error  # noqa: PT017 - most refuse an empty event


def test_the_page_comes_with_its_files_and_may_watch_the_board(deployment: Deployment) -> None:
    page = deployment.api.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'; " in page.headers["Content-Security-Policy"]
    viewers = urlsplit(deployment.ws_url)
    assert f"connect-src 'self' {viewers.scheme}://{viewers.netloc}; " in page.headers["Content-Security-Policy"]
    for path in re.findall(rb'"(/assets/[^"]+)"', page.body):
        assert deployment.api.get(path.decode()).status == 200, path
    assert deployment.api.get("/", **{"If-None-Match": page.headers["ETag"]}).status == 304


def test_schedules_and_operators_functions_work(deployment: Deployment) -> None:
    for schedule in deployment.manifest.schedules:
        deployment.functions.invoke(schedule.function, schedule.input)
    assert deployment.invoke("manage_dead_letters", {"action": "list"})["total"] == 0
    assert deployment.invoke("verify_audit", {})["findings"] == []
    assert "entries" in deployment.invoke("export_audit_log", {})
    name = f"admin-{secrets.token_hex(4)}"
    account = deployment.invoke("create_user", {"username": name, "password": "correct horse battery", "role": "admin"})
    assert account["role"] == "admin"


def test_what_is_wrong_is_found_and_repaired_by_the_schedule(deployment: Deployment, player: Player) -> None:
    assert player.score(5).status == 200
    eventually(partial(has_recorded, deployment, player, 5), 60, "the update in the ledger")
    with deployment.redis() as board:
        board.zincrby("leaderboard", 90, f"user:{player.user_id}")
    [summary] = deployment.run_schedules("reconcile_scores")
    assert [(found["userId"], found["difference"]) for found in summary["discrepancies"]] == [(player.user_id, -90)]
    assert player.standing()["score"] == 5


def test_a_publisher_survives_the_freeze(deployment: Deployment, player: Player) -> None:
    """Its thread does not run between two updates; each of them is on its way to the ledger all the same when it is answered."""
    for total in (3, 6, 9):
        assert player.score(3).status == 200
        eventually(partial(all_frozen, deployment, "update_score"), 60, "the freeze")
        eventually(partial(has_recorded, deployment, player, total), 60, "the update in the ledger")


def test_a_connection_that_ended_while_its_owner_was_frozen_costs_no_update(deployment: Deployment) -> None:
    """Brokers and load balancers end idle ones, and nobody frozen can notice; what a slow new one leaves over is relayed."""
    with closing(Relay(deployment.plan.stores.amqp_url)) as relay:
        stores = replace(deployment.plan.stores, amqp_url=relay.url)
        with beside(deployment, stores=stores) as same:
            player = same.api.new_player()
            assert player.score(3).status == 200
            eventually(partial(has_recorded, deployment, player, 3), 60, "the update in the ledger")
            relay.hang_up()
            assert player.score(4).status == 200
            eventually(partial(is_relayed, deployment, player, 7), 60, "the next update in the ledger")


def test_a_new_environment_goes_on_where_an_old_one_ended(deployment: Deployment, player: Player) -> None:
    assert player.score(2).status == 200
    for name in ("update_score", "record_scores", "get_user_score"):
        deployment.functions.recycle(name)
    assert player.score(2).status == 200
    eventually(partial(has_recorded, deployment, player, 4), 60, "both updates in the ledger")
    assert player.standing()["score"] == 4


def test_a_viewer_who_is_gone_is_forgotten_and_others_see_on(deployment: Deployment, player: Player, verdict: Verdict) -> None:
    with player.watch() as gone, player.watch() as stays:
        gone.recv(timeout=60)
        stays.recv(timeout=60)
        [first, second] = [peer_of(deployment, viewer) for viewer in (gone, stays)]
        verdict(lambda connection_id: 410 if connection_id == first else None)
        score = player.climb()
        frame_with(stays, player.user_id, score, 60)
        eventually(lambda: first not in registered(deployment), 60, "it forgotten")
        assert second in registered(deployment)


@pytest.mark.parametrize("status", [429, 0], ids=["too many requests", "no answer at all"])
def test_a_post_that_fails_is_made_again(deployment: Deployment, player: Player, verdict: Verdict, status: int) -> None:
    with player.watch() as viewer:
        viewer.recv(timeout=60)
        player.climb()
        refusals = [status] * 3
        verdict(lambda connection_id: refusals.pop() if refusals else None)
        frame_with(viewer, player.user_id, player.score(5).data["score"], 60)
        assert refusals == []


def test_nobody_writes_where_lambda_lets_nobody_write(deployment: Deployment) -> None:
    assert deployment.api.new_player().score(1).status == 200
    assert deployment.plan.packages.written() == []
