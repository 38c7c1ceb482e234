"""Accounts with a password, and their sessions."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tests.handlers.events import HandlerReply, call

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """One session of an account."""

    user_id: str
    username: str
    api_key: str
    access_token: str
    refresh_token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The header that says who this is."""
        return {"Authorization": f"Bearer {self.access_token}"}

    def call(self, function: str, route_key: str, **request: Any) -> HandlerReply:
        """Invoke a function with the access token; `user_id` in the path is the account's own unless the request says another."""
        parameters = {"user_id": self.user_id} if "{user_id}" in route_key else {}
        headers = self.authorization | request.pop("headers", {})
        return call(function, route_key, **{"path_parameters": parameters, "headers": headers, **request})

    def again(self, password: str = PASSWORD) -> LoggedIn:
        """Another session of the same account."""
        tokens = log_in(self.username, password).data
        return LoggedIn(self.user_id, self.username, self.api_key, tokens["accessToken"], tokens["refreshToken"])

    def score(self, **headers: str) -> HandlerReply:
        """One point, however that ends."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("update_score", "POST /api/score/{user_id}", body={"increment": 1}, headers=named)

    def is_in(self) -> bool:
        """Whether the access token is accepted: by the script of an update, and by everything else."""
        scores, place = self.call("get_scores", "GET /api/scores"), self.call("get_user_score", "GET /api/score/{user_id}")
        statuses = {self.score().status, scores.status, place.status}
        assert statuses in ({200}, {401}, {403}), statuses
        return statuses == {200}

    def can_stay(self) -> bool:
        """Whether the refresh token is accepted; it is spent."""
        return call("issue_token", "POST /api/tokens", body={"refreshToken": self.refresh_token}).status == 200


def log_in(username: str, password: str = PASSWORD, source_ip: str = "198.51.100.7") -> HandlerReply:
    """POST /api/tokens."""
    return call("issue_token", "POST /api/tokens", body={"username": username, "password": password}, source_ip=source_ip)


def newcomer() -> LoggedIn:
    """Register and log in."""
    username = f"Player-{secrets.token_hex(6)}"
    account = call("register_user", "POST /api/users", body={"username": username, "password": PASSWORD}).data
    tokens = log_in(username).data
    return LoggedIn(account["userId"], username, account["apiKey"], tokens["accessToken"], tokens["refreshToken"])
