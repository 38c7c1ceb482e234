"""A server of one's own: the command of the systemd unit, and each sample of a proxy that brings TLS to it."""

from __future__ import annotations

import configparser
import http.client
import json
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from local_runtime.instance.servers.ports import free_port
from tests.support.api import Api, frame_with
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("own server")
UNIT = ROOT / "infra" / "systemd" / "scoreboard.service"
PROXIES = ROOT / "infra" / "proxies"
NAME = "scores.example.org"
INSTALLED = "/opt/scoreboard/bin/scoreboard"


def service() -> configparser.SectionProxy:
    """What the unit says of the service; of several settings with one name the last one."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    return unit["Service"]


class Unit(Product):
    """The product, started by the unit's own command line on this installation, in a state directory with a `.env`."""

    def __init__(self) -> None:
        super().__init__(None, PYTHONPATH=str(ROOT))
        self.root = self.data_dir
        self.root.mkdir(mode=0o711)
        (self.root / ".env").write_text("SCOREBOARD_TRUSTED_PROXIES=127.0.0.1\nSCOREBOARD_PORT=0\n")

    def _command(self, *arguments: str) -> list[str]:
        command = service()["ExecStart"] if arguments[0] == "serve" else shlex.join([INSTALLED, *arguments])
        assert command.startswith(INSTALLED + " ")
        return [str(self.python), "-m", "local_runtime", *shlex.split(command.removeprefix(INSTALLED))]

    @property
    def runtime(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.root / ".local" / "runtime.json").read_text())
        return document


@pytest.fixture(scope="module")
def unit() -> Iterator[Unit]:
    with Unit() as running:
        yield running
        assert running.stop(float(service()["TimeoutStopSec"])) == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of chain and key for localhost."""
    directory = tmp_path_factory.mktemp("certificate")
    issued = authority.issue_cert("localhost")
    chain, key = directory / "chain.pem", directory / "key.pem"
    for part in issued.cert_chain_pems:
        part.write_to_path(chain, append=True)
    issued.private_key_pem.write_to_path(key)
    return chain, key


def replaced(text: str, changes: dict[str, str]) -> str:
    """The sample for this test; each thing that is changed must be in it."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the sample any more"
        text = text.replace(old, new)
    return text


def nginx(directory: Path, certificate: tuple[Path, Path], upstream: str, port: int) -> list[str]:
    chain, key = certificate
    letsencrypt = f"/etc/letsencrypt/live/{NAME}"
    changes = {
        f"{letsencrypt}/fullchain.pem": str(chain),
        f"{letsencrypt}/privkey.pem": str(key),
        NAME: "localhost",
        "127.0.0.1:8080": upstream,
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen [::]:80;": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen [::]:443 ssl http2;": "",
    }
    (directory / "site.conf").write_text(replaced((PROXIES / "nginx.conf").read_text(), changes))
    temporary = "".join(f"{kind}_temp_path {directory}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    http_block = f"http {{ access_log off; {temporary} include site.conf; }}"
    (directory / "nginx.conf").write_text(f"daemon off; pid {directory}/pid; error_log stderr; events {{}} {http_block}")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-e", "stderr", "-p", str(directory), "-c", "nginx.conf"]


def caddy(directory: Path, certificate: tuple[Path, Path], upstream: str, port: int) -> list[str]:
    changes = {f"{NAME} {{": f"localhost:{port} {{\n\ttls {certificate[0]} {certificate[1]}", "127.0.0.1:8080": upstream}
    site = replaced((PROXIES / "Caddyfile").read_text(), changes)
    (directory / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}}\n{site}")
    program = shutil.which("caddy") or "/usr/bin/caddy"
    home = f"HOME={directory}"
    return ["env", home, program, "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]


Command = Callable[[Path, tuple[Path, Path], str, int], list[str]]


@pytest.fixture(params=[nginx, caddy], scope="module")
def proxied(
    request: pytest.FixtureRequest,
    unit: Unit,
    authority: trustme.CA,
    certificate: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """The unit's scoreboard behind one of the proxies."""
    command: Command = request.param
    directory, port = tmp_path_factory.mktemp("proxy"), free_port()
    directory.chmod(0o755)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    api = Api(f"https://localhost:{port}", context)

    def answers() -> bool:
        try:
            return api.get("/healthz").status == 200
        except OSError:
            return False

    process = subprocess.Popen(
        command(directory, certificate, unit.base_url.removeprefix("http://"), port), stdout=sys.stderr, stderr=sys.stderr
    )
    try:
        eventually(answers, 60, "the proxy's answer")
        yield api
    finally:
        process.terminate()
        process.wait(60)


def test_systemd_takes_the_unit_and_finds_it_well_confined(tmp_path: Path) -> None:
    program = tmp_path / "scoreboard"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(INSTALLED, str(program)))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    confined = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=15", str(unit)], capture_output=True, text=True, check=False
    )
    assert confined.returncode == 0, confined.stdout


def test_verbs_in_the_state_directory_find_the_instance(unit: Unit, tmp_path: Path) -> None:
    done = unit.verb("status")
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, f"{unit.base_url}  ready"), done.stderr
    done = unit.verb("backup", str(tmp_path / "scores.backup"))
    assert done.returncode == 0, done.stderr


def test_a_player_plays_and_watches_through_the_proxy(proxied: Api) -> None:
    player = proxied.new_player()
    with player.watch() as viewer:
        answer = player.score(5)
        assert answer.status == 200
        assert "Strict-Transport-Security" in answer.headers, "the scoreboard is told that its clients speak TLS"
        frame_with(viewer, player.user_id, 5)


def test_a_page_of_this_site_may_open_a_socket_and_one_of_another_site_not(proxied: Api) -> None:
    player = proxied.new_player()
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        **player.authorization,
    }

    def status(origin: str) -> int:
        connection = http.client.HTTPSConnection(proxied.base_url.removeprefix("https://"), context=proxied.tls, timeout=60)
        try:
            connection.request("GET", "/ws", headers={**handshake, "Origin": origin})
            return connection.getresponse().status
        finally:
            connection.close()

    assert (status(proxied.base_url), status("https://elsewhere.example")) == (101, 403)


def test_the_ledger_has_the_clients_own_address_whatever_the_client_says(proxied: Api, unit: Unit) -> None:
    player = proxied.new_player()
    where = proxied.base_url.removeprefix("https://localhost:")
    connection = http.client.HTTPSConnection(
        "localhost", int(where), context=proxied.tls, timeout=60, source_address=("127.0.0.9", 0)
    )
    headers = {**player.authorization, "Content-Type": "application/json", "X-Forwarded-For": "203.0.113.9"}
    connection.request("POST", f"/api/score/{player.user_id}", json.dumps({"increment": 3}), headers)
    assert connection.getresponse().status == 200
    connection.close()
    asked = "SELECT source_ip FROM audit_log WHERE user_id = :player AND action = 'score_accepted'"
    rows = eventually(lambda: unit.query(asked, player=player.user_id), 60, "the ledger's row")
    assert rows == [["127.0.0.9"]]


def test_metrics_are_kept_from_the_world(proxied: Api) -> None:
    assert proxied.get("/metrics").status == 403
