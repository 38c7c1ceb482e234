"""`python -m tests.directories.check DATA_DIR LEFT.json`: starts this version on what an older one left and counts everything."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import jwt

from tests.directories.make_fixture import SECRET_FILE
from tests.support.api import Player
from tests.support.product import Product
from tests.support.waiting import eventually


def check(product: Product, left: dict[str, Any]) -> None:
    """Points on board and ledger, dead letters, tokens, passwords, the audit log; then it is played on."""
    players = {each["userId"]: each for each in left["players"]}
    points = {user_id: each["points"] for user_id, each in players.items()}
    letters = left["deadLetters"]["refused"] + left["deadLetters"]["unreadable"]
    assert board(product, points) == points
    verb(product, "verify-audit")
    listed = verb(product, "dead-letters", "list", "--limit", "100")
    assert f"{letters} of {letters} dead letters" in listed, listed
    recorded = sum(points.values()) - left["deadLetters"]["points"]

    def is_recorded() -> bool:
        product.invoke("rebuild_leaderboard")
        return bool(sum(ledger(product, points).values()) == recorded)

    eventually(is_recorded, 120, "all but the dead letters in the ledger")
    assert board(product, points) == points

    product.verb("dead-letters", "redrive")  # what cannot be opened comes back, and its exit code says so
    eventually(lambda: ledger(product, points) == points, 60, "the dead letters in the ledger")
    assert "every player is in order" in verb(product, "reconcile", "--full")
    assert board(product, points) == points

    for each in players.values():
        see_that_it_is_known(product, each, left)
    ended = product.api.post("/api/tokens", {"refreshToken": left["endedRefreshToken"]})
    assert ended.status == 401
    playing = [user_id for user_id in players if user_id != left["disabled"]]
    for user_id in playing:
        player = player_of(product, players[user_id])
        answer = player.score(2, **{"X-API-Key": player.api_key})
        assert (answer.status, answer.data["score"]) == (200, points[user_id] + 2)
        points[user_id] += 2
    eventually(lambda: ledger(product, points) == points == board(product, points), 60, "later updates in both")
    see_that_names_can_be_chosen(player_of(product, players[playing[0]]))
    product.invoke("seal_audit")
    verb(product, "verify-audit")


def see_that_names_can_be_chosen(player: Player) -> None:
    """By those who have none yet: the older version may have known none."""
    account = player.get("/api/me").data
    assert account["displayName"] == account["username"] == player.username
    player.api.request("PATCH", "/api/me", {"displayName": "Ада"}, player.authorization)
    assert (player.get("/api/me").data["displayName"], player.standing()["displayName"]) == ("Ада", "Ада")


def see_that_it_is_known(product: Product, each: dict[str, Any], left: dict[str, Any]) -> None:
    """By password and refresh token; a disabled account by neither, nor by its access token."""
    known = each["userId"] != left["disabled"]
    by_password = product.api.post("/api/tokens", {"username": each["username"], "password": left["password"]})
    by_refresh_token = product.api.post("/api/tokens", {"refreshToken": each["refreshToken"]})
    assert (by_password.status == 200, by_refresh_token.status == 200) == (known, known)
    if not known:
        assert player_of(product, each).score(1).status in (401, 403)


def player_of(product: Product, each: dict[str, Any]) -> Player:
    """With the access token of the older version, had it been made now."""
    claims = jwt.decode(each["accessToken"], options={"verify_signature": False})
    header = jwt.get_unverified_header(each["accessToken"])
    now = int(time.time())
    claims |= {"iat": now, "exp": now + claims["exp"] - claims["iat"]}
    key = json.loads((product.data_dir / SECRET_FILE).read_text())["jwt_signing_key"]
    token = jwt.encode(claims, key, header["alg"], {"kid": header["kid"], "typ": header["typ"]})
    return Player(product.api, each["userId"], each["username"], each["apiKey"], token, each["refreshToken"])


def board(product: Product, points: dict[str, int]) -> dict[str, int]:
    """What the leaderboard says, and beside it what is kept of the disabled account."""
    members = [f"user:{user_id}" for user_id in points]
    with product.redis() as client:
        both = zip(points, client.zmscore("leaderboard", members), client.zmscore("leaderboard:hidden", members), strict=True)
    return {user_id: int(shown or hidden or 0) for user_id, shown, hidden in both}


def ledger(product: Product, points: dict[str, int]) -> dict[str, int]:
    """What the ledger says."""
    rows = dict(product.query("SELECT user_id, sum(increment) FROM score_history GROUP BY user_id"))
    return {user_id: int(rows.get(user_id, 0)) for user_id in points}


def verb(product: Product, *arguments: str, stdin: str = "") -> str:
    """What one says that succeeds."""
    done = product.verb(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


if __name__ == "__main__":
    running = Product(Path(sys.argv[1])).start()
    try:
        check(running, json.loads(Path(sys.argv[2]).read_text()))
        print("all is there")  # noqa: T201
    finally:
        running.stop()
