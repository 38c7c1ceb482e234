"""What a broker's URL says, and that nothing is read for it that is not needed."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from shared.core.amqp import url_parameters
from shared.core.errors import ConfigurationError


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("amqp://host", 5672),
        ("amqp://host:1234", 1234),
        ("amqps://host", 5671),
        ("amqps://host:1234", 1234),
        ("AMQPS://host", 5671),
    ],
)
def test_each_scheme_has_its_port_and_only_one_of_them_tls(ca_file: str, url: str, port: int) -> None:
    parameters = url_parameters(url, ca_file)
    assert (parameters.host, parameters.port) == ("host", port)
    assert (parameters.ssl_options is not None) == url.lower().startswith("amqps:")


def test_account_virtual_host_and_options_are_kept(ca_file: str) -> None:
    parameters = url_parameters("amqps://user:secret@host/%2Fgames?frame_max=8192", ca_file)
    assert (parameters.credentials.username, parameters.credentials.password) == ("user", "secret")
    assert (parameters.virtual_host, parameters.frame_max) == ("/games", 8192)


def test_the_server_is_verified_by_name_and_by_this_ca_alone(ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("the system's CAs were read")

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", refuse)
    options = url_parameters("amqps://host", ca_file).ssl_options
    assert options.server_hostname == "host"
    assert options.context.verify_mode == ssl.CERT_REQUIRED
    assert options.context.check_hostname
    assert options.context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert len(options.context.get_ca_certs()) == 1


def test_without_a_file_the_systems_cas_are_believed() -> None:
    context = url_parameters("amqps://host", "").ssl_options.context
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.cert_store_stats() == ssl.create_default_context().cert_store_stats()


@pytest.mark.parametrize("url", ["host:5671", "redis://host", "http://host", "localhost", "amqp:host", ""])
def test_what_is_no_url_of_a_broker_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must begin with amqp:// or amqps://"):
        url_parameters(url, "")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"AMQP_CA_FILE.*nowhere"):
        url_parameters("amqps://host", "/nowhere/ca.pem")
