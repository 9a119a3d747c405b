"""PROXY headers, as tables and by chance ("The PROXY protocol Versions 1 & 2", sections 2.1 and 2.2)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.serve.proxy_protocol import SIGNATURE, BadProxyHeader, Ends, receive, version_1, version_2

V4 = bytes((192, 0, 2, 1, 198, 51, 100, 2)) + (56324).to_bytes(2, "big") + (443).to_bytes(2, "big")
V6 = bytes(15) + b"\1" + bytes(15) + b"\2" + (1).to_bytes(2, "big") + (65535).to_bytes(2, "big")

MAPPED = bytes(10) + b"\xff\xff" + bytes((192, 0, 2, 1))


def v2(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


GOOD = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", Ends(("192.0.2.1", 56324), ("198.51.100.2", 443))),
    (b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n", Ends(("2001:db8::1", 0), ("::1", 65535))),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 2\r\n", Ends(("192.0.2.1", 1), ("198.51.100.2", 2))),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff::ffff 65535 65535\r\n", None),
    (v2(0x21, 0x11, V4), Ends(("192.0.2.1", 56324), ("198.51.100.2", 443))),
    (v2(0x21, 0x11, V4 + b"\x03\0\x04abcd"), Ends(("192.0.2.1", 56324), ("198.51.100.2", 443))),
    (v2(0x21, 0x21, V6), Ends(("::1", 1), ("::2", 65535))),
    (v2(0x21, 0x21, MAPPED + MAPPED + bytes(4)), Ends(("192.0.2.1", 0), ("192.0.2.1", 0))),
    (v2(0x20, 0x00, b""), None),
    (v2(0x20, 0x11, V4), None),
    (v2(0x21, 0x00, b""), None),
    (v2(0x21, 0x31, bytes(216)), None),
]
BAD = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
    b"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
    b"PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
    b"PROXY UNKNOWN " + b"x" * 120 + b"\r\n",
    b"proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
    v2(0x11, 0x11, V4),
    v2(0x22, 0x11, V4),
    v2(0x21, 0x41, V4),
    v2(0x21, 0x13, V4),
    v2(0x21, 0x11, V4[:-1]),
    v2(0x21, 0x21, V4),
    v2(0x21, 0x11, V4)[:-1],
    SIGNATURE + b"\x21\x11\xff\xff",
    b"PROXY",
    b"",
]


async def received(data: bytes) -> tuple[Ends | None, bytes]:
    """What a header says, and what is left on the socket behind it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(5):
            return await receive(ours), ours.recv(65536)


@pytest.mark.parametrize(("header", "ends"), GOOD)
async def test_a_header_says_who_comes_and_takes_not_a_byte_more(header: bytes, ends: Ends | None) -> None:
    assert await received(header + b"GET / HTTP/1.1\r\n") == (ends, b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("header", BAD)
async def test_what_is_no_header_is_malformed(header: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        await received(header)


@given(st.binary(max_size=120))
def test_no_line_whatever_does_more_than_be_malformed(line: bytes) -> None:
    for words in (line, b"PROXY " + line, b"PROXY TCP4 " + line):
        with suppress(BadProxyHeader):
            version_1(words)


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=60))
def test_no_bytes_whatever_do_more_than_be_malformed(head: bytes, rest: bytes) -> None:
    with suppress(BadProxyHeader):
        version_2(SIGNATURE + head, rest)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535))
def test_every_address_and_port_comes_through_in_both_versions(a: object, b: object, one: int, two: int) -> None:
    ends = Ends((str(a), one), (str(b), two))
    assert version_1(f"PROXY TCP4 {a} {b} {one} {two}".encode()) == ends
    packed = a.packed + b.packed + one.to_bytes(2, "big") + two.to_bytes(2, "big")  # type: ignore[attr-defined]
    assert version_2(SIGNATURE + b"\x21\x11\0\0", packed) == ends
