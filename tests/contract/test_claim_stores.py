"""Stores know whose they are: who lacks a key that is needed there writes nothing, and is told which."""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from local_runtime.instance.servers.postgresql import FUNCTIONS_USER, USER, PrivatePostgreSQL
from shared.audit.entries import NO_HASH, Content, Seal
from shared.audit.seal_audit import seal_audit
from shared.boards.board import MAIN
from shared.container import Container
from shared.core.config import Settings
from shared.core.errors import ForeignStores, KeysStillNeeded
from shared.core.secret_keys import fingerprint
from shared.ledger.events import ReceivedMessage, ScoreAccepted
from shared.ledger.messages import EventCodec
from shared.ledger.queues import DEAD_LETTERS, HISTORY, RETRIES
from shared.operations.claim_stores import mark_again
from shared.operations.prepare_stores import prepare_stores
from shared.operations.rabbitmq import EXCHANGE
from shared.stores.postgresql.migrations import MIGRATIONS, Migrations
from shared.stores.postgresql.pool import Pool
from shared.stores.rabbitmq.connection import open_channel
from tests.support.keys import new_signing_key
from tests.support.product import query
from tests.support.queues import empty_broker
from tests.support.waiting import eventually


def payload_key(key_id: str = "") -> str:
    """Under its fingerprint, as new ones are made, or as an older version called it."""
    key = secrets.token_bytes(32)
    return f"{key_id or fingerprint(key)}:{base64.b64encode(key).decode()}"


def id_of(key: str) -> str:
    return key.partition(":")[0]


def in_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


class Stores:
    """A database and a Redis prefix of a test's own; the broker's mark and queues are empty."""

    def __init__(self, postgresql: PrivatePostgreSQL, database: str, redis_url: str, amqp_url: str, amqp_ca_file: str) -> None:
        self.url = in_database(postgresql.url, database)
        self.urls = {
            "DATABASE_URL": in_database(postgresql.functions_url, database),
            "MIGRATIONS_DATABASE_URL": self.url,
            "REDIS_URL": redis_url,
            "AMQP_URL": amqp_url,
            "AMQP_CA_FILE": amqp_ca_file,
            "KEY_PREFIX": f"{{{secrets.token_hex(6)}}}:",
        }
        self.signing = new_signing_key()
        self.made: list[Container] = []

    def instance(self, *payload_keys: str, signing: str = "", **urls: str) -> Container:
        """As it would be wired with these keys."""
        keys = {"PAYLOAD_KEYS": ",".join(payload_keys), "JWT_SIGNING_KEY": signing or self.signing}
        self.made.append(Container(Settings.from_environment({**self.urls, **urls, **keys})))
        return self.made[-1]

    def start(self, *payload_keys: str, signing: str = "", gives_up: bool = False, **urls: str) -> dict[str, Any]:
        """What every start does before it serves."""
        made = self.instance(*payload_keys, signing=signing, **urls)
        own = replace(made.ownership, gives_up=gives_up)
        return prepare_stores(own, lambda: None, made.migrations, made.topology, made.reconciliation)

    def seal(self, *payload_keys: str) -> None:
        """Seal an entry of the audit log."""
        made = self.instance(*payload_keys)
        made.ledger.audit("test", actor="test", user_id=None, detail={})
        chain = made.audit_chain
        assert seal_audit(chain)["seals"] == 1

    def remembered(self) -> dict[str, bool]:
        """Key ids, and whether each is in use."""
        return dict(query(self.url, "SELECT key_id, retired_at IS NULL FROM installation_keys WHERE purpose = 'payload'"))

    def retire_long_ago(self) -> None:
        """As if the keys had been replaced yesterday."""
        query(self.url, "UPDATE installation_keys SET retired_at = retired_at - INTERVAL '1 day'")


@pytest.fixture
def broker(amqp_url: str, amqp_ca_file: str) -> Iterator[Any]:
    """A channel, and no mark before and after."""
    with open_channel(amqp_url, amqp_ca_file) as channel:
        channel.confirm_delivery()
        empty_broker(amqp_url, amqp_ca_file)
        yield channel
        empty_broker(amqp_url, amqp_ca_file)


@pytest.fixture
def stores(
    private_postgresql: PrivatePostgreSQL, superuser_url: str, redis_url: str, amqp_url: str, amqp_ca_file: str, broker: object
) -> Iterator[Stores]:
    """Empty ones."""
    name = f"claimed_{secrets.token_hex(6)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER}")
    made = Stores(private_postgresql, name, redis_url, amqp_url, amqp_ca_file)
    yield made
    for container in made.made:
        container.close()
    query(superuser_url, f"DROP DATABASE {name} WITH (FORCE)")


def emptied(broker: Any, queue: str) -> None:
    broker.queue_purge(queue)
    eventually(lambda: broker.queue_declare(queue, passive=True).method.message_count == 0, 60, "an empty queue")


def with_older_schema(stores: Stores, tmp_path: Path) -> None:
    """What a version that knew of no installation has left."""
    for path in sorted(MIGRATIONS.glob("000*.sql")):
        shutil.copy(path, tmp_path)
    with closing(Pool(stores.url)) as pool:
        Migrations(pool, tmp_path).apply()
    query(stores.url, f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {FUNCTIONS_USER}")
    query(stores.url, f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {FUNCTIONS_USER}")


def seal_as_before(stores: Stores, key: str) -> None:
    """A seal as the older version wrote it."""
    content = Content(1, 1, 1, "0" * 64, datetime(2026, 11, 24, tzinfo=UTC))
    text = Seal.hash_of(1, content, NO_HASH)
    signature = stores.instance(key).seal_signer.sign(text)
    query(
        stores.url,
        "INSERT INTO audit_seals VALUES (1, 1, 1, 1, :at, :content_hash, :previous_hash, :hash, :key_id, :mac)",
        at=content.read_at,
        content_hash=content.content_hash,
        previous_hash=NO_HASH,
        hash=text,
        key_id=signature.key_id,
        mac=signature.mac,
    )


def test_the_first_start_marks_all_stores_and_the_next_ones_find_their_mark(stores: Stores) -> None:
    key = payload_key()
    installation_id = stores.start(key)["installation"]
    assert stores.start(key)["installation"] == installation_id
    instance = stores.instance(key)
    assert instance.board_mark.holder() == instance.broker_mark.mark("another") == installation_id
    [[told]] = query(stores.url, "SELECT CAST(array_agg(k) AS text) FROM installation_keys k")
    assert id_of(key) in told
    assert key.partition(":")[2] not in told


def test_a_stranger_is_told_what_is_missing_and_how_to_get_it(stores: Stores) -> None:
    own, foreign, signing = payload_key(), payload_key(), new_signing_key()
    stores.start(own)
    with pytest.raises(ForeignStores) as refused:
        stores.start(foreign, signing=signing)
    message = str(refused.value)
    signing_id = stores.instance(own).key_prints[1].key_id
    assert f"PAYLOAD_KEYS: `{id_of(own)}` is missing" in message
    assert f"JWT_SIGNING_KEY: `{signing_id}` is missing" in message
    assert "keys export" in message
    assert "keys import" in message
    assert stores.remembered() == {id_of(own): True}
    assert stores.start(own, payload_key())["installation"], "more keys than are needed do no harm"


def test_two_keys_of_one_name_are_told_apart(stores: Stores) -> None:
    stores.start(payload_key("k1"))
    with pytest.raises(ForeignStores, match="PAYLOAD_KEYS: `k1` is another key here than in the stores"):
        stores.start(payload_key("k1"))


@pytest.mark.parametrize("round_", range(5))
def test_of_two_that_begin_at_the_same_moment_one_wins(stores: Stores, round_: int) -> None:
    keys = [payload_key(), payload_key()]
    barrier = Barrier(2)

    def start(key: str) -> str | None:
        barrier.wait(30)
        try:
            return str(stores.start(key)["installation"])
        except ForeignStores:
            return None

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(start, keys))
    assert sorted(outcome is None for outcome in outcomes) == [False, True]
    winner = keys[0] if outcomes[0] else keys[1]
    assert stores.remembered() == {id_of(winner): True}
    assert stores.start(winner)["installation"] == (outcomes[0] or outcomes[1])


def test_several_that_begin_with_the_same_keys_all_serve(stores: Stores) -> None:
    key, barrier = payload_key(), Barrier(4)

    def start(_: int) -> str:
        barrier.wait(30)
        return str(stores.start(key)["installation"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


def test_a_replaced_key_is_needed_for_what_it_sealed_and_then_given_up(stores: Stores, broker: Any) -> None:
    old, new = payload_key("k1"), payload_key()
    stores.start(old)
    stores.seal(old)
    stores.start(new, old)
    assert stores.remembered() == {id_of(new): True, "k1": False}
    [[detail]] = query(stores.url, "SELECT detail FROM audit_log WHERE action = 'keys_changed'")
    assert detail["keys"]["payload"] == id_of(new)
    with pytest.raises(ForeignStores, match=f"`{id_of(new)}` is missing"):
        stores.start(old)
    with pytest.raises(ForeignStores, match="`k1` is missing: it was replaced 0 minutes ago"):
        stores.start(new)
    with pytest.raises(
        KeysStillNeeded, match=r"^old keys are still needed: `k1` was replaced 0 minutes ago; try again in 16 minutes$"
    ):
        stores.start(new, gives_up=True)
    stores.retire_long_ago()
    with pytest.raises(ForeignStores, match="`k1` is missing: the newest seal of the audit log is signed with it"):
        stores.start(new)
    with pytest.raises(KeysStillNeeded, match="`k1`: the newest seal of the audit log is signed with it"):
        stores.start(new, gives_up=True)
    stores.seal(new, old)
    forged = "INSERT INTO audit_seals SELECT 1000, first_id, last_id, row_count, sealed_at, '', '', '', 'k1', '' FROM audit_seals"
    query(stores.url, f"{forged} WHERE seq = 1")
    for queue, says in ((HISTORY, "1 updates"), (RETRIES[2], "1 updates"), (DEAD_LETTERS, "1 dead letters")):
        broker.basic_publish("", queue, b"sealed with one of them")
        with pytest.raises(ForeignStores, match=f"`k1` is missing: {says} .*may be sealed with it"):
            stores.start(new)
        emptied(broker, queue)
    stores.start(new)
    assert stores.remembered() == {id_of(new): True}
    stores.start(new, old)
    assert stores.remembered() == {id_of(new): True}, "what nothing needs any more is not asked for again"


def test_a_message_that_the_ledger_did_not_take_needs_the_key_it_is_sealed_with_and_no_other(stores: Stores, broker: Any) -> None:
    one, two, three = payload_key(), payload_key(), payload_key()
    stores.start(one)
    stores.start(two, one)
    stores.start(three, two, one)
    stores.retire_long_ago()
    broker.basic_publish("", DEAD_LETTERS, parked(stores.instance(two), "r-1"))
    stores.start(three, two)
    with pytest.raises(ForeignStores, match=f"`{id_of(two)}` is missing: 1 messages that the ledger did not take"):
        stores.start(three)
    query(stores.url, "UPDATE unrecorded_updates SET state = 'discarded'")
    emptied(broker, DEAD_LETTERS)
    stores.start(three)
    assert stores.remembered() == {id_of(three): True}


def parked(instance: Container, request_id: str) -> bytes:
    """A dead letter as the consumer keeps it; answers its body."""
    event = ScoreAccepted(request_id, "nobody", 1, 1, instance.clock.now(), "198.51.100.7")
    body = EventCodec(instance.sealer, MAIN.increments).update(event)
    instance.ledger.record([], unreadable=[ReceivedMessage(body).refused("not understood")])
    return body


def test_a_key_that_comes_first_again_is_in_use_again(stores: Stores) -> None:
    one, two = payload_key(), payload_key()
    stores.start(one)
    stores.start(two, one)
    stores.start(one, two)
    assert stores.remembered() == {id_of(one): True, id_of(two): False}


def test_a_signing_key_may_be_given_up_as_soon_as_it_was_replaced(stores: Stores) -> None:
    key, new = payload_key(), new_signing_key()
    stores.start(key)
    with pytest.raises(ForeignStores, match=r"JWT_SIGNING_KEY: `.*` is missing: it signs access tokens"):
        stores.start(key, signing=new)
    stores.start(key, signing=new + stores.signing)
    stores.start(key, signing=new)
    with pytest.raises(ForeignStores, match="JWT_SIGNING_KEY"):
        stores.start(key)


def test_an_older_versions_stores_are_taken_over_by_the_key_that_sealed_them_alone(
    stores: Stores, broker: Any, tmp_path: Path
) -> None:
    with_older_schema(stores, tmp_path)
    key = payload_key("k1")
    seal_as_before(stores, key)
    [[before]] = query(stores.url, "SELECT count(*) FROM schema_migrations")
    with pytest.raises(ForeignStores, match="`k1` is another key than the `k1` that signed the seals"):
        stores.start(payload_key("k1"))
    with pytest.raises(ForeignStores, match="`k1` is missing, with which the seals of the audit log are signed"):
        stores.start(payload_key())
    assert query(stores.url, "SELECT count(*) FROM schema_migrations") == [[before]], "no migration was run by a stranger"
    assert stores.instance(key).board_mark.holder() is None
    assert stores.start(key)["migrations"]
    assert stores.remembered() == {"k1": True}


def test_older_stores_in_which_nothing_is_sealed_are_taken_over(stores: Stores, tmp_path: Path) -> None:
    with_older_schema(stores, tmp_path)
    new, old = payload_key(), payload_key("k1")
    stores.start(new, old)
    assert stores.remembered() == {id_of(new): True, "k1": False}


def test_a_database_that_was_set_back_keeps_the_mark_that_the_others_have(stores: Stores, tmp_path: Path) -> None:
    old, new = payload_key("k1"), payload_key()
    installation_id = stores.start(old)["installation"]
    stores.seal(old)
    stores.start(new, old)
    query(stores.url, "DROP TABLE installation, installation_keys")
    query(stores.url, "DELETE FROM schema_migrations WHERE name LIKE '0012%'")
    assert stores.start(new, old)["installation"] == installation_id


def test_an_emptied_redis_is_marked_again(stores: Stores) -> None:
    key = payload_key()
    installation_id = stores.start(key)["installation"]
    empty = stores.instance(key, KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:")
    prepare_stores(empty.ownership, lambda: None, empty.migrations, empty.topology, empty.reconciliation)
    assert empty.board_mark.holder() == installation_id


def test_stores_that_came_back_empty_are_marked_again_when_the_board_is_rebuilt(stores: Stores, broker: Any) -> None:
    key = payload_key()
    installation_id = stores.start(key)["installation"]
    instance = stores.instance(key)
    instance._redis.delete(instance._shard.installation)
    broker.exchange_delete(EXCHANGE)
    mark_again(instance.ownership)
    assert instance.board_mark.holder() == instance.broker_mark.mark("another") == installation_id


def test_redis_and_broker_of_another_installation_are_noticed(stores: Stores, broker: Any) -> None:
    key = payload_key()
    installation_id = stores.start(key)["installation"]
    instance = stores.instance(key)
    instance._redis.set(instance._shard.installation, "someone-elses")
    with pytest.raises(ForeignStores, match=f"REDIS_URL .* installation someone-elses, .* {installation_id}"):
        stores.start(key)
    instance._redis.set(instance._shard.installation, installation_id)
    broker.exchange_delete(EXCHANGE)
    instance.broker_mark.mark("someone-elses")
    with pytest.raises(ForeignStores, match=f"AMQP_URL .* installation someone-elses, .* {installation_id}"):
        stores.start(key)


def test_an_empty_database_beside_a_used_redis_is_not_filled(
    stores: Stores, private_postgresql: PrivatePostgreSQL, superuser_url: str
) -> None:
    key = payload_key()
    stores.start(key)
    name = f"empty_{secrets.token_hex(6)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER}")
    url = in_database(private_postgresql.url, name)
    with pytest.raises(ForeignStores, match="DATABASE_URL leads to an empty database"):
        stores.start(key, DATABASE_URL=in_database(private_postgresql.functions_url, name), MIGRATIONS_DATABASE_URL=url)
    assert query(url, "SELECT count(*) FROM pg_class WHERE relname = 'users'") == [[0]]
