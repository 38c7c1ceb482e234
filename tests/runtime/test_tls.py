"""The certificate that is served: the operator's, renewed under a running server, or one of the instance's own."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from local_runtime.instance.certificate import invalid_dates, own_ca_file, with_certificate
from local_runtime.instance.doctor import report, served_certificate
from local_runtime.instance.own_tls import ServedCertificates, context_for
from local_runtime.instance.server_tls import ServerTls
from local_runtime.processes.serve import check_settings
from local_runtime.settings import InstanceSettings, SettingsError
from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.waiting import eventually

ASK = b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"


class Operator:
    """Puts certificates where the server looks for them, as a tool that renews them does."""

    def __init__(self, directory: Path) -> None:
        self.certificate, self.key = directory / "fullchain.pem", directory / "privkey.pem"

    def install(
        self,
        authority: trustme.CA,
        *,
        name: str = "127.0.0.1",
        key_too: bool = True,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> None:
        issued = authority.issue_cert(name, not_before=not_before, not_after=not_after)
        chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
        self._replace(self.certificate, chain)
        if key_too:
            self._replace(self.key, issued.private_key_pem.bytes())

    def _replace(self, path: Path, content: bytes) -> None:
        new = path.with_suffix(".new")
        new.write_bytes(content)
        new.chmod(0o600)
        new.replace(path)

    @property
    def settings(self) -> InstanceSettings:
        return InstanceSettings(tls=True, tls_cert=self.certificate, tls_key=self.key)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def pair(operator: Operator) -> Operator:
    operator.install(trustme.CA())
    return operator


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def is_trusted(server: HttpProcess, authority: trustme.CA) -> bool:
    try:
        server.open_socket(trusting(authority)).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_a_renewed_certificate_is_served_without_a_restart(operator: Operator) -> None:
    first, second = trustme.CA(), trustme.CA()
    operator.install(first)
    files = {"SCOREBOARD_TLS_CERT": str(operator.certificate), "SCOREBOARD_TLS_KEY": str(operator.key)}
    environment = {"SCOREBOARD_TLS": "true", "SCOREBOARD_IDLE_SECONDS": "300", **files}
    with HttpProcess(environment) as server, closing(server.open_socket(trusting(first))) as standing:
        standing.sendall(ASK)
        assert read_answer(standing).status == 200

        operator.install(second, key_too=False)  # the half of a pair
        eventually(lambda: "the new certificate is not used" in server.log, 60, "noticed")
        assert is_trusted(server, first)

        operator.install(second)
        eventually(lambda: is_trusted(server, second), 60, "the new certificate served")
        assert not is_trusted(server, first)
        standing.sendall(ASK)
        assert read_answer(standing).status == 200, "connections that stand are not touched"
    assert "PRIVATE KEY" not in server.last_log


def test_verbs_trust_the_certificate_that_is_served_whatever_its_name_and_ca_and_no_other_of_that_ca(operator: Operator) -> None:
    authority, another = trustme.CA().create_child_ca(), trustme.CA()
    operator.install(authority, name="scores.example.org")
    certificates = ServedCertificates(operator.certificate)
    environment = {"SCOREBOARD_TLS": "true", "SCOREBOARD_TLS_CERT": str(operator.certificate)}
    with HttpProcess({**environment, "SCOREBOARD_TLS_KEY": str(operator.key)}) as server:
        runtime = {"base_url": server.base_url, "ca_file": "", **certificates.as_runtime}
        standing = context_for(runtime)
        assert standing is not None
        server.open_socket(standing).close()

        operator.install(another, name="scores.example.com", key_too=False)  # the half of a pair: the first is still served
        for context in (standing, context_for(runtime)):
            assert context is not None
            server.open_socket(context).close()

        operator.install(another, name="scores.example.com")
        eventually(lambda: shows_the_new(server, standing), 10, "the new certificate served and trusted")
        assert certificates.look()
        assert not certificates.look()
        operator.certificate.unlink()
        renewed = context_for({**runtime, **certificates.as_runtime})
        assert renewed is not None
        server.open_socket(renewed).close()

        operator.install(another, name="scores.example.com", key_too=False)
        sibling = context_for({**runtime, **ServedCertificates(operator.certificate).as_runtime})
        assert sibling is not None
        with pytest.raises(ssl.SSLCertVerificationError):
            server.open_socket(sibling)


def shows_the_new(server: HttpProcess, context: ssl.SSLContext) -> bool:
    with closing(server.open_socket(context)) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return "scores.example.com" in names.get_values_for_type(x509.DNSName)


def test_files_that_vanish_for_a_moment_change_nothing(pair: Operator, caplog: pytest.LogCaptureFixture) -> None:
    served = ServerTls(pair.certificate, pair.key)
    before = served.context
    served.refresh()
    hidden = pair.key.rename(pair.key.with_suffix(".away"))
    served.refresh()
    hidden.rename(pair.key)
    with caplog.at_level(logging.INFO, "local_runtime"):
        served.refresh()
    assert served.context is not before
    noticed, renewed = caplog.messages
    assert f"{pair.key} cannot be read" in noticed
    assert renewed == "the certificate was renewed"


def refusal(settings: InstanceSettings) -> str:
    with pytest.raises(SettingsError) as refused:
        check_settings(settings, {})
    return str(refused.value)


def test_a_pair_that_fits_shows_the_new(pair: Operator, caplog: pytest.LogCaptureFixture) -> None:
    check_settings(pair.settings, {})
    assert caplog.messages == []
    pair.key.chmod(0o644)
    check_settings(pair.settings, {})
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize(
    ("days", "said"), [((-9, -1), "expired on 2026-06-29 12:00 UTC"), ((1, 9), "is not valid before 2026-07-01 12:00 UTC")]
)
def test_a_certificate_whose_dates_are_wrong_is_told_and_served(
    operator: Operator, days: tuple[int, int], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    noon = datetime(2026, 6, 30, 12, tzinfo=UTC)
    first, last = (noon + timedelta(days=number) for number in days)
    operator.install(trustme.CA(), not_before=first, not_after=last)
    assert invalid_dates(operator.certificate, noon) == f"the certificate in {operator.certificate} {said}"
    assert invalid_dates(operator.certificate, first + (last - first) / 2) == ""

    today = datetime.now(UTC).replace(microsecond=0)
    operator.install(trustme.CA(), not_before=today + timedelta(days=days[0]), not_after=today + timedelta(days=days[1]))
    check_settings(operator.settings, {})
    [warned] = caplog.messages
    assert said.partition(" 2026")[0] in warned
    assert "clients refuse it" in warned
    finding = report(operator.certificate.parent, certificate=operator.certificate)[-1]
    assert (finding.ok, finding.found) == (False, warned.partition(": ")[0])


def test_the_certificate_that_the_doctor_looks_at_is_that_of_the_instance_that_runs(pair: Operator) -> None:
    runtime = {"function_env": pair.settings.as_environment()}
    assert served_certificate(None, runtime) == pair.certificate
    assert served_certificate(pair.certificate, {"function_env": InstanceSettings().as_environment()}) is None
    assert served_certificate(pair.certificate, None) == pair.certificate
    finding = report(pair.certificate.parent, certificate=pair.certificate)[-1]
    assert (finding.ok, finding.found) == (True, str(pair.certificate))


def test_a_key_of_another_certificate_is_refused(pair: Operator) -> None:
    pair.install(trustme.CA(), key_too=False)
    assert f"the key in {pair.key} is not that of the certificate in {pair.certificate}" in refusal(pair.settings)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(pair: Operator) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"hunter2")
        )
    )
    assert "has a password" in refusal(pair.settings)


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_what_is_no_certificate_is_refused(pair: Operator, content: bytes) -> None:
    pair.certificate.write_bytes(content)
    assert "no certificate chain with its key" in refusal(pair.settings)


def test_a_file_that_is_not_there_is_named(pair: Operator) -> None:
    pair.key.unlink()
    assert "cannot be read: No such file" in refusal(pair.settings)


def test_half_of_the_options_is_refused(pair: Operator) -> None:
    assert "go together" in refusal(InstanceSettings(tls=True, tls_cert=pair.certificate))
    assert "without --tls" in refusal(InstanceSettings(tls_cert=pair.certificate, tls_key=pair.key))


@pytest.fixture
def own(tmp_path: Path) -> InstanceSettings:
    return InstanceSettings(tls=True, data_dir=tmp_path)


def names(settings: InstanceSettings) -> list[object]:
    assert settings.tls_cert is not None
    certificate = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
    return [name.value for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value]


def test_without_one_the_instance_makes_its_own_for_its_own_eyes(own: InstanceSettings) -> None:
    made = with_certificate(own)
    assert own_ca_file(own) == own.data_dir / "tls" / "ca.pem"
    assert made.tls_key is not None
    assert stat.S_IMODE(made.tls_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.tls_key.parent.stat().st_mode) == 0o700
    before = made.tls_key.read_bytes()
    assert with_certificate(own).tls_key == made.tls_key
    assert made.tls_key.read_bytes() == before, "it is kept"
    assert not list(made.tls_key.parent.glob("*ca*key*")), "nobody can sign anything with this CA again"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.7", ipaddress.ip_address("192.0.2.7")),
        ("2001:db8::7", ipaddress.ip_address("2001:db8::7")),
        ("board.example", "board.example"),
        ("0.0.0.0", socket.gethostname()),  # noqa: S104 - nothing is bound
    ],
)
def test_it_names_what_is_listened_on(own: InstanceSettings, host: str, name: object) -> None:
    loopback = {"localhost", ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    assert set(names(with_certificate(own))) == loopback
    elsewhere = InstanceSettings(tls=True, data_dir=own.data_dir, host=host)
    assert set(names(with_certificate(elsewhere))) == {*loopback, name}
