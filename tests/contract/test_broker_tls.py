"""Every client of the broker refuses a server that is not the one its URL and its CA file name, or that is behind the times."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pika
import pytest
import trustme
from pika.exceptions import AMQPError

from local_runtime.hosting.queue.broker import connection_parameters as consumer_parameters
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from shared.core.errors import ConfigurationError, RabbitUnavailable
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion
from shared.ledger.dead_letters_rabbitmq import DeadLetterQueue
from shared.ledger.topology_rabbitmq import Topology
from shared.operations.rabbitmq import BrokerMark, RabbitProbe, RabbitQueueGauge
from shared.stores.rabbitmq.publishing_thread import PublisherHooks, PublishingThread
from tests.support.tls_server import TlsServer
from tests.support.waiting import eventually

REFUSED = (RabbitUnavailable, InstanceError, AMQPError, OSError)
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
# What is wrong with the server: the name in its certificate, whether a CA we know signed it, the newest TLS it speaks.
WRONG = {
    "another name": ("elsewhere.example", True, ssl.TLSVersion.TLSv1_3),
    "another CA": ("127.0.0.1", False, ssl.TLSVersion.TLSv1_3),
    "TLS 1.2": ("127.0.0.1", True, ssl.TLSVersion.TLSv1_2),
}


def publisher(url: str, ca_file: str, minimum: TlsVersion) -> None:
    """Raises what all others raise when its thread has found that it cannot connect."""
    thread = PublishingThread(url, ca_file, PublisherHooks(lambda _: None, lambda: None, lambda: None), tls_minimum=minimum)
    try:
        eventually(lambda: not thread.usable, 60, "the broker given up")
    finally:
        thread.stop()
    raise RabbitUnavailable


def consumer(url: str, ca_file: str, minimum: TlsVersion) -> None:
    environment = {"AMQP_URL": url, "AMQP_CA_FILE": ca_file, "AMQP_TLS_MINIMUM": minimum}
    pika.BlockingConnection(consumer_parameters(environment, "/"))


CLIENTS: dict[str, Callable[[str, str, TlsVersion], object]] = {
    "publisher": publisher,
    "topology": lambda url, ca, tls: Topology(url, ca_file=ca, retry_delays=(1, 2, 3), tls_minimum=tls).declare(),
    "dead letters": lambda url, ca, tls: DeadLetterQueue(url, ca_file=ca, tls_minimum=tls).count(),
    "health": lambda url, ca, tls: RabbitProbe(url, ca_file=ca, tls_minimum=tls)(),
    "queues": lambda url, ca, tls: RabbitQueueGauge(url, ca_file=ca, tls_minimum=tls).read(),
    "mark": lambda url, ca, tls: BrokerMark(url, ca_file=ca, tls_minimum=tls).mark("ours"),
    "consumer": consumer,
    "check at start": lambda url, ca, tls: check_outside_servers({"AMQP_URL": url}, {"AMQP_URL": ca}, tls),
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_is_not_the_right_one_is_told_nothing(authority: trustme.CA, ca_file: str, client: str, wrong: str) -> None:
    name, is_known, newest = WRONG[wrong]
    certificate = (authority if is_known else trustme.CA()).issue_cert(name)
    with TlsServer(certificate, newest=newest) as server:
        with pytest.raises(REFUSED):
            CLIENTS[client](f"amqps://user:secret@127.0.0.1:{server.port}/", ca_file, AMQP_TLS_MINIMUM)
        assert server.handshakes > 0
    assert server.heard == []


@pytest.mark.parametrize(
    ("newest", "minimum"), [(ssl.TLSVersion.TLSv1_3, "1.3"), (ssl.TLSVersion.TLSv1_3, "1.2"), (ssl.TLSVersion.TLSv1_2, "1.2")]
)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_right_server_is_spoken_to(
    authority: trustme.CA, ca_file: str, client: str, newest: ssl.TLSVersion, minimum: TlsVersion
) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    with TlsServer(certificate, newest=newest) as server, pytest.raises(REFUSED):  # it does not know what to say
        CLIENTS[client](f"amqps://user:secret@127.0.0.1:{server.port}/", ca_file, minimum)
    assert server.heard[0] == AMQP_HEADER


def test_a_server_that_has_no_cipher_with_forward_secrecy_is_told_nothing(authority: trustme.CA, ca_file: str) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    with TlsServer(certificate, newest=ssl.TLSVersion.TLSv1_2, ciphers="AES256-GCM-SHA384:AES128-SHA256") as server:
        with pytest.raises(REFUSED):
            consumer(f"amqps://user:secret@127.0.0.1:{server.port}/", ca_file, "1.2")
        assert server.handshakes > 0
    assert server.heard == []


@pytest.mark.parametrize("content", [None, "no certificate at all"])
def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"AMQP_CA_FILE.*ca\.pem"):
        Topology("amqps://user:secret@127.0.0.1:1/", ca_file=str(path), retry_delays=(1, 2, 3)).declare()
