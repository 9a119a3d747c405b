"""Networks find what walking over all of them would find."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.rules.access.networks import Networks, ends, seen_as

ADDRESSES = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6), st.sampled_from(["10.0.0.1", "10.0.0.2", "::1", "::ffff:10.0.0.1"])
)


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = ip_address(draw(ADDRESSES))
    length = draw(st.integers(0, address.max_prefixlen))
    return str(ip_network(f"{address}/{length}", strict=False))


def mapped(what: Any) -> Any:
    """An address, or a network of addresses, of IPv4 that is written as IPv6, as what it is."""
    if isinstance(what, IPv6Network) and what.subnet_of(ip_network("::ffff:0:0/96")):
        return ip_network(f"{what.network_address.ipv4_mapped}/{what.prefixlen - 96}")
    return getattr(what, "ipv4_mapped", None) or what


@given(st.lists(st.tuples(networks(), st.floats(0, 10))), ADDRESSES, st.floats(0, 10))
def test_an_address_is_found_in_exactly_the_networks_that_hold_it(
    rows: list[tuple[str, float]], address: object, now: float
) -> None:
    found = Networks((text, until, text) for text, until in rows).find(str(address), now)
    held = mapped(ip_address(str(address)))
    holding = {text for text, until in rows if until > now and held in mapped(ip_network(text))}
    assert found in holding if holding else found == ""


def test_a_ban_of_a_mapped_address_is_one_of_the_address() -> None:
    banned = Networks([("::ffff:192.0.2.1", 1.0, "one"), ("::ffff:10.0.0.0/104", 1.0, "many")])
    assert [banned.find(each) for each in ("192.0.2.1", "10.9.9.9", "11.0.0.1", "::1")] == ["one", "many", "", ""]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense:", "nonsense:"),
        ("", ""),
    ],
)
def test_one_subscriber_is_one_client(address: str, name: str) -> None:
    assert seen_as(address) == name


def test_the_end_of_a_ban_is_a_moment_or_never() -> None:
    assert ends("") == float("inf")
    assert ends("1970-01-01T00:01:00Z") == ends("1970-01-01T01:01:00+01:00") == 60
    for wrong in ("tomorrow", "2026-01-01", "2026-01-01T10:00:00", "25:00"):
        with pytest.raises(ValueError, match="not"):
            ends(wrong)
