"""Several instances on the same stores: with the same keys they serve together, with others the second one does not start."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from tests.support.api import Player
from tests.support.product import ROOT, Product, clean_environment, new_data_dir, query, remove_data_dir
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("keys-of-stores"), pytest.mark.timeout(600)]


class Stores:
    """Servers that no instance owns, as `serve` is told of them."""

    def __init__(self, redis: PrivateRedis, rabbitmq: PrivateRabbitMQ, postgresql: PrivatePostgreSQL) -> None:
        self.owner_url = postgresql.url
        self.environment = {
            "REDIS_URL": redis.url,
            "AMQP_URL": rabbitmq.url,
            "AMQP_CA_FILE": str(rabbitmq.ca_file),
            "DATABASE_URL": postgresql.functions_url,
            "MIGRATIONS_DATABASE_URL": postgresql.url,
        }

    def instance(self, data_dir: Path | None = None, **environment: str) -> Product:
        """One that uses them, with a data directory and with keys of its own."""
        return Product(data_dir, "--workers", "1", **self.environment, **environment)

    def query(self, sql: str, **parameters: object) -> list[Any]:
        """Run one statement as the owner of the tables."""
        return query(self.owner_url, sql, **parameters)


@pytest.fixture
def stores() -> Iterator[Stores]:
    """Empty ones."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    with (
        running(PrivateRabbitMQ(data_dir, "secret-of-the-broker")) as rabbitmq,
        running(PrivateRedis(data_dir, "secret-of-redis")) as redis,
        running(PrivatePostgreSQL(data_dir, "secret-of-the-database")) as postgresql,
    ):
        yield Stores(redis, rabbitmq, postgresql)
    remove_data_dir(data_dir)


def verb(product: Product, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(product.data_dir)],
        cwd=ROOT,
        env=clean_environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def refused(product: Product) -> str:
    """What an instance says that must not start: it ends with one message and leaves nothing running."""
    before = len(product.output)
    with pytest.raises(AssertionError, match="did not become ready"):
        product.start()
    said = "".join(product.output[before:])
    assert product.process is not None
    assert (product.process.returncode, "Traceback" in said) == (2, False), said
    assert said.startswith("error: "), said
    assert said.count("error") == 1, said
    assert product.children() == set()
    return said


@contextmanager
def ended(*products: Product) -> Iterator[None]:
    try:
        yield
    finally:
        for product in products:
            product.destroy()


def recorded(stores: Stores, player: Player) -> int:
    rows = stores.query("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id", id=player.user_id)
    return int(rows[0][0])


def intact(product: Product) -> bool:
    return verb(product, "verify-audit").returncode == 0


def test_a_second_instance_starts_with_the_keys_of_the_first_and_not_without(stores: Stores, tmp_path: Path) -> None:
    first, second = stores.instance(), stores.instance()
    with ended(first, second):
        first.start()
        player = first.api.new_player()
        assert player.score(5).status == 200
        said = refused(second)
        [[own]] = stores.query("SELECT key_id FROM installation_keys WHERE purpose = 'payload'")
        assert f"PAYLOAD_KEYS: `{own}` is missing" in said
        assert "keys export" in said
        assert "keys import" in said
        assert player.score(4).status == 200
        eventually(lambda: recorded(stores, player) == 9, 60, "nothing was taken from the queue")

        file = tmp_path / "keys.json"
        assert verb(first, "keys", "export", str(file)).returncode == 0
        imported = verb(second, "keys", "import", str(file))
        assert imported.returncode == 0, imported.stderr
        second.start()
        there = Player(second.api, player.user_id, player.username, player.api_key, player.access_token, player.refresh_token)
        for _ in range(20):
            assert (player.score().status, there.score().status) == (200, 200)
        assert there.standing()["score"] == 49
        eventually(lambda: recorded(stores, player) == 49, 60, "the ledger has what both have accepted")
        assert stores.query("SELECT count(*) FROM unrecorded_updates") == [[0]]
        letters = verb(second, "dead-letters", "list")
        assert "requestId" not in letters.stdout, letters.stdout
        first.invoke("seal_audit")
        assert (intact(first), intact(second)) == (True, True)


def test_of_two_first_starts_at_the_same_moment_one_serves(stores: Stores) -> None:
    instances = [stores.instance(), stores.instance()]
    outcomes: dict[Product, bool] = {}

    def start(product: Product) -> None:
        try:
            product.start()
        except AssertionError:
            outcomes[product] = False
        else:
            outcomes[product] = True

    with ended(*instances):
        threads = [threading.Thread(target=start, args=(product,)) for product in instances]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes.values()) == [False, True], ["".join(product.output) for product in instances]
        (winner,) = [product for product, serves in outcomes.items() if serves]
        (loser,) = [product for product, serves in outcomes.items() if not serves]
        assert "is missing" in "".join(loser.output)
        player = winner.api.new_player()
        assert player.score(3).status == 200
        eventually(lambda: recorded(stores, player) == 3, 60, "the ledger")


def test_after_a_rotation_neither_the_old_keys_alone_nor_too_early_the_new_ones_will_do(stores: Stores) -> None:
    product = stores.instance()
    with ended(product):
        product.start()
        player = product.api.new_player()
        assert player.score(2).status == 200
        product.invoke("seal_audit")
        before = (product.data_dir / "secrets.json").read_text()
        assert verb(product, "rotate-keys").returncode == 0
        product.stop()
        after = json.loads((product.data_dir / "secrets.json").read_text())
        old, new = json.loads(before)["payload_keys"], after["payload_keys"].partition(",")[0]
        end = "-----END PRIVATE KEY-----\n"
        signing = after["jwt_signing_key"].partition(end)[0] + end

        (product.data_dir / "secrets.json").write_text(before)
        assert f"PAYLOAD_KEYS: `{new.partition(':')[0]}` is missing" in refused(product)
        only_new = {**after, "payload_keys": new, "jwt_signing_key": signing}
        (product.data_dir / "secrets.json").write_text(json.dumps(only_new))
        assert f"PAYLOAD_KEYS: `{old.partition(':')[0]}` is missing: it was replaced" in refused(product)

        (product.data_dir / "secrets.json").write_text(json.dumps(after))
        product.start()
        assert product.api.post("/api/tokens", {"refreshToken": player.refresh_token}).status == 200
        eventually(lambda: product.invoke("seal_audit")["seals"], 60, "a seal of the new key")
        product.stop()
        stores.query("UPDATE installation_keys SET retired_at = retired_at - INTERVAL '1 hour'")
        (product.data_dir / "secrets.json").write_text(json.dumps(only_new))
        product.start()
        assert intact(product)


def test_new_keys_on_one_instance_cost_the_other_nothing_until_it_has_them(stores: Stores) -> None:
    first, second = stores.instance(), stores.instance()
    with ended(first, second):
        first.start()
        assert verb(second, "keys", "import", "-", stdin=verb(first, "keys", "export").stdout).returncode == 0
        second.start()
        player = first.api.new_player()
        there = Player(second.api, player.user_id, player.username, player.api_key, player.access_token, player.refresh_token)
        rotated = verb(first, "rotate-keys")
        assert (rotated.returncode, "other instances on the same stores need the new keys" in rotated.stderr) == (0, True)
        for _ in range(10):
            assert (player.score().status, there.score().status) == (200, 200)
        second.stop()
        assert "is missing: it seals messages" in refused(second)
        imported = verb(second, "keys", "import", "-", stdin=verb(first, "keys", "export").stdout)
        assert imported.returncode == 0, imported.stderr
        second.start()
        there.api = second.api
        assert there.score().status == 200
        eventually(lambda: recorded(stores, player) == 21, 120, "the ledger has what both have accepted")
        assert stores.query("SELECT count(*) FROM unrecorded_updates") == [[0]]
        second.invoke("seal_audit")
        assert (intact(first), intact(second)) == (True, True)


def test_data_without_its_secrets_is_not_given_new_ones() -> None:
    product = Product(None, "--workers", "1")
    with ended(product):
        product.start()
        player = product.api.new_player()
        assert player.score(5).status == 200
        product.stop()
        away = product.data_dir.parent / "secrets.json"
        shutil.move(product.data_dir / "secrets.json", away)
        said = refused(product)
        assert "secrets.json lacks what it was made with" in said
        assert "database_password" in said
        shutil.move(away, product.data_dir / "secrets.json")
        product.start()
        player.api = product.api
        assert player.standing()["score"] == 5
