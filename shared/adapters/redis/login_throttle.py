"""Growing delays after failed log-ins, by account and by network; not for those who were logged in from the network before."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from shared.adapters.redis.connection import translated
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import run_script
from shared.domain.network import counted_network, is_this_machine
from shared.errors import TooManyAttempts

KNOWN_NETWORKS, KNOWN_DAYS = 16, 90
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Delays:
    """After `free_attempts` 2 s, then doubled each time, up to `max_seconds`; forgotten after `memory_seconds` without one."""

    free_attempts: int
    max_seconds: int
    memory_seconds: int

    def arguments(self) -> tuple[int, int, int]:
        """As the script wants them."""
        return self.free_attempts, self.max_seconds * 1000, self.memory_seconds * 1000


# One account from one network: a guesser at a known place, or its owner with a bad memory.
OF_ACCOUNT_FROM_NETWORK = Delays(5, 900, 900)
# One account from everywhere else: many machines on one account. Its owner in a new place waits with them, so not for long.
OF_ACCOUNT = Delays(20, 60, 3600)
# All accounts from one network: one machine on many accounts. A hall full of players is behind one address, too.
OF_NETWORK = Delays(50, 60, 3600)


class RedisLoginThrottle:
    """The port LoginThrottle. The attempt is counted before it is made, so that many at once get no further than one by one.

    Addresses of this machine are not counted by network: that is an operator, or a proxy that was not declared. Without Redis
    there is no log-in: guesses that nobody counts would be worse.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    @translated()
    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise; raises TooManyAttempts while a delay lasts."""
        keys, network = self._counters(username, source_ip)
        delays = (*OF_ACCOUNT_FROM_NETWORK.arguments(), *OF_ACCOUNT.arguments(), *OF_NETWORK.arguments())
        wait_ms = run_script(self._redis, "attempt_login", keys, (*network, *delays))
        if wait_ms:
            raise TooManyAttempts(retry_after_seconds=int(wait_ms) / 1000)

    @translated()
    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the account's failures from there, and know the network from now on."""
        keys, network = self._counters(username, source_ip)
        run_script(self._redis, "settle_login", keys, (*network, KNOWN_DAYS * _DAY_MS, KNOWN_NETWORKS))

    @translated()
    def withdraw(self, username: str, source_ip: str) -> None:
        """Count the attempt no longer: nobody looked at its password."""
        keys, network = self._counters(username, source_ip)
        run_script(self._redis, "withdraw_login", keys, network)

    def _counters(self, username: str, source_ip: str) -> tuple[tuple[str, ...], tuple[str, int]]:
        """The keys, and the first arguments, of each script."""
        network = counted_network(source_ip)
        keys = (
            self._keys.login_failures(username, network),
            self._keys.login_failures_of_account(username),
            self._keys.login_failures_of_network(network),
            self._keys.login_networks(username),
        )
        return keys, (network, 0 if is_this_machine(source_ip) else 1)
