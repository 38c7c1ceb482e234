"""Lua scripts: one file each in the lua/ of its subject, run by their hash and sent once when Redis does not know them.

A line `--!name` stands for the text of a file parts/name.lua: what several scripts do in the same way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import redis

from shared.core import metrics
from shared.core.metrics.instruments import Histogram
from shared.core.tracing import span
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import Greeting, MeasuredRedis, NewConnection, SharingRedis, server_of

_REDIS = {"db.system.name": "redis"}
LAYER = Path(__file__).parents[2]
_PART = re.compile(r"^--!(\w+)$", re.MULTILINE)
_texts: dict[str, str] = {}


@cache
def _source(name: str) -> tuple[str, str, Histogram]:
    [path] = LAYER.glob(f"*/lua/{name}.lua")
    text = _PART.sub(_part, path.read_text(encoding="utf-8"))
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    _texts[digest] = text
    return text, digest, metrics.redis_command_seconds.of(name)


def _part(line: re.Match[str]) -> str:
    [path] = LAYER.glob(f"*/lua/parts/{line[1]}.lua")
    return _PART.sub(_part, path.read_text(encoding="utf-8"))


def greeting(keys: BoardKeys, shard: ShardKeys, on_another_server: Callable[[], object]) -> Greeting:
    """Greet each new connection: another Redis than before may have gone back, and must not go on counting where it stands.

    Of all connections that find another one, one calls `on_another_server`, which must not wait for Redis.
    """

    def greet(connection: NewConnection) -> None:
        marks = (keys.numbers, shard.ended_sessions, shard.limits_since)
        if not _run_script(connection, "greet", marks, (server_of(connection),)):
            on_another_server()

    return greet


def run_script(client: redis.Redis, name: str, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
    """Run <subject>/lua/<name>.lua: one round trip, two when Redis meets the script for the first time."""
    with span(name, "client", _REDIS):
        return _run_script(client, name, keys, arguments)


def run_scripts(
    client: MeasuredRedis, name: str, calls: Sequence[tuple[Sequence[str], Sequence[bytes | str | int]]]
) -> list[Any]:
    """Run a script several times in one round trip, one after the other, with these keys and arguments; returns the answers."""
    with span(name, "client", _REDIS):
        commands = [script_command(name, keys, arguments) for keys, arguments in calls]
        began = perf_counter()
        answers = [_sent_whole(client, *each) for each in zip(commands, client.ask_together(*commands), strict=True)]
        for answer in answers:
            if isinstance(answer, redis.RedisError):
                metrics.redis_errors.of(name).inc()
                raise answer
        _source(name)[2].observe(perf_counter() - began)
    return answers


def run_script_with(
    client: MeasuredRedis, name: str, keys: Sequence[str], arguments: Sequence[bytes | str | int], command: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Run a script, and in the same round trip another command, whose error is returned in the place of its answer."""
    with span(name, "client", _REDIS):
        words, seconds = script_command(name, keys, arguments), _source(name)[2]
        began = perf_counter()
        first, second = client.ask_together(words, command)
        answer, other = _sent_whole(client, words, first), _sent_whole(client, command, second)
        if isinstance(answer, redis.RedisError):
            metrics.redis_errors.of(name).inc()
            raise answer
        seconds.observe(perf_counter() - began)
    return answer, other


def script_command(name: str, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> tuple[Any, ...]:
    """The command that runs a script, for `run_script_with`."""
    return ("EVALSHA", _source(name)[1], len(keys), *keys, *arguments)


def _sent_whole(client: MeasuredRedis, words: tuple[Any, ...], answer: Any) -> Any:
    """The answer, of a script that Redis has met by now."""
    if not isinstance(answer, redis.exceptions.NoScriptError):
        return answer
    _, digest, *rest = words
    [answer] = client.ask_together(("EVAL", _texts[digest], *rest))
    return answer


def _run_script(
    client: redis.Redis | NewConnection, name: str, keys: Sequence[str], arguments: Sequence[bytes | str | int]
) -> Any:
    # The methods for scripts cost as much again, and there is nothing in an answer of theirs to be parsed.
    run: Callable[..., Any] = client.ask if isinstance(client, SharingRedis) else client.execute_command
    text, digest, seconds = _source(name)
    began = perf_counter()
    try:
        try:
            answer = run("EVALSHA", digest, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            answer = run("EVAL", text, len(keys), *keys, *arguments)
    except redis.RedisError:
        metrics.redis_errors.of(name).inc()
        raise
    seconds.observe(perf_counter() - began)
    return answer
