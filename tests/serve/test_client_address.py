"""Who asks, where proxies say so: ``remoteip_modify_request`` in httpd's modules/metadata/mod_remoteip.c. What the
real one makes of such fields is asked in tests/conformance/imports/remoteip.conf and intranet.conf."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.model import Options
from proxy_core.rules.access.networks import networks, parse
from proxy_core.serve.client_address import Naming, named, naming

RULE = Naming("X-For", "X-By", networks(("10.0.0.0/8", "7.7.7.7", "2001:db8::/32")), networks(("10.1.0.0/16",)))


@pytest.mark.parametrize(
    ("peer", "said", "client", "left", "passed"),
    [
        ("10.0.0.1", "1.1.1.1", "1.1.1.1", None, "10.0.0.1"),
        ("9.9.9.9", "1.1.1.1", "9.9.9.9", "1.1.1.1", None),
        ("10.0.0.1", None, "10.0.0.1", None, None),
        ("10.0.0.1", "1.1.1.1, 7.7.7.7", "1.1.1.1", None, "10.0.0.1, 7.7.7.7"),
        ("10.0.0.1", "1.1.1.1, 2.2.2.2, 7.7.7.7", "2.2.2.2", "1.1.1.1", "10.0.0.1, 7.7.7.7"),
        ("10.0.0.1", "192.168.0.1", "10.0.0.1", "192.168.0.1", None),
        ("10.1.0.1", "192.168.0.1", "192.168.0.1", None, None),
        ("10.1.0.1", "1.1.1.1, 10.0.0.9", "1.1.1.1", None, "10.0.0.9"),
        # An address may stand in brackets and have a port.
        ("10.0.0.1", "1.1.1.1:5060", "1.1.1.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1:5060, 7.7.7.7:80", "1.1.1.1", None, "10.0.0.1, 7.7.7.7"),
        ("10.0.0.1", "[2001:7::1]", "2001:7::1", None, "10.0.0.1"),
        ("10.0.0.1", "[2001:7::1]:443", "2001:7::1", None, "10.0.0.1"),
        ("10.1.0.1", "10.1.0.5:80", "10.1.0.5", None, None),
        ("10.0.0.1", "192.168.0.1:80", "10.0.0.1", "192.168.0.1:80", None),
        # Where it is no address nobody knows who asks.
        ("10.0.0.1", "1.1.1.1, unknown", "", "1.1.1.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "bad, 7.7.7.7", "", "bad", "10.0.0.1, 7.7.7.7"),
        ("10.0.0.1", "1.1.1.1:", "", "1.1.1.1:", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1:port", "", "1.1.1.1:port", "10.0.0.1"),
        ("10.0.0.1", "2001:7::1]", "", "2001:7::1]", "10.0.0.1"),
        ("10.0.0.1", "[]:80", "", "[]:80", "10.0.0.1"),
        ("10.0.0.1", "1.2.3", "", "1.2.3", "10.0.0.1"),
        ("10.1.0.1", "bad", "", "bad", None),
        ("9.9.9.9", "bad", "9.9.9.9", "bad", None),
        ("10.0.0.1", "1.1.1.1,, 7.7.7.7", "", "1.1.1.1,", "10.0.0.1, 7.7.7.7"),
        ("10.0.0.1", "1.1.1.1,", "", "1.1.1.1,", "10.0.0.1"),
        ("10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1", None, "10.0.0.1"),
        ("2001:db8::1", "2001:7::1", "2001:7::1", None, "2001:db8::1"),
        ("2001:db8::1", "fc00::1", "2001:db8::1", "fc00::1", None),
    ],
)
def test_the_first_address_from_the_right_that_is_no_believed_proxys_asks(
    peer: str, said: str | None, client: str, left: str | None, passed: str | None
) -> None:
    told, lines = named([b"A: b", *([f"x-for: {said}".encode()] if said else []), b"X-by: forged", b"C: d"], peer, RULE)
    kept = {line.split(b": ")[0].lower(): line.split(b": ")[1].decode() for line in lines}
    assert told == client
    assert (kept.get(b"x-for"), kept.get(b"x-by")) == (left, passed)
    assert (kept[b"a"], kept[b"c"]) == ("b", "d")


def test_nobody_is_asked_where_no_field_names_clients() -> None:
    assert naming(Options(trusted_proxies=("10.0.0.1",)), networks(("10.0.0.1",))) is None


WORDS = st.sampled_from(
    [
        "1.1.1.1",
        "1.1.1.1:80",
        "[2001:7::1]:80",
        "7.7.7.7",
        "10.1.0.1",
        "10.0.0.1",
        "fe80::1",
        "2001:db8::2",
        "bad",
        "",
        " ",
    ]
)


@given(st.lists(WORDS, max_size=6), WORDS.filter(lambda word: "." in word))
def test_what_was_read_once_says_the_same_when_it_is_read_again(words: list[str], peer: str) -> None:
    """Explaining a request reads its head anew, as it was left."""
    rule = RULE._replace(proxies="")
    client, lines = named([b"X-For: " + ",".join(words).encode()], peer, rule)
    assert named(lines, client, rule)[0] == client


@given(st.lists(WORDS, max_size=6), WORDS)
def test_a_believed_proxy_is_never_taken_for_a_client_whose_name_is_no_address(words: list[str], last: str) -> None:
    rule = RULE._replace(proxies="")
    if parse(last) is None and ":80" not in last:
        assert named([b"X-For: " + ",".join([*words, last]).encode()], "10.0.0.1", rule)[0] == ""
