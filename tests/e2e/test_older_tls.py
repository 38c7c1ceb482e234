"""A real broker that offers nothing newer than TLS 1.2, as managed ones may."""

from __future__ import annotations

import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.run import running
from tests.support.api import frame_with
from tests.support.product import ROOT, Product, clean_environment, new_data_dir, remove_data_dir
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("older tls"), pytest.mark.timeout(600)]


class OlderRabbitMQ(PrivateRabbitMQ):
    """The private one, but for the version that it offers."""

    def prepare(self) -> None:
        super().prepare()
        configuration = self._directory / "rabbitmq.conf"
        newer = configuration.read_text()
        assert "ssl_options.versions.1 = tlsv1.3" in newer
        configuration.write_text(newer.replace("ssl_options.versions.1 = tlsv1.3", "ssl_options.versions.1 = tlsv1.2"))

    def _serves(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), 2) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
            ):
                return secure.version() == "TLSv1.2"
        except OSError:
            return False


@pytest.fixture(scope="module")
def broker() -> Iterator[dict[str, str]]:
    """The variables that name it."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    try:
        with running(OlderRabbitMQ(data_dir, secrets.token_hex(16))) as server:
            yield {"AMQP_URL": server.url, "AMQP_CA_FILE": str(server.ca_file)}
    finally:
        remove_data_dir(data_dir)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({}, "the broker speaks no TLS 1.3: update it, or accept TLS 1.2 as well with AMQP_TLS_MINIMUM=1.2"),
        ({"AMQP_TLS_MINIMUM": "1.1"}, "AMQP_TLS_MINIMUM: '1.1' is none of 1.2, 1.3"),
    ],
)
def test_it_is_refused_at_the_start_with_what_to_do(
    broker: dict[str, str], setting: dict[str, str], says: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local_runtime", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
        cwd=ROOT,
        env={**clean_environment(), **broker, **setting},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr


def test_it_is_accepted_where_the_setting_says_so(broker: dict[str, str]) -> None:
    with Product(None, "--workers", "1", **broker, AMQP_TLS_MINIMUM="1.2") as product:
        player = product.api.new_player()
        with player.watch() as viewer:
            player.add_points(5)
            frame_with(viewer, player.user_id, 5)
        recorded = "SELECT new_score FROM score_history WHERE user_id = :player"
        eventually(lambda: product.query(recorded, player=player.user_id) == [[5]], 60, "the ledger's row")
        eventually(product.is_ready, 60, "everything works")
        assert product.verb("dead-letters", "list").returncode == 0
        assert 'scoreboard_dependency_up{dependency="rabbitmq"} 1' in product.api.get("/metrics").body.decode()
