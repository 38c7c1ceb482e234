"""The pods of the chart as Helm renders them: each role's arguments, environment, secrets and probes, on stores of others."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.lambda_runtime.deployment import Stores, private_stores
from tests.support.api import frame_with
from tests.support.chart import ROLES, Pod, pods, render
from tests.support.keys import new_keys
from tests.support.product import query
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(600)]
TOKEN = secrets.token_hex(16)
# One Secret for all, as infra/containers/secrets.sh names its files; the broker's is another operator's, with its CA.
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example.org/scoreboard"},
    "existingSecret": "scoreboard",
    "stores": {"rabbitmq": {"secret": {"name": "broker-user", "key": "connection_string"}, "ca": {"configMap": "broker-ca"}}},
    "metrics": {"tokenSecret": "prometheus"},
    "settings": {"RATE_LIMIT_REQUESTS": 7},
    "http": {"workers": 1},
}


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    with private_stores() as running:
        yield running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def contents(stores: Stores, authority: trustme.CA) -> dict[tuple[str, str], str]:
    """What the operator has put into the cluster."""
    keys, certificate = new_keys(), authority.issue_cert("127.0.0.1")
    return {
        ("scoreboard", "redis_url"): stores.redis_url,
        ("scoreboard", "database_url"): stores.database_url,
        ("scoreboard", "migrations_database_url"): stores.owner_database_url,
        ("scoreboard", "jwt_signing_key"): keys["JWT_SIGNING_KEY"],
        ("scoreboard", "payload_keys"): keys["PAYLOAD_KEYS"],
        ("broker-user", "connection_string"): stores.amqp_url,
        ("broker-ca", "ca.crt"): Path(stores.ca_file).read_text(),
        ("prometheus", "metrics_token"): TOKEN,
        ("tls", "tls.crt"): b"".join(part.bytes() for part in certificate.cert_chain_pems).decode(),
        ("tls", "tls.key"): certificate.private_key_pem.bytes().decode(),
    }


@pytest.fixture(scope="module")
def running(stores: Stores, contents: dict[tuple[str, str], str], authority: trustme.CA) -> Iterator[dict[str, Pod]]:
    """The Job to its end, and then a pod of each role: the scheduler's as with TLS inside the cluster, the others' without."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    manifests = pods(render(VALUES)) | {"scheduler": pods(render({**VALUES, "tls": {"existingSecret": "tls"}}))["scheduler"]}
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        found = {name: Pod(manifest, contents, trusting) for name, manifest in manifests.items()}
        for pod in found.values():
            stack.callback(pod.destroy)
        prepared = found.pop("prepare").run()
        assert (prepared.returncode, prepared.stdout) == (0, "the stores are ready\n"), prepared.stderr
        assert query(stores.owner_database_url, "SELECT count(*) > 0 FROM schema_migrations") == [[True]]
        list(threads.map(Pod.start, found.values()))
        yield found


def test_each_is_what_its_probes_ask_for(running: dict[str, Pod]) -> None:
    for role in ROLES:
        assert [running[role].probe(name) for name in ("startupProbe", "livenessProbe")] == [200, 200]
        eventually(lambda role=role: running[role].probe("readinessProbe") == 200, 60, f"{role} is ready")  # type: ignore[misc]


def test_an_update_goes_through_all_of_them(running: dict[str, Pod]) -> None:
    player = running["http"].api.new_player()
    with player.watch() as viewer:
        reply = player.score(5)
        assert reply.status == 200
        assert reply.headers["RateLimit-Policy"].partition(";q=")[2].partition(";")[0] == "7", "what `settings` says"
        frame_with(viewer, player.user_id, 5)
    recorded = "SELECT new_score FROM score_history WHERE user_id = :player"
    eventually(lambda: running["http"].query(recorded, player=player.user_id) == [[5]], 60, "the ledger's row")
    held = "SELECT holder FROM leases WHERE name = :name AND expires_at > clock_timestamp()"
    for role, lease in (("consumer", "queue:score_history_queue"), ("scheduler", "schedules")):
        holder = [[running[role].runtime["instance_id"]]]
        eventually(lambda lease=lease, holder=holder: running["http"].query(held, name=lease) == holder, 60, lease)  # type: ignore[misc]


def test_prometheus_shows_its_token_to_each(running: dict[str, Pod]) -> None:
    for role in ROLES:
        asked = {"Host": "10.244.1.7:8080"}
        assert running[role].api.get("/metrics", **asked).status == 403
        assert running[role].api.get("/metrics", Authorization=f"Bearer {TOKEN}", **asked).status == 200


def test_each_ends_cleanly_before_it_would_be_killed(running: dict[str, Pod]) -> None:
    for role in ROLES:
        assert running[role].stop(running[role].grace_seconds) == 0
