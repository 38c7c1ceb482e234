"""Keys change under a running instance, and nobody notices."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import jwt
import pytest

from tests.support.api import PASSWORD, Player
from tests.support.product import ROOT, Product, clean_environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("rotation")


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product(None, "--workers", "1") as running:
        yield running


def verb(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(product.data_dir)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


class Traffic(threading.Thread):
    """One player who scores again and again, each time on a new connection."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self._player = player
        self._enough = threading.Event()
        self.statuses: list[int] = []
        self.errors: list[str] = []

    def run(self) -> None:
        while not self._enough.is_set():
            try:
                self.statuses.append(self._player.score().status)
            except OSError as error:
                self.errors.append(repr(error))
            self._enough.wait(0.7)  # fewer than the rate limit allows

    def finish(self) -> None:
        self._enough.set()
        self.join()


def key_id(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_new_keys_come_into_use_without_a_refusal_and_old_ones_stay_good(product: Product) -> None:
    player = product.api.new_player()
    player.api.timeout_seconds = 60.0
    before = product.runtime["processes"]
    ticket = product.api.post(f"/api/score/{player.user_id}/tickets", None, player.authorization).data["ticket"]
    traffic = Traffic(player)
    traffic.start()
    rotated_at = time.monotonic()
    done = verb(product, "rotate-keys")
    seconds = time.monotonic() - rotated_at
    eventually(lambda: len(traffic.statuses) >= 5, 60, "requests after the change")
    traffic.finish()
    assert done.returncode == 0, done.stderr
    assert traffic.errors == []
    assert set(traffic.statuses) == {200}
    after = product.runtime["processes"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if name in ("http", "scheduler") or name.startswith("consumer")}
    tokens = product.api.post("/api/tokens", {"username": player.username, "password": PASSWORD}).data
    published = [key["kid"] for key in product.api.get("/.well-known/jwks.json").json["keys"]]
    assert published == [key_id(tokens["accessToken"]), key_id(player.access_token)]
    if seconds < 50:  # a ticket lives for a minute
        assert player.score(1, **{"X-Action-Ticket": ticket}).status == 200
    score = player.standing()["score"]
    recorded = "SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :user_id"
    eventually(lambda: product.query(recorded, user_id=player.user_id)[0][0] == score, 60, "the ledger has all of it")
    assert product.query("SELECT 1 FROM ended_sessions WHERE user_id = :id", id=player.user_id) == []
    intact = verb(product, "verify-audit")
    assert intact.returncode == 0, intact.stdout


def newest_seal_is_of_the_new_key(product: Product) -> bool:
    product.invoke("seal_audit")
    rows = product.query("SELECT key_id FROM audit_seals ORDER BY seq DESC LIMIT 1")
    return rows == product.query("SELECT key_id FROM installation_keys WHERE purpose = 'payload' AND retired_at IS NULL")


@pytest.mark.timeout(600)
def test_old_keys_are_given_up_when_asked_and_not_needed_any_more(product: Product) -> None:
    keys = len(product.api.get("/.well-known/jwks.json").json["keys"])
    player = product.api.new_player()
    early = verb(product, "rotate-keys", "--drop-old")
    assert early.returncode == 1, early.stderr
    told = (
        r"error: nothing was changed: old keys are still needed: `\S+` was replaced \d minutes? ago; try again in 1\d minutes\n"
    )
    assert re.fullmatch(told, early.stderr), early.stderr
    product.query("UPDATE installation_keys SET retired_at = retired_at - INTERVAL '1 hour'")
    eventually(lambda: newest_seal_is_of_the_new_key(product), 180, "a seal of the new key")
    dropped = verb(product, "rotate-keys", "--drop-old")
    assert (dropped.returncode, "old keys kept: 0" in dropped.stdout) == (0, True), dropped.stderr
    assert (keys, len(product.api.get("/.well-known/jwks.json").json["keys"])) == (2, 1)
    assert player.score().status == 200, "signed with the key that stays"
