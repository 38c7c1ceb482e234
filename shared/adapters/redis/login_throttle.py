"""Growing delays after failed log-ins of one account from one address; everybody else is left alone."""

from __future__ import annotations

import redis

from shared.adapters.redis.connection import translated
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import run_script
from shared.errors import TooManyAttempts

FREE_ATTEMPTS = 5
MAX_DELAY_SECONDS = 900
MEMORY_SECONDS = 900


class RedisLoginThrottle:
    """The port LoginThrottle. The attempt is counted before it is made, so that many at once get no further than one by one."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise; raises TooManyAttempts while a delay lasts."""
        with translated():
            wait_ms = run_script(
                self._redis,
                "attempt_login",
                (self._keys.login_failures(username, source_ip),),
                (FREE_ATTEMPTS, MAX_DELAY_SECONDS * 1000, MEMORY_SECONDS * 1000),
            )
        if wait_ms:
            raise TooManyAttempts(retry_after_seconds=int(wait_ms) / 1000)

    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the failures."""
        with translated():
            self._redis.delete(self._keys.login_failures(username, source_ip))
