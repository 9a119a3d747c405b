"""Values that a proxy reads itself mean one thing or are refused."""

from __future__ import annotations

import pytest

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.syntax import hops_left, host_name, host_port, is_host, is_token, length_of, tokens, without

HOSTS = [
    ("Shop.Example.:8443", "shop.example", "8443"),
    ("shop", "shop", ""),
    ("[2001:DB8::1]:80", "[2001:db8::1]", "80"),
    ("[::1]", "[::1]", ""),
    ("a:", "a", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("authority", "name", "port"), HOSTS)
def test_a_host_is_taken_apart_into_name_and_port(authority: str, name: str, port: str) -> None:
    assert (host_name(authority), host_port(authority)) == (name, port)


@pytest.mark.parametrize(
    "value", [b"a", b"a.example:80", b"127.0.0.1", b"[::1]:65535", b"a_b.example.", b"1a", b"a:", b"[::1]:"]
)
def test_names_and_addresses_are_hosts(value: bytes) -> None:
    assert is_host(value)
    assert is_host(value)  # as it is remembered


@pytest.mark.parametrize(
    "value",
    [b"", b":", b"a::", b"a:0", b"a:65536", b"1.2.3", b"a..b", b"[::1", b"[::1%eth0]", b"a b", b"a/b", b"1", b"a.1"],
)
def test_what_is_no_host_is_none(value: bytes) -> None:
    assert not is_host(value)


def test_tokens_are_of_the_alphabet_of_tokens() -> None:
    good = [chr(code).encode("latin-1") for code in range(256) if is_token(bytes([code]))]
    assert b"".join(good) == b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"
    assert not is_token(b"")


def test_lists_are_read_without_blanks_and_empty_items() -> None:
    assert tokens([b"Close, \tX-A", b",,keep-alive "]) == {b"close", b"x-a", b"keep-alive"}


def test_what_connection_names_goes_no_further() -> None:
    assert without([b"X-A: 1", b"x-b: 2", b"X-C: 3"], {b"x-a", b"x-b"}) == [b"X-C: 3"]


@pytest.mark.parametrize("value", [b"", b"+1", b"-1", b"1 ", b"0x1", b"1" * 19, "١".encode()])
def test_a_length_and_a_number_of_hops_are_digits_and_nothing_else(value: bytes) -> None:
    with pytest.raises(ValueError, match="plain number"):
        length_of(value)
    with pytest.raises(RefusedRequest):
        hops_left(value)


def test_a_hop_is_taken_of_those_that_are_left() -> None:
    assert (length_of(b"007"), hops_left(b"3"), hops_left(b"0")) == (7, 2, -1)
