"""Every endpoint and every error code of the contract, asked of the local runtime and of the packages as Lambda runs them."""

from __future__ import annotations

import base64
import json
import secrets

import pytest

from tests.support.api import PASSWORD, Api, Player, problem
from tests.support.hosted import Hosted


@pytest.fixture
def api(hosted: Hosted) -> Api:
    return hosted.api


@pytest.fixture(scope="module")
def player(hosted: Hosted) -> Player:
    return hosted.api.new_player()


def unique_name() -> str:
    return f"player-{secrets.token_hex(6)}"


def test_registration_answers_the_account_and_shows_the_key_once(api: Api) -> None:
    username = unique_name()
    answer = api.post("/api/users", {"username": username, "password": PASSWORD})
    assert answer.status == 201
    assert set(answer.data) == {"userId", "username", "displayName", "role", "apiKey"}
    assert (answer.data["username"], answer.data["role"]) == (username, "player")
    assert answer.headers["X-Request-Id"]
    assert "hashed" not in answer.body.decode()


def test_a_new_player_stands_on_the_board_with_zero(hosted: Hosted, api: Api) -> None:
    newcomer = api.new_player()
    assert hosted.redis().zscore("leaderboard", f"user:{newcomer.user_id}") == 0
    assert newcomer.standing()["score"] == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"username": "ab", "password": PASSWORD}, (422, "invalid_username")),
        ({"username": "a" * 51, "password": PASSWORD}, (422, "invalid_username")),
        ({"username": "no spaces", "password": PASSWORD}, (422, "invalid_username")),
        ({"username": 7, "password": PASSWORD}, (422, "invalid_username")),
        ({"password": PASSWORD}, (422, "invalid_username")),
        ({"username": "somebody", "password": "short"}, (422, "weak_password")),
        ({"username": "somebody", "password": "x" * 129}, (422, "weak_password")),
        ({"username": "somebody"}, (422, "weak_password")),
        ({"username": "somebody", "password": None}, (422, "weak_password")),
        ([], (400, "malformed_json")),
        (b"{", (400, "malformed_json")),
        (b"\xff\xfe", (400, "malformed_json")),
        (b"", (400, "malformed_json")),
    ],
)
def test_a_bad_registration_is_refused(api: Api, body: object, expected: tuple[int, str]) -> None:
    assert problem(api.post("/api/users", body)) == expected


def test_a_taken_username_is_refused(api: Api, player: Player) -> None:
    answer = api.post("/api/users", {"username": player.username, "password": PASSWORD})
    assert problem(answer) == (409, "username_taken")


def test_tokens_are_issued_and_refreshed(api: Api, player: Player) -> None:
    first = api.post("/api/tokens", {"username": player.username, "password": PASSWORD}).data
    assert set(first) == {"userId", "accessToken", "tokenType", "expiresIn", "refreshToken"}
    assert (first["tokenType"], first["expiresIn"]) == ("Bearer", 900)
    second = api.post("/api/tokens", {"refreshToken": first["refreshToken"]}).data
    assert second["refreshToken"] != first["refreshToken"]
    again = api.post("/api/tokens", {"refreshToken": first["refreshToken"]}).data
    assert again["refreshToken"] == second["refreshToken"], "its answer may have been lost"
    third = api.post("/api/tokens", {"refreshToken": second["refreshToken"]}).data
    reused = api.post("/api/tokens", {"refreshToken": first["refreshToken"]})
    assert problem(reused) == (401, "invalid_credentials")
    after_reuse = api.post("/api/tokens", {"refreshToken": third["refreshToken"]})
    assert problem(after_reuse) == (401, "invalid_credentials"), "a reused token ends its whole family"


def test_an_access_token_has_the_claims_of_the_contract_and_verifies_with_the_jwks(api: Api, player: Player) -> None:
    import jwt

    jwks = api.get("/.well-known/jwks.json")
    assert jwks.status == 200
    header = jwt.get_unverified_header(player.access_token)
    key = next(jwt.PyJWK(key) for key in jwks.json["keys"] if key["kid"] == header["kid"])
    assert all("d" not in key for key in jwks.json["keys"])
    claims = jwt.decode(player.access_token, key, algorithms=["EdDSA"], audience="scoreboard-api", issuer="scoreboard")
    assert {"iss", "aud", "sub", "role", "iat", "exp", "jti"} <= set(claims)
    assert (claims["sub"], claims["role"], claims["exp"] - claims["iat"]) == (player.user_id, "player", 900)


@pytest.mark.parametrize("username", ["player", "nobody-has-this-name"])
def test_wrong_credentials_get_the_same_answer_for_known_and_unknown_names(api: Api, player: Player, username: str) -> None:
    name = player.username if username == "player" else username
    answer = api.post("/api/tokens", {"username": name, "password": "not the password"})
    assert problem(answer) == (401, "invalid_credentials")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_repeated_failures_are_slowed_down(api: Api) -> None:
    victim = api.new_player()
    codes: list[int] = []
    while not codes or (codes[-1] != 429 and len(codes) < 12):  # who comes when a delay is over may guess once more
        answer = api.post("/api/tokens", {"username": victim.username, "password": "not the password"})
        codes.append(problem(answer)[0])
    assert codes[0] == 401
    assert codes[-1] == 429
    assert int(answer.headers["Retry-After"]) >= 1


def test_an_update_answers_the_receipt_and_the_rate_limit(api: Api) -> None:
    scorer = api.new_player()
    answer = scorer.score(2, **{"X-API-Key": scorer.api_key})
    assert answer.status == 200
    assert set(answer.data) >= {"userId", "score", "rank", "increment", "requestId"}
    assert "q=100;w=60" in answer.headers["RateLimit-Policy"]
    assert "r=99" in answer.headers["RateLimit"]


def test_the_same_idempotency_key_counts_once(api: Api) -> None:
    scorer = api.new_player()
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first, again = scorer.score(4, **key), scorer.score(4, **key)
    assert first.headers["Idempotency-Replayed"] is None
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.data == first.data
    assert scorer.standing()["score"] == 4
    assert problem(scorer.score(3, **key)) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("increment", [0, 6, -1, 1.5, 1.0, "1", True, None, [1], 10**30])
def test_an_increment_must_be_an_integer_from_1_to_5(player: Player, increment: object) -> None:
    assert problem(player.score(increment)) == (422, "invalid_increment")


def test_an_update_needs_the_players_own_token(api: Api, player: Player) -> None:
    path = f"/api/score/{player.user_id}"
    other = api.new_player()
    assert problem(api.post(path, {"increment": 1})) == (401, "missing_token")
    assert problem(api.post(path, {"increment": 1}, {"Authorization": "Bearer nonsense"})) == (401, "invalid_token")
    assert problem(api.post(path, {"increment": 1}, {"Authorization": "Basic eDp5"})) == (401, "missing_token")
    assert problem(api.post(path, {"increment": 1}, other.authorization)) == (403, "not_your_score")
    assert problem(player.score(1, **{"X-API-Key": "wrong"})) == (401, "invalid_api_key")
    assert problem(player.score(1, **{"X-API-Key": other.api_key})) == (401, "invalid_api_key")


def test_a_token_with_a_changed_claim_is_refused(api: Api, player: Player) -> None:
    head, body, signature = player.access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "somebody-else"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    answer = api.get("/api/scores", Authorization=f"Bearer {head}.{forged}.{signature}")
    assert problem(answer) == (401, "invalid_token")


def test_more_than_100_updates_a_minute_are_refused(api: Api) -> None:
    fast = api.new_player()
    statuses = [fast.score(1).status for _ in range(100)]
    assert statuses == [200] * 100
    refused = fast.score(1)
    assert problem(refused) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "r=0" in refused.headers["RateLimit"]
    assert fast.standing()["score"] == 100


def test_the_leaderboard_is_exactly_as_specified(player: Player) -> None:
    answer = player.get("/api/scores?limit=3")
    assert answer.status == 200
    assert set(answer.json) == {"data", "cache_time"}
    assert answer.json["cache_time"].endswith("Z")
    assert 1 <= len(answer.json["data"]) <= 3
    assert [line["rank"] for line in answer.json["data"]] == list(range(1, len(answer.json["data"]) + 1))
    assert all(set(line) == {"userId", "username", "displayName", "rank", "score"} for line in answer.json["data"])


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "1.5", ""])
def test_a_bad_limit_is_refused(player: Player, limit: str) -> None:
    assert problem(player.get(f"/api/scores?limit={limit}"))[0] == 422


def test_the_leaderboard_needs_a_token(api: Api) -> None:
    assert problem(api.get("/api/scores")) == (401, "missing_token")


def test_a_players_standing_has_neighbours(player: Player) -> None:
    data = player.get(f"/api/score/{player.user_id}?neighbours=2").data
    assert set(data) == {"userId", "username", "displayName", "rank", "score", "neighbours"}
    assert data["username"] == player.username
    assert len(data["neighbours"]) <= 5


def test_an_unknown_player_is_not_found(player: Player) -> None:
    assert problem(player.get("/api/score/nobody")) == (404, "unknown_user")


def test_only_the_player_reads_the_history(api: Api, player: Player) -> None:
    other = api.new_player()
    answer = api.request("GET", f"/api/score/{player.user_id}/history", headers=other.authorization)
    assert answer.status == 403
    assert problem(player.get(f"/api/score/{player.user_id}/history?cursor=%00bad"))[0] == 422
    assert problem(player.get(f"/api/score/{player.user_id}/history?limit=0"))[0] == 422


def test_health_needs_no_token_and_names_every_dependency(api: Api) -> None:
    assert api.get("/healthz").status == 200
    ready = api.get("/readyz").data
    assert {name: ready[name] for name in ("redis", "rabbitmq", "postgresql")} == dict.fromkeys(
        ("redis", "rabbitmq", "postgresql"), "up"
    )
    assert ready["capabilities"] == {name: {"ok": True} for name in ("acceptUpdates", "record", "broadcast", "logIn", "read")}
    assert ready["status"] == "ready"


def test_the_openapi_document_describes_every_route(api: Api) -> None:
    document = api.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert {"/api/users", "/api/tokens", "/api/score/{user_id}", "/api/scores", "/api/ws-tickets"} <= set(document["paths"])


def test_a_body_that_is_not_json_is_told_so(api: Api, player: Player) -> None:
    path = f"/api/score/{player.user_id}"
    assert problem(api.post(path, b"{", player.authorization)) == (400, "malformed_json")
    text = {**player.authorization, "Content-Type": "text/plain"}
    assert problem(api.post(path, b"{}", text)) == (415, "unsupported_media_type")


def test_a_body_over_64_kib_is_refused(api: Api, player: Player) -> None:
    answer = api.post(f"/api/score/{player.user_id}", b" " * 65537, player.authorization)
    assert problem(answer)[0] == 413
