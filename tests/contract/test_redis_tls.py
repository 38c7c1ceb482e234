"""The line to Redis over TLS: verified by name and by CA unless the URL says otherwise, on every client of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
import trustme

from local_runtime.gateway.websocket.subscriber import Subscriber
from local_runtime.gateway.websocket.views import Views
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from shared.core.errors import ConfigurationError, RedisUnavailable
from shared.stores.redis.connection import connect, translated
from tests.support.tls_redis import PASSWORD, TlsRedis
from tests.support.tls_server import TlsServer


@pytest.fixture
def url(tls_redis: TlsRedis) -> str:
    return tls_redis.url


@pytest.fixture
def ca_file(tls_redis: TlsRedis) -> str:
    return tls_redis.ca_file


def ping(url: str, ca_file: str = "") -> bool:
    with connect(url, ca_file=ca_file) as client, translated():
        return bool(client.ping())


def cause(refused: pytest.ExceptionInfo[RedisUnavailable]) -> str:
    return str(refused.value.__cause__)


def test_the_file_of_the_setting_or_of_the_url_makes_the_server_known(url: str, ca_file: str) -> None:
    assert ping(url, ca_file)
    assert ping(f"{url}?ssl_ca_certs={ca_file}")


def test_a_server_of_an_unknown_ca_is_refused(url: str, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    for ca_file in ("", str(tmp_path / "other.pem")):
        with pytest.raises(RedisUnavailable) as refused:
            ping(url, ca_file)
        assert "CERTIFICATE_VERIFY_FAILED" in cause(refused)


def test_a_server_of_another_name_is_told_nothing(tls_redis: TlsRedis, ca_file: str) -> None:
    with TlsServer(tls_redis.authority.issue_cert("elsewhere.example")) as server:
        with pytest.raises(RedisUnavailable) as refused:
            ping(f"rediss://:{PASSWORD}@127.0.0.1:{server.port}/0", ca_file)
        assert "not valid for '127.0.0.1'" in cause(refused)
    assert server.heard == []


def test_verification_ends_only_where_the_url_ends_it(url: str) -> None:
    assert ping(f"{url}?ssl_cert_reqs=none")


def test_plain_text_to_a_server_of_tls_is_no_connection(url: str) -> None:
    with pytest.raises(RedisUnavailable):
        ping(url.replace("rediss://", "redis://"))


def test_a_connection_that_leads_to_the_wrong_server_is_not_kept(url: str, ca_file: str) -> None:
    with connect(url, ca_file=ca_file) as client:
        before = client.client_id()
        with pytest.raises(RedisUnavailable), translated():
            client.eval("return redis.error_reply('READONLY You cannot write against a read only replica.')", 0)
        assert client.client_id() != before


@pytest.mark.parametrize("content", [None, "no certificate at all"])
def test_a_ca_file_that_cannot_be_read_is_named(url: str, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"REDIS_CA_FILE.*ca\.pem") as refused:
        connect(url, ca_file=str(path))
    assert PASSWORD not in str(refused.value)


def test_the_check_at_start_asks_for_the_same(url: str, ca_file: str) -> None:
    check_outside_servers({"REDIS_URL": url}, {"REDIS_URL": ca_file})
    with pytest.raises(InstanceError, match="CERTIFICATE_VERIFY_FAILED") as refused:
        check_outside_servers({"REDIS_URL": url}, {})
    assert PASSWORD not in str(refused.value)


def test_the_gateway_listens_over_tls_too(url: str, ca_file: str) -> None:
    class Enough(BaseException):
        """Ends the listening, which nothing else does."""

    def publish(frame: bytes) -> None:
        heard.append(frame)
        raise Enough

    heard: list[bytes] = []
    with connect(url, ca_file=ca_file) as client:
        client.set("frames:last", "the state kept in Redis")
    with pytest.raises(Enough):
        Subscriber(url, "frames", publish, publish, publish, Views(0.1, lambda *_: None), ca_file=ca_file).run()
    assert heard == [b"the state kept in Redis"]
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        Subscriber(url, "frames", publish, publish, publish, Views(0.1, lambda *_: None))._listen()
