"""prepare_stores, invoked at every start."""

from __future__ import annotations

import secrets
from contextlib import ExitStack

import pytest

from shared.container import Container
from shared.core.errors import ConfigurationError, TooManyRequests
from shared.ledger.events import ScoreAccepted
from shared.ledger.queues import HISTORY, RETRIES
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke
from tests.handlers.players import delivered
from tests.support.redis_settings import redis_with


def test_prepared_stores_are_left_as_they_are(deployed: Container) -> None:
    summary = invoke("prepare_stores", {})
    assert (summary["migrations"], summary["players"]) == ([], 0)
    history = "score_history_queue"
    retries = {f"{history}.retry", f"{history}.retry.2", f"{history}.retry.3"}
    assert set(summary["queues"]) == {history, *retries, f"{history}.dlq", "score_updated_queue", "leaderboard_rebuild_queue"}


def test_an_empty_board_is_filled_from_the_ledger(deployed: Container, redeploy: Redeploy) -> None:
    body = {"username": f"Player-{secrets.token_hex(6)}", "password": "correct horse battery staple", "role": "player"}
    scorer = invoke("create_user", body)["userId"]
    newcomer = invoke("create_user", {**body, "username": f"Player-{secrets.token_hex(6)}"})["userId"]
    request_id = secrets.token_hex(8)
    deployed.ledger.record([ScoreAccepted(request_id, scorer, 5, 5, deployed.clock.now(), "198.51.100.7")])
    empty = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(4)}}}:")
    with ExitStack() as emptied:
        for queue in (HISTORY, *RETRIES):  # what other tests left there would be waited for
            emptied.enter_context(delivered(deployed, queue))
        assert invoke("prepare_stores", {})["players"] >= 2
    assert empty.leaderboard.is_whole()
    assert empty.leaderboard.scores([scorer, newcomer]) == {scorer: 5, newcomer: 0}
    assert invoke("prepare_stores", None)["players"] == 0


def test_a_full_redis_is_refused_with_what_to_do(deployed: Container, redis_url: str) -> None:
    with redis_with(redis_url, maxmemory=1), pytest.raises(ConfigurationError, match=r"Redis is full .*SCOREBOARD_MEMORY_MB"):
        invoke("prepare_stores", {})
    assert invoke("prepare_stores", {})["players"] == 0


@pytest.mark.parametrize(("registrations", "admitted"), [(None, 3), (0, 1)], ids=["no accounts", "accounts"])
def test_limits_start_open_only_where_there_are_no_accounts(
    deployed: Container, redeploy: Redeploy, registrations: int | None, admitted: int
) -> None:
    made = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(4)}}}:")
    made.users.registered_of_late = lambda most: registrations  # type: ignore[method-assign]
    invoke("prepare_stores", {})
    for _ in range(admitted):
        made.request_limits.admit("password_change", user_id="u-1")
    if registrations is not None:
        with pytest.raises(TooManyRequests):
            made.request_limits.admit("password_change", user_id="u-1")
