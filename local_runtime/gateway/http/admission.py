"""Who gets a place when many want one: bounds for a worker's connections, and who gives way when all places are taken."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Generic, NamedTuple, TypeVar

from local_runtime.gateway.http.proxies import plain_address

Guest = TypeVar("Guest", bound=Hashable)
_HOST_BITS = 64  # of an IPv6 address, which one customer may choose freely


class NoPlace(Exception):
    """Nobody gives way; `status` says to whose account that goes: 429 to the address's, 503 to ours."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class Dismissed(BaseException):
    """Thrown at the greenlet of a connection that gives way; gunicorn would take a GreenletExit for the end of a request."""


class Displaced(NamedTuple, Generic[Guest]):
    """Whose place was given to somebody else, and where that guest comes from."""

    guest: Guest
    network: str


class Admission(Generic[Guest]):
    """Counts guests, and how many come from one address (of IPv6 the site).

    There are `places` in all; `per_address` bounds one address, too, unless it is 0 or the address is `exempt`. When all places
    are taken, the address that holds the most gives one back: the guest of it that has been here longest and `may_go`. So one
    address cannot keep the others out, however many connections it opens, and yet may have many where nobody else wants
    them. With `displaces_own` a newcomer of the greediest address itself displaces one of its own.
    """

    def __init__(
        self,
        places: int,
        per_address: int,
        may_go: Callable[[Guest], bool],
        *,
        displaces_own: bool,
        exempt: Callable[[str], bool] = lambda _address: False,
    ) -> None:
        self._places = places
        self._per_address = per_address
        self._may_go = may_go
        self._displaces_own = displaces_own
        self._exempt = exempt
        self._network_of: dict[Guest, str] = {}
        self._guests: dict[str, dict[Guest, None]] = {}

    def __len__(self) -> int:
        return len(self._network_of)

    def check(self, address: str) -> None:
        """Raise NoPlace when there would be none at this moment, and change nothing."""
        self._who_gives_way(address)

    def admit(self, address: str, guest: Guest) -> Displaced[Guest] | None:
        """Give the guest a place. Answers whose place that was, who must be sent away now; raises NoPlace."""
        displaced = self._who_gives_way(address)
        if displaced is not None:
            self.leave(displaced.guest)
        self._add(_network(address), guest)
        return displaced

    def restore(self, displaced: Displaced[Guest]) -> None:
        """It could not be sent away after all, and counts again in spite of all bounds."""
        self._add(displaced.network, displaced.guest)

    def leave(self, guest: Guest) -> None:
        """The guest is gone; it may have been displaced before."""
        network = self._network_of.pop(guest, None)
        if network is not None:
            guests = self._guests[network]
            del guests[guest]
            if not guests:
                del self._guests[network]

    def _add(self, network: str, guest: Guest) -> None:
        self._network_of[guest] = network
        self._guests.setdefault(network, {})[guest] = None

    def _who_gives_way(self, address: str) -> Displaced[Guest] | None:
        """None while there are places; raises NoPlace."""
        held = len(self._guests.get(_network(address), ()))
        if 0 < self._per_address <= held and not self._exempt(address):
            raise NoPlace(HTTPStatus.TOO_MANY_REQUESTS)
        if len(self) < self._places:
            return None
        network, guests = max(self._guests.items(), key=lambda item: len(item[1]), default=("", {}))
        if self._displaces_own or len(guests) > held + 1:
            for guest in guests:
                if self._may_go(guest):
                    return Displaced(guest, network)
        raise NoPlace(HTTPStatus.SERVICE_UNAVAILABLE)


def _network(address: str) -> str:
    address = plain_address(address).partition("%")[0]
    if ":" not in address:
        return address
    return str(IPv6Address(int(IPv6Address(address)) >> _HOST_BITS << _HOST_BITS))
