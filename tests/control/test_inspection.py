"""What is never shown of a head, however its client spells it."""

from __future__ import annotations

import pytest

from proxy_core.config.model import Options, Site
from proxy_core.control.telling import masked

SITE = Site(site=Options(secret_headers=("X-Api-Key",)))


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Basic hush",
        b"AUTHORIZATION:hush",
        b"authorization : hush",
        b"Proxy-Authorization:\thush",
        b"Cookie: a=1; b=hush",
        b"Set-Cookie: a=hush; Path=/",
        b"x-api-key: hush",
    ],
)
def test_the_value_of_a_secret_is_not_shown_but_its_length_is(line: bytes) -> None:
    shown = masked(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\nAccept: all\r\n\r\n" % line, SITE)
    assert "hush" not in shown
    assert "bytes, masked)\nAccept: all\n" in shown


def test_what_is_no_secret_is_shown_as_it_came() -> None:
    head = b"GET /?cookie=1 HTTP/1.1\r\nX-Cookie: open\r\nX-Api-Keys: open\r\n\r\n"
    assert masked(head, SITE) == head.decode().replace("\r\n", "\n")
