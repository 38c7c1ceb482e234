"""Which addresses are counted, and written down, together."""

from __future__ import annotations

import pytest

from shared.core.network import counted_network, is_this_machine, noted_network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2::3", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::3", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
        ("x" * 500, "x" * 64),
        ("", ""),
    ],
)
def test_an_ipv6_customer_counts_as_one_however_many_addresses_they_take(address: str, network: str) -> None:
    assert counted_network(address) == network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("nonsense", ""),
    ],
)
def test_networks_are_written_down_coarsely(address: str, network: str) -> None:
    assert noted_network(address) == network


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine(address: str) -> None:
    assert is_this_machine(address)


@pytest.mark.parametrize("address", ["198.51.100.7", "10.0.0.1", "2001:db8::1", "localhost", ""])
def test_nothing_else_is(address: str) -> None:
    assert not is_this_machine(address)
