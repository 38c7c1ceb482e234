"""The scoreboard behind somebody else's log-in, set up as infra/examples/identity-provider.md says."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.clients.driven import COMMANDS, Driven, only_rises
from tests.support.api import PASSWORD, Answer, problem
from tests.support.identity_provider import IdentityProvider
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("identity-provider")
DOCUMENT = (ROOT / "infra" / "examples" / "identity-provider.md").read_text(encoding="utf-8")
SETTING_UP, *COMMANDS_OF_THE_DOCUMENT = re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
SETTINGS = dict(re.findall(r"^export (\w+)=(\S+)$", SETTING_UP, re.MULTILINE))
ORIGIN = SETTINGS["CORS_ALLOWED_ORIGINS"]
TOKEN_SECONDS = 4


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider(SETTINGS["JWT_AUDIENCE"]) as running:
        yield running


@pytest.fixture(scope="module")
def product(provider: IdentityProvider) -> Iterator[Product]:
    settings = {name: value.replace("https://id.example", provider.url) for name, value in SETTINGS.items()}
    with Product(None, **settings) as running:
        yield running


def ask(product: Product, token: str, method: str, path: str, body: object = None) -> Answer:
    return product.api.request(method, path, body, {"Authorization": f"Bearer {token}"})


def known_player(product: Product, provider: IdentityProvider) -> tuple[str, str]:
    """A player here with an account there; answers the name and the user id."""
    name = f"outside-{secrets.token_hex(6)}"
    account = product.api.post("/api/users", {"username": name, "password": PASSWORD}).data
    provider.save(name, account["userId"])
    return name, account["userId"]


def test_the_document_works_as_it_stands(product: Product, provider: IdentityProvider) -> None:
    script = "\n".join(COMMANDS_OF_THE_DOCUMENT)
    script = script.replace("https://id.example", provider.url).replace("http://127.0.0.1:8080", product.base_url)
    environment = {**os.environ, "SCOREBOARD_DATA_DIR": str(product.data_dir)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = product.query("SELECT user_id FROM users WHERE username = 'ada'")
    assert ask(product, provider.token("ada"), "GET", f"/api/score/{row[0]}").data["score"] == 7


def test_a_stranger_may_look_and_nobody_is_made_an_admin_by_a_token(product: Product, provider: IdentityProvider) -> None:
    name, user_id = known_player(product, provider)
    stranger = provider.token("a-stranger")
    assert ask(product, stranger, "GET", "/api/scores").status == 200
    assert problem(ask(product, stranger, "POST", "/api/score/nobody-here", {"increment": 1})) == (403, "unknown_user")
    assert problem(ask(product, stranger, "POST", f"/api/score/{user_id}", {"increment": 1})) == (403, "not_your_score")
    assert ask(product, provider.token(name, role="admin"), "GET", "/api/admin/audit-log").status == 403
    other_api = provider.token(name, aud="another-api")
    assert problem(ask(product, other_api, "GET", "/api/scores"))[0] == 401


def test_a_page_of_the_game_may_ask_and_another_may_not(product: Product) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
        answer = product.api.request("OPTIONS", "/api/score/x", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == allowed


def test_who_watches_longer_than_a_token_lives_misses_nothing(product: Product, provider: IdentityProvider) -> None:
    """Tokens of four seconds: over three of them both clients watch the board and score, without a break."""
    with ExitStack() as stack:
        playing: list[tuple[Driven, str, int]] = []
        for language in sorted(COMMANDS):
            client = stack.enter_context(Driven(language))
            name, _ = known_player(product, provider)
            outside = {"token_url": provider.token_url(name, TOKEN_SECONDS), "user_id_claim": SETTINGS["JWT_USER_ID_CLAIM"]}
            client.do("join", name=name, url=product.base_url, **outside)
            client.do("watch", name=name)
            playing.append((client, name, client.begin("play_for", name=name, seconds=3 * TOKEN_SECONDS)))
        for client, name, begun in playing:
            score = client.result(begun)["score"]
            eventually(lambda: client.shows(name, score), 60, "the newest score is shown")  # noqa: B023 - called here and now
            assert client.ends == []
            assert only_rises(client.versions())
