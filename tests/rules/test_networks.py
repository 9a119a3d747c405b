"""Networks find what walking over all of them would find."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.rules.networks import Networks, ends, seen_as

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"]))


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = ip_address(draw(ADDRESSES))
    length = draw(st.integers(0, address.max_prefixlen))
    return str(ip_network(f"{address}/{length}", strict=False))


@given(st.lists(st.tuples(networks(), st.floats(0, 10))), ADDRESSES, st.floats(0, 10))
def test_an_address_is_found_in_exactly_the_networks_that_hold_it(
    rows: list[tuple[str, float]], address: object, now: float
) -> None:
    found = Networks((text, until, text) for text, until in rows).find(str(address), now)
    parsed = ip_address(str(address))
    mapped = getattr(parsed, "ipv4_mapped", None)
    holding = {text for text, until in rows if until > now and (mapped or parsed) in ip_network(text)}
    assert found in holding if holding else found == ""


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
