"""Reading heads: what the remembered block and the plain request line give is what reading afresh gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.model import Options, Site
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve import request_head
from proxy_core.serve.client_policy import ClientPolicy, client_policy
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.request_head import RequestReader

RULE = client_policy(Site())
LINES = st.sampled_from(
    [
        b"Host: a", b"host: b:80", b"A: 1", b"B: \xe9", b"nonsense", b"Connection: close", b"Connection: A",
        b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X-Forwarded-For: 9", b"Expect: 100-continue",
        b"Upgrade: x", b"TE: trailers",
    ]
)  # fmt: skip
REQUEST_LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1", b"GET /a?b HTTP/1.0", b"POST /%41 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"TRACE / HTTP/1.1",
        b"GET http://x/ HTTP/1.1", b"GET /\xe9 HTTP/1.1", b"get / HTTP/1.1", b"GET / HTTP/2.0", b"GET  / HTTP/1.1",
        b"GET /#x HTTP/1.1",
    ]
)  # fmt: skip
HEADS = st.builds(
    lambda line, lines: b"\r\n".join([line, *lines, b"", b""]), REQUEST_LINES, st.lists(LINES, max_size=5)
)


def read(reader: RequestReader, head: bytes, rule: ClientPolicy = RULE) -> object:
    try:
        return reader.read(head, rule)
    except RefusedRequest as refused:
        return (refused.status, refused.why)


@given(st.lists(st.tuples(HEADS, st.booleans()), min_size=1, max_size=8))
def test_a_connection_that_remembers_reads_as_one_that_does_not(requests: list[tuple[bytes, bool]]) -> None:
    other = client_policy(Site(site=Options(server_name="other", forwarded="append")))
    remembers = RequestReader("192.0.2.1")
    for head, swapped in requests:
        rule = other if swapped else RULE
        assert read(remembers, head, rule) == read(RequestReader("192.0.2.1"), head, rule)


@given(HEADS)
def test_the_plain_request_line_reads_as_the_careful_one(head: bytes) -> None:
    quick = read(RequestReader("192.0.2.1"), head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_head, "_PLAIN_LINE", lambda head: None)
        assert read(RequestReader("192.0.2.1"), head) == quick


@given(st.binary(max_size=200))
def test_no_bytes_whatever_do_more_than_be_refused(junk: bytes) -> None:
    read(RequestReader("192.0.2.1"), junk + b"\r\n\r\n")
    read(RequestReader("192.0.2.1"), b"GET / HTTP/1.1\r\n" + junk + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("peer", "trusted", "believed"),
    [
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("10.1.2.3", ("10.1.2.3",), True),
        ("11.1.2.3", ("10.0.0.0/8",), False),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("::1", ("127.0.0.0/8",), False),
        ("10.1.2.3", (), False),
    ],
)
def test_trust_is_a_matter_of_networks(peer: str, trusted: tuple[str, ...], believed: bool) -> None:
    assert client_policy(Site(site=Options(trusted_proxies=trusted))).appends(peer) == believed


def test_what_goes_upstream_is_in_order_with_one_line_of_each_forwarded_field() -> None:
    head = b"GET / HTTP/1.1\r\nA: 1\r\nHost: h\r\nX-Forwarded-Host: spoofed\r\nB: 2\r\n\r\n"
    view, fields = RequestReader("192.0.2.1").read(head, RULE)
    assert (view.method, view.target, view.host, view.client) == (b"GET", b"/", b"h", "192.0.2.1")
    assert fields == RequestFields(
        b"h",
        b"A: 1\r\nB: 2\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: h\r\nX-Forwarded-Server: localhost\r\n"
        b"X-Forwarded-Proto: http\r\n\r\n",
        0,
        True,
        True,
        False,
    )
