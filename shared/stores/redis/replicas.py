"""Waits until replicas of Redis have what was written."""

from __future__ import annotations

import threading
from typing import Any

import redis

WAIT_MS = 2000


class Replicas:
    """So many as are `required` must have an update.

    Whoever asks while others wait shares the next question with all who came meanwhile. It goes over a connection of the pool,
    not over the shared line, where all that is behind WAIT would wait, too; so it comes after a write of its own to `key`.
    """

    def __init__(self, client: redis.Redis, key: str, required: int) -> None:
        self._redis: Any = client
        self._key, self._required = key, required
        self._counting, self._asking = threading.Lock(), threading.Lock()
        self._asked = self._answered = 0
        self._outcome: bool | redis.RedisError = True

    def have_all(self) -> bool:
        """Whether all that was written before the call is where it must be; raises redis-py's errors."""
        with self._counting:
            self._asked += 1
            turn = self._asked
        with self._asking:
            if self._answered < turn:
                answers = self._asked
                self._outcome = self._ask()
                self._answered = answers
            outcome = self._outcome
        if isinstance(outcome, redis.RedisError):
            raise outcome
        return outcome

    def _ask(self) -> bool | redis.RedisError:
        """The outcome is everybody's who waits: each asking anew of a Redis that is away would take its time-out each."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(self._key, 1)
                pipeline.execute_command("WAIT", self._required, WAIT_MS)
                _, found = pipeline.execute()
        except redis.RedisError as error:
            return error
        return int(found) >= self._required
