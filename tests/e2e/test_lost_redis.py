"""A Redis that is emptied, or dies: keys, limits and the books of a product whose players go on trying."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.api import Answer, Player
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("lost redis")
LIMIT = 20
HEALED_SECONDS = 6.0


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """With a limit that a test soon reaches."""
    with Product(RATE_LIMIT_REQUESTS=str(LIMIT)) as running:
        yield running


def empty(product: Product) -> None:
    with product.redis() as client:
        client.flushall()


def kill(product: Product) -> None:
    product.wait_replaced("redis", product.kill("redis"))


LOSSES = pytest.mark.parametrize("lose", [empty, kill], ids=["emptied", "killed"])


def until_answered(send: Callable[[], Answer]) -> Answer:
    """As a client does that waits when it is told to."""

    def answered() -> Answer | None:
        try:
            answer = send()
        except OSError:
            return None
        return None if answer.status in {429, 503} else answer

    answer = eventually(answered, 90, "an answer")
    assert answer is not None
    return answer


def ticket_of(player: Player) -> str:
    answer = player.api.post(f"/api/score/{player.user_id}/tickets", headers=player.authorization)
    ticket: str = answer.data["ticket"]
    return ticket


def recorded(product: Product, player: Player) -> list[str]:
    rows = product.query("SELECT request_id FROM score_history WHERE user_id = :id ORDER BY id", id=player.user_id)
    return [row[0] for row in rows]


@LOSSES
def test_a_key_gives_its_first_answer_whichever_ticket_is_sent_with_it(product: Product, lose: Callable[[Product], None]) -> None:
    player = product.api.new_player()
    first = player.score(5, **{"Idempotency-Key": "k", "X-Action-Ticket": ticket_of(player)}).data
    lose(product)
    ticket = until_answered(lambda: player.api.post(f"/api/score/{player.user_id}/tickets", headers=player.authorization)).data[
        "ticket"
    ]
    again = until_answered(lambda: player.score(5, **{"Idempotency-Key": "k", "X-Action-Ticket": ticket}))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.data == first
    assert player.standing()["score"] == 5
    assert recorded(product, player) == [first["requestId"]]


@LOSSES
def test_the_limit_holds_across_the_loss(product: Product, lose: Callable[[Product], None]) -> None:
    player = product.api.new_player()
    until_answered(lambda: player.score(1))  # another test's loss may be healed only now
    began = time.monotonic()
    accepted = [player.score(1).status for _ in range(LIMIT - 1)]
    assert accepted == [200] * (LIMIT - 1)
    lose(product)
    lost = time.monotonic()
    answers: list[int] = []
    while time.monotonic() - began < 45:
        time.sleep(0.05)
        try:
            answers.append(player.score(1).status)
        except OSError:
            continue
        if answers[-1] == 429 and time.monotonic() - lost > HEALED_SECONDS:
            break
    assert 200 not in answers
    assert 429 in answers


def test_others_go_on_soon_after_the_loss(product: Product) -> None:
    player = product.api.new_player()
    empty(product)
    until_answered(lambda: player.score(1))
    assert player.standing()["score"] == 1


def test_the_books_balance_after_all_of_it(product: Product) -> None:
    player = product.api.new_player()
    until_answered(lambda: player.score(1))

    def balanced() -> bool:
        command = [sys.executable, "-m", "local_runtime", "balance", "--data-dir", str(product.data_dir)]
        told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert told.returncode in {0, 3}, told.stderr
        return told.returncode == 0 and "in the outbox: 0" in told.stdout

    eventually(balanced, 60, "every update accounted for")
