"""Requests that say the same have the same key."""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Extras
from proxy_core.rules.facts import Facts
from proxy_core.rules.hash_key import hash_key

KEYS = [
    ("%{REMOTE_ADDR}", b"192.0.2.1"),
    ("%{REQUEST_URI}", b"/a b"),
    ("%{QUERY_STRING}", b"q=1"),
    ("%{HTTP:X-User}-%{ENV:tier}", b"anna-gold"),
    ("%{SERVER_NAME}", b"own.example"),
    ("fixed é", "fixed é".encode()),
]


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_a_key_is_the_text_filled_in(text: str, key: bytes) -> None:
    view = RequestView(b"GET", b"/x/..//a%20b?q=1", b"", "192.0.2.1", head=b"GET / HTTP/1.1\r\nX-User: anna\r\n\r\n")
    assert hash_key(text, view, Facts(), Extras(env=(("TIER", "gold"),)), "own.example") == key


def test_a_target_that_is_refused_has_a_key_all_the_same() -> None:
    assert hash_key("%{REQUEST_URI}", RequestView(b"GET", b"/%zz", b"", ""), Facts(), None, "own.example") == b"/%zz"
