"""Growing delays after failed log-ins, by account and by network; not for those who were logged in from the network before."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from shared.accounts.limits_since import LimitsSince
from shared.core.errors import TooManyAttempts
from shared.core.network import counted_network, is_this_machine
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

KNOWN_NETWORKS, KNOWN_DAYS = 16, 90
KNOWN_MS = KNOWN_DAYS * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Delays:
    """After `free_attempts` 2 s, then doubled each time, up to `max_seconds`; forgotten after `memory_seconds` without one.

    When Redis has lost its counters, `lost_attempts` are assumed for as long as they would have been remembered.
    """

    free_attempts: int
    max_seconds: int
    memory_seconds: int
    lost_attempts: int

    def arguments(self) -> tuple[int, int, int, int]:
        """As the script wants them."""
        return self.free_attempts, self.max_seconds * 1000, self.memory_seconds * 1000, self.lost_attempts


# One account from one network: a guesser at a known place, or its owner with a bad memory.
OF_ACCOUNT_FROM_NETWORK = Delays(5, 900, 900, 7)
# One account from everywhere else: many machines on one account. Its owner in a new place waits with them, so not for long.
OF_ACCOUNT = Delays(20, 60, 3600, 22)
# All accounts from one network: one machine on many accounts. A hall full of players is behind one address, too.
OF_NETWORK = Delays(50, 60, 3600, 49)


class RedisLoginThrottle:
    """The port LoginThrottle. The attempt is counted before it is made, so that many at once get no further than one by one.

    Addresses of this machine are not counted by network: that is an operator, or a proxy that was not declared. Without Redis
    there is no log-in: guesses that nobody counts would be worse. After it lost its counters there are no free attempts for a
    while: one at once, another 16 s after it failed (2 s where the network's other accounts are concerned), and then longer.
    """

    def __init__(self, client: redis.Redis, keys: Keys, since: LimitsSince) -> None:
        self._redis = client
        self._since = since
        self._keys = keys

    @translated()
    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise; raises TooManyAttempts while a delay lasts."""
        keys, network = self._counters(username, source_ip)
        delays = (*OF_ACCOUNT_FROM_NETWORK.arguments(), *OF_ACCOUNT.arguments(), *OF_NETWORK.arguments())
        wait_ms = self._since.ask("attempt_login", (*keys, self._since.key), (*network, KNOWN_MS, *delays))
        if wait_ms:
            raise TooManyAttempts(retry_after_seconds=wait_ms / 1000)

    @translated()
    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the account's failures from there, and know the network from now on."""
        keys, network = self._counters(username, source_ip)
        run_script(self._redis, "settle_login", keys, (*network, KNOWN_MS, KNOWN_NETWORKS))

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
