"""Updates that cannot be recorded, from their refusal to their place in the ledger, on the product as it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import pytest

from shared.core.amqp import url_parameters
from tests.support.api import Answer, Player
from tests.support.product import ROOT, Product, clean_environment
from tests.support.waiting import eventually

DELETES = (
    "DELETE FROM refresh_tokens WHERE user_id = :id",
    "DELETE FROM score_history WHERE user_id = :id",
    "DELETE FROM score_totals WHERE user_id = :id",
    "DELETE FROM users WHERE user_id = :id",
)
DEAD_LETTERS = "score_history_queue.dlq"
SLOW_SECONDS = 120.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product(RETRY_DELAYS_SECONDS="0.2,0.2,0.2", RATE_LIMIT_REQUESTS="100000") as running:
        yield running


@pytest.fixture(autouse=True)
def no_letters(product: Product) -> Iterator[None]:
    """What a test leaves is none of the next one's business."""
    yield
    done = verb(product, "discard", "--all", "--reason", "left by a test")
    assert done.returncode == 0, done.stdout + done.stderr


def verb(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(product, *arguments), capture_output=True, text=True, cwd=ROOT, env=clean_environment(), check=False
    )


def command(product: Product, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "local_runtime", "dead-letters", *arguments, "--data-dir", str(product.data_dir)]


def said(product: Product, *arguments: str) -> str:
    done = verb(product, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def states(product: Product) -> dict[str, int]:
    return {state: int(count) for state, count in product.query("SELECT state, count(*) FROM unrecorded_updates GROUP BY state")}


def recorded(product: Product, user_id: str) -> int:
    ((points,),) = product.query("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id", id=user_id)
    return int(points)


def times_recorded(product: Product, request_ids: list[str]) -> dict[str, int]:
    rows = product.query(
        "SELECT request_id FROM score_history UNION ALL SELECT request_id FROM audit_log WHERE action = 'score_accepted'"
    )
    return {request_id: sum(row[0] == request_id for row in rows) for request_id in request_ids}


def discard_copies_of_tests(product: Product) -> None:
    product.query("DELETE FROM unrecorded_updates WHERE state = 'discarded'")


@contextmanager
def channel(product: Product) -> Iterator[Any]:
    runtime = product.runtime
    with pika.BlockingConnection(url_parameters(runtime["amqp_url"], runtime["ca_file"])) as connection:
        yield connection.channel()


def copies(product: Product) -> int:
    with channel(product) as broker:
        return int(broker.queue_declare(DEAD_LETTERS, passive=True).method.message_count)


@contextmanager
def a_ledger_that_refuses(product: Product) -> Iterator[None]:
    """A constraint that no update keeps."""
    product.query("ALTER TABLE score_history ADD CONSTRAINT nothing_goes CHECK (increment > 5) NOT VALID")
    try:
        yield
    finally:
        product.query("ALTER TABLE score_history DROP CONSTRAINT nothing_goes")


def accepted(player: Player) -> str:
    """Have an update accepted, after a restart as soon as the player's window is known again; answers its request id."""
    answers: list[Answer] = []

    def is_accepted() -> bool:
        answers.append(player.score(1))
        return answers[-1].status != 429

    eventually(is_accepted, SLOW_SECONDS, "the player's window known")
    return str(answers[-1].data["requestId"])


def park(product: Product, count: int) -> list[str]:
    """Have this many updates accepted, and parked because the ledger refuses them; answers their request ids."""
    player = product.api.new_player()
    with a_ledger_that_refuses(product):
        request_ids = [accepted(player) for _ in range(count)]
        eventually(lambda: states(product).get("parked") == count, SLOW_SECONDS, "all of them parked")
    eventually(lambda: copies(product) == count, SLOW_SECONDS, "a copy of each in the broker")
    return request_ids


def expect_all_recorded_once(product: Product, request_ids: list[str]) -> None:
    eventually(lambda: states(product).keys() <= {"discarded"}, SLOW_SECONDS, "no letter left")
    assert set(times_recorded(product, request_ids).values()) == {2}, "one row in the ledger, one in the audit log"
    eventually(lambda: copies(product) == 0, SLOW_SECONDS, "no copy left")
    ((balance,),) = product.query(
        "SELECT (SELECT coalesce(sum(increment), 0) FROM score_history) - (SELECT coalesce(sum(total), 0) FROM score_totals)"
    )
    assert balance == 0


def test_an_account_that_vanished_in_flight_is_redriven_when_it_is_back(product: Product) -> None:
    player, other = product.api.new_player(), product.api.new_player()
    player.score(1)
    (account,) = product.query("SELECT to_jsonb(users)::text FROM users WHERE user_id = :id", id=player.user_id)
    eventually(lambda: recorded(product, player.user_id) == 1, 60, "the first update in the ledger")
    with product.redis() as board:
        for delete in DELETES:
            product.query(delete, id=player.user_id)
        assert player.score(3).data["score"] == 4, "the account is known for some seconds longer"
        assert other.score(5).status == 200
        eventually(lambda: player.user_id in said(product, "list", "--state", "parked"), 60, "it among the dead letters")
        eventually(lambda: recorded(product, other.user_id) == 5, 60, "what others did in the ledger")
        assert board.zscore("leaderboard", f"user:{player.user_id}") == 4
    assert recorded(product, player.user_id) == 0
    product.query("INSERT INTO users SELECT * FROM jsonb_populate_record(NULL::users, :account)", account=account[0])
    assert said(product, "redrive") == "1 moved back to be recorded, 0 left\n1 recorded\n"
    assert recorded(product, player.user_id) == 3
    assert said(product, "list") == "there are no dead letters\n"
    assert "0 moved back" in said(product, "redrive")


def test_many_are_looked_at_and_redriven_in_parts_around_a_restart_and_each_counts_once(product: Product) -> None:
    request_ids = park(product, 150)
    assert "50 of 150 dead letters" in said(product, "list")
    assert said(product, "redrive", "--limit", "6") == "6 moved back to be recorded, 144 left\n6 recorded\n"
    assert product.stop() == 0
    product.start()
    assert said(product, "redrive") == "144 moved back to be recorded, 0 left\n144 recorded\n"
    expect_all_recorded_once(product, request_ids)


def test_a_broker_that_dies_between_looking_and_redriving_takes_none_along(product: Product) -> None:
    request_ids = park(product, 60)
    said(product, "list")
    product.wait_replaced("rabbitmq", product.kill("rabbitmq"))
    eventually(lambda: verb(product, "redrive").returncode == 0, SLOW_SECONDS, "a redrive that succeeds")
    expect_all_recorded_once(product, request_ids)


@pytest.mark.parametrize("dies", ["verb", "consumer", "verb and broker"])
def test_whatever_is_killed_while_they_are_redriven_each_counts_once(product: Product, dies: str) -> None:
    request_ids = park(product, 40)
    consumer = product.kill("consumer", signal.SIGSTOP)  # so that they are seen on their way
    redriving = subprocess.Popen(command(product, "redrive"), cwd=ROOT, env=clean_environment(), stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: states(product).get("redriven"), SLOW_SECONDS, "some on their way")
        if "verb" in dies:
            redriving.kill()
        if "broker" in dies:
            product.wait_replaced("rabbitmq", product.kill("rabbitmq"), SLOW_SECONDS)
        if dies == "consumer":
            os.kill(consumer, signal.SIGKILL)
    finally:
        if dies != "consumer":
            os.kill(consumer, signal.SIGCONT)
        redriving.wait(SLOW_SECONDS)

    def redriven() -> bool:
        """As an operator who tries again, and the schedule a minute later."""
        verb(product, "redrive")
        product.query("UPDATE unrecorded_updates SET changed_at = changed_at - INTERVAL '70 seconds' WHERE state = 'redriven'")
        return not states(product).keys() - {"discarded"}

    eventually(redriven, SLOW_SECONDS, "all of them recorded")
    expect_all_recorded_once(product, request_ids)


def test_what_cannot_be_opened_comes_back_with_its_reason_and_is_discarded(product: Product) -> None:
    discard_copies_of_tests(product)
    with channel(product) as broker:
        for body in (b"poison", b"\xff\x00 more of it"):
            broker.basic_publish("", "score_history_queue", body)
    eventually(lambda: states(product).get("parked") == 2, SLOW_SECONDS, "both parked")
    redriven = verb(product, "redrive")
    assert redriven.returncode == 1, "that is no success"
    assert redriven.stdout.startswith("2 moved back to be recorded, 2 left\n2 returned\n")
    assert redriven.stdout.count("returned: not a message of score_history_queue") == 2
    shown = said(product, "show", str(product.query("SELECT min(id) FROM unrecorded_updates WHERE state = 'parked'")[0][0]))
    assert '"unreadable": "not a message of score_history_queue"' in shown
    assert verb(product, "discard", "--all").returncode == 2, "without a reason it is none"
    assert said(product, "discard", "--all", "--reason", "poison of a test") == "2 discarded, 0 left\n2 discarded\n"
    assert said(product, "list") == "there are no dead letters\n"
    assert copies(product) == 0
    assert "2 of 2 dead letters" in said(product, "list", "--state", "discarded")
    audited = product.query(
        "SELECT actor, detail ->> 'reason' FROM audit_log WHERE action = 'dead_letter_discarded' ORDER BY id DESC LIMIT 2"
    )
    assert audited == [["operator", "poison of a test"]] * 2


def test_a_broker_that_came_back_with_a_new_directory_loses_none(product: Product) -> None:
    """Those that are parked, and those that wait for another try."""
    request_ids = park(product, 30)
    player = product.api.new_player()
    with a_ledger_that_refuses(product):
        stopped = product.kill("consumer", signal.SIGSTOP)
        request_ids += [accepted(player) for _ in range(5)]
        os.kill(stopped, signal.SIGCONT)
        eventually(lambda: states(product).get("parked") == 35, SLOW_SECONDS, "all of them parked")
        # Their time starts minutes from now, so that no schedule sends them again while the product restarts.
        product.query(
            "UPDATE unrecorded_updates SET state = 'waiting', attempts = 1, changed_at = now() + INTERVAL '4 minutes'"
            " WHERE user_id = :id",
            id=player.user_id,
        )
        assert product.stop() == 0
        shutil.rmtree(product.data_dir / "rabbitmq")
        product.start()
        assert "of 35 dead letters" in said(product, "list")
        assert copies(product) == 0
    ids = [str(row[0]) for row in product.query("SELECT id FROM unrecorded_updates WHERE state = 'parked'")]
    assert len(ids) >= 30  # a copy that was still on its way is refused and parked once more
    assert said(product, "redrive", *ids).startswith(f"{len(ids)} moved back to be recorded")
    eventually(lambda: states(product).get("parked") is None, SLOW_SECONDS, "the parked ones recorded")
    product.query("UPDATE unrecorded_updates SET changed_at = changed_at - INTERVAL '6 minutes'")
    product.invoke("relay_outbox")
    expect_all_recorded_once(product, request_ids)
