"""The name of every key in Redis: what an older version wrote is found, and what stands beside the specification's keys."""

from __future__ import annotations

import ast
import hashlib
import inspect
from typing import Any

import pytest

from shared.boards.board import MAIN
from shared.stores.keys import ShardKeys

ADA = hashlib.sha256(b"ada").hexdigest()[:32]  # what was typed as a name may be a password
SHARD = {
    "installation": "installation",
    "outbox": "outbox",
    "outbox_published": "outbox:published",
    "outbox_relayed": "outbox:relayed",
    "outbox_malformed": "outbox:malformed",
    "relay_claimed('left')": "outbox:relay-claimed:left",
    "replicated": "replicated",
    "readiness_probe": "readiness:probe",
    "queues_empty": "queues:empty",
    "refusals": "refusals",
    "refusal_kinds": "refusals:kinds",
    "refusals_taken": "refusals:taken",
    "refusals_batch": "refusals:batch",
    "audit_head": "audit:head",
    "audit_sealing": "audit:sealing",
    "quiet_viewers": "viewers:quiet",
    "viewer('c-1=')": "viewer:c-1=",
    "watched_views": "viewers:watched",
    "views_version('chess')": "viewers:board:chess:version",
    "views_ticks('chess')": "viewers:board:chess",
    "viewers_quota": "viewers:quota",
    "viewers_asked": "viewers:asked",
    "changed_profiles": "changed-profiles",
    "rate_windows": "rate-windows",
    "ended_sessions": "ended-sessions",
    "results": "results",
    "server_key('0a1b')": "server-key:0a1b",
    "ws_ticket('a hash')": "ws-ticket:a hash",
    "login_failures('Ada', '192.0.2.0')": "login-failures:{ada}:192.0.2.0",
    "login_failures_of_account('Ada')": "login-failures-of-account:{ada}",
    "login_failures_of_network('192.0.2.0')": "login-failures-of-network:192.0.2.0",
    "login_networks('Ada')": "login-networks:{ada}",
    "limits_since": "limits:since",
    "request_limit('ws_ticket', 'user', 'u-1')": "requests:ws_ticket:user:u-1",
}
USER = {
    "requests": "user:u-1:requests",
    "requests_of('chess')": "user:u-1:requests:chess",
    "spent_tickets": "user:u-1:tickets",
    "profile": "user:u-1:profile",
    "result('k')": "user:u-1:result:k",
    "viewers": "user:u-1:viewers",
}
BOARD = {
    "leaderboard": "leaderboard",
    "hidden": "leaderboard:hidden",
    "whole": "leaderboard:whole",
    "numbers": "leaderboard:numbers",
    "server": "leaderboard:server",
    "suspects": "leaderboard:suspects",
    "sweep": "leaderboard:sweep",
    "rebuild_asked": "leaderboard:rebuild-asked",
    "rebuild('token')": "leaderboard:rebuild:token",
    "rebuild_hidden('token')": "leaderboard:rebuild:token:hidden",
    "version": "leaderboard:version",
    "cached_top(10)": "cached_top_10",
}
DEFINED = {
    "scores('weekly', 7)": "board:chess:weekly:7",
    "members('weekly', 7)": "board:chess:weekly:7:members",
    "hidden('weekly', 7)": "board:chess:weekly:7:hidden",
    "building('token', 2)": "board:chess:building:token:2",
}
VIEWERS = {
    "connections(3)": "viewers:3",
    "since(3)": "viewers:3:since",
    "owed(3)": "viewers:3:owed",
    "round(3)": "viewers:3:round",
    "frame": "viewers:frame",
}
OF_A_VIEW = {call: key.replace("viewers", "viewers:view:public:chess:weekly:10") for call, key in VIEWERS.items()}
PARTS = {"prefix", "beginning", "name", "prepared"}


def names_of(kind: type) -> set[str]:
    """What a class of keys makes."""
    makes = {name for name, value in vars(kind).items() if inspect.isfunction(value) or isinstance(value, property)}
    return (
        {name for name in makes if not name.startswith("_")}
        - PARTS
        - {"user", "board", "defined", "view"}
        - ({"viewers"} if kind is ShardKeys else set())
    )


@pytest.mark.parametrize("prefix", ["", "{shard}:"])
def test_keys_keep_their_names(prefix: str) -> None:
    shard = ShardKeys(prefix)
    tables: list[tuple[Any, dict[str, str]]] = [
        (shard, SHARD),
        (shard.user("u-1"), USER),
        (MAIN.keys(shard), BOARD),
        (shard.defined("chess"), DEFINED),
        (shard.viewers, VIEWERS),
        (shard.view("view:public:chess:weekly:10"), OF_A_VIEW),
    ]
    assert shard.defined("chess").board == f"{prefix}board:chess"
    for keys, table in tables:
        assert {call.partition("(")[0] for call in table} == names_of(type(keys)), "each key stands here"
        for call, key in table.items():
            name, _, arguments = call.partition("(")
            made = getattr(keys, name)
            if arguments:
                made = made(*ast.literal_eval(f"({arguments.removesuffix(')')},)"))
            assert made == prefix + key.replace("{ada}", ADA)


def test_a_member_of_the_board_has_no_prefix() -> None:
    assert MAIN.member("u-1") == "user:u-1"
    assert MAIN.user_id_of("user:u-1") == "u-1"
