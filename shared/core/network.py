"""The networks that addresses belong to: who is counted together, and who is written down together."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_MAX_LENGTH = 64
# What one customer is given: of IPv4 an address, of IPv6 a /64 at least, in which a client may take any address it likes.
_IPV6_CUSTOMER_BITS = 64
# What is written down of refusals: enough to see where they came from, few enough to stay few.
_IPV4_NOTED_BITS, _IPV6_NOTED_BITS = 24, 48


def counted_network(source_ip: str) -> str:
    """Whose attempts count together: the address, or for IPv6 its /64. What is no address counts by its own text."""
    address = address_of(source_ip)
    if address is None:
        return source_ip[:_MAX_LENGTH]
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, _IPV6_CUSTOMER_BITS), strict=False))


def noted_network(source_ip: str) -> str:
    """The /24 or, for IPv6, the /48 an address belongs to; "" for what is no address."""
    address = address_of(source_ip)
    if address is None:
        return ""
    length = _IPV4_NOTED_BITS if isinstance(address, IPv4Address) else _IPV6_NOTED_BITS
    return str(ip_network((address, length), strict=False))


def is_this_machine(source_ip: str) -> bool:
    """Whether the address is a loopback one: an operator's tool, or a proxy nobody declared, behind which everybody is."""
    address = address_of(source_ip)
    return address is not None and address.is_loopback


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine, whatever a resolver says."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def address_of(source_ip: str) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4 one without the clothes of IPv6; None for what is none."""
    try:
        address = ip_address(source_ip)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
