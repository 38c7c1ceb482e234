"""The product with `--tls`: everything of it over TLS 1.3, and one CA file with which all of it can be verified."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest
import trustme

from tests.support.api import Api, frame_with
from tests.support.product import ROOT, Product, clean_environment
from tests.support.terminal import Shown
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("tls")


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product(None, "--tls") as running:
        yield running


@pytest.fixture
def context(product: Product) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=product.runtime["ca_file"])


@pytest.fixture
def api(product: Product, context: ssl.SSLContext) -> Api:
    return Api(product.base_url, context)


def test_a_player_plays_and_watches_over_tls(product: Product, api: Api) -> None:
    assert (urlsplit(product.base_url).scheme, urlsplit(product.runtime["ws_url"]).scheme) == ("https", "wss")
    player = api.new_player()
    with player.watch() as viewer:
        answer = player.score(5)
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        frame_with(viewer, player.user_id, 5)


def test_nothing_older_than_tls_1_3_is_spoken(product: Product) -> None:
    where = urlsplit(product.base_url).netloc
    asked = ["openssl", "s_client", "-connect", where, "-CAfile", product.runtime["ca_file"], "-verify_return_error"]
    good = subprocess.run([*asked, "-tls1_3"], input="", capture_output=True, text=True, timeout=30, check=False)
    assert (good.returncode, "Verify return code: 0 (ok)" in good.stdout) == (0, True), good.stderr
    old = subprocess.run([*asked, "-tls1_2"], input="", capture_output=True, text=True, timeout=30, check=False)
    assert old.returncode != 0
    assert "Cipher is (NONE)" in old.stdout


def test_the_broker_is_verified_with_the_same_file(product: Product, context: ssl.SSLContext) -> None:
    parameters = pika.URLParameters(product.runtime["amqp_url"])
    parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    pika.BlockingConnection(parameters).close()


def test_keys_and_secrets_are_for_the_owner_alone(product: Product) -> None:
    for name in ("tls/server.key", "rabbitmq/tls/server.key", "runtime.json", "secrets.json"):
        assert stat.S_IMODE((product.data_dir / name).stat().st_mode) == 0o600, name


def test_a_game_is_simulated_over_tls(product: Product) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local_runtime", "simulate", "--players", "2", "--seconds", "1"],
        cwd=ROOT,
        env={**clean_environment(), "SCOREBOARD_DATA_DIR": str(product.data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exactly what was acknowledged" in done.stdout


def test_the_verbs_find_an_instance_that_shows_a_certificate_of_another_ca_and_another_name(tmp_path: Path) -> None:
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"

    def install() -> None:
        issued = trustme.CA().create_child_ca().issue_cert("scores.example.org")
        for path, parts in ((certificate, issued.cert_chain_pems), (key, [issued.private_key_pem])):
            path.with_suffix(".new").write_bytes(b"".join(part.bytes() for part in parts))
            path.with_suffix(".new").replace(path)

    install()
    with Product(None, "--tls", "--tls-cert", str(certificate), "--tls-key", str(key)) as running:
        with Shown("top", "--data-dir", str(running.data_dir), "--json") as top:
            for verb in (["status"], ["doctor"], ["simulate", "--players", "2", "--seconds", "1"]):
                done = running.verb(*verb)
                assert done.returncode == 0, done.stdout + done.stderr
            top.wait_for("version")
            assert top.interrupt() == 0
        first = running.runtime["certificates"]
        install()
        eventually(lambda: len(running.runtime["certificates"]) == len(first) + 1, 10, "the renewed certificate noted")
        log = running.data_dir / "logs" / "http.log"
        eventually(lambda: "the certificate was renewed" in log.read_text(), 10, "it is served")
        done = running.verb("status")
        assert done.returncode == 0, done.stderr


def test_the_operator_is_told_whom_to_trust(product: Product) -> None:
    assert any(f"--cacert {product.data_dir}/tls/ca.pem" in line for line in product.output)
    runtime = json.loads((product.data_dir / "runtime.json").read_text())
    assert runtime["function_env"]["AMQP_CA_FILE"] != runtime["ca_file"], "functions trust nobody else for the broker"
