"""What is remembered of a block is what reading and judging it anew would say, whoever sent it before."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_core.config.model import Limits, Options, Site
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import Connection
from proxy_core.serve import known_blocks
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.known_blocks import KnownBlocks
from proxy_core.serve.request_body import judged
from proxy_core.serve.request_head import RequestReader, ascii_line
from tests.e2e.messages import FORWARDED, MADE, REFUSED
from tests.serve.test_request_head import HEADS

POLICIES = [
    client_policy(Site()),
    client_policy(Site(site=Options(server_name="other", forwarded="append", forwarded_header=True))),
    client_policy(Site(site=Options(trusted_proxies=("192.0.2.0/31",), client_header="X-Forwarded-For", trace=True))),
    client_policy(Site(limits=Limits(fields=2, field=30, request_line=40))),
]
CONNECTIONS = [
    ("192.0.2.1", Connection("http"), ()),
    ("192.0.2.2", Connection("http"), ()),
    ("192.0.2.1", Connection("tls", tls=MappingProxyType({"HTTPS": "on"})), ()),
    ("192.0.2.1", Connection("tls", tls=MappingProxyType({"HTTPS": "on"})), (b"X-Client: a",)),
]  # fmt: skip
WHOLE = [head + b"\r\n\r\n" for _, raw in (*REFUSED, *MADE) for head, end, _ in [raw.partition(b"\r\n\r\n")] if end]
GOOD = [sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for sent, _ in FORWARDED]
NAMED = [b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.%d\r\n\r\n" % number for number in range(2)]
LAST = b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"
BY_URL = b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"
Sent = list[tuple[bytes, int, int]]
"""Heads, each with the number of its connection and of the policy in force."""
PLACES = [(connection, policy) for connection in range(len(CONNECTIONS)) for policy in range(len(POLICIES))]


def accepted(reader: RequestReader, head: bytes, policy: int) -> object:
    """What becomes of a head, as a connection has it read and judged."""
    try:
        plain = ascii_line(head)
        view, fields = reader.read(plain, POLICIES[policy])
        body, known = None, reader.known
        if known.may_go_on is None or fields.length < 0:
            body = judged(plain, known)
        return view, fields, known.may_go_on, body is not None
    except RefusedRequest as refused:
        return refused.status, refused.why


async def alike(sent: Sent) -> None:
    """Over a few connections that share what is known, and over one of its own for each head."""
    blocks = KnownBlocks()
    sharing = [RequestReader(peer, connection, lines, blocks) for peer, connection, lines in CONNECTIONS]
    for head, number, policy in sent:
        peer, connection, lines = CONNECTIONS[number]
        anew = accepted(RequestReader(peer, connection, lines), head, policy)
        assert accepted(sharing[number], head, policy) == anew, head
        assert accepted(RequestReader(peer, connection, lines, blocks), head, policy) == anew, head


@given(
    st.lists(
        st.tuples(
            st.one_of(HEADS, st.sampled_from([*WHOLE, *GOOD, *NAMED, LAST, BY_URL])),
            st.integers(0, len(CONNECTIONS) - 1),
            st.integers(0, len(POLICIES) - 1),
        ),
        min_size=2,
        max_size=12,
    )
)
@example([(BY_URL, 0, 0), (BY_URL.replace(b"//b", b"//c"), 0, 0), (BY_URL.replace(b"http://b", b""), 0, 0)])
@example([(LAST, 0, 0), (LAST.replace(b"OPTIONS", b"GET"), 0, 0)])
@example([(head, 0, 2) for head in NAMED])
def test_what_is_known_is_what_would_be_read_anew(sent: Sent) -> None:
    asyncio.run(alike(sent))


@pytest.mark.parametrize("heads", [WHOLE, GOOD], ids=["refused", "forwarded"])
async def test_each_message_is_taken_alike_whoever_sends_it_whatever_was_sent_before(heads: list[bytes]) -> None:
    await alike([(head, *place) for head in heads for place in PLACES])


async def test_a_block_that_was_refused_is_judged_again() -> None:
    blocks = KnownBlocks()
    head = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: a\r\nUser-Agent: b\r\n\r\n"  # only the parser does not like it
    for _ in range(2):
        said = accepted(RequestReader("192.0.2.1", blocks=blocks), head, 0)
        assert isinstance(said, tuple)
        assert said[0] == 400


async def test_a_block_is_read_and_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = KnownBlocks()
    first = accepted(RequestReader("192.0.2.1", blocks=blocks), GOOD[0], 0)
    monkeypatch.setattr("proxy_core.serve.request_head.read_fields", None)
    monkeypatch.setattr("proxy_core.serve.request_body.StrictParser", None)
    assert accepted(RequestReader("192.0.2.1", blocks=blocks), GOOD[0], 0) == first


async def test_the_memory_is_bounded_in_bytes_whatever_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_blocks, "MOST_BYTES", 100_000)
    blocks = KnownBlocks()
    for number in range(1000):
        method = b"A" * (number % 1500 + 1)  # a method, too, may be anything
        head = b"%b / HTTP/1.1\r\nHost: a\r\nX: %d%b\r\n\r\n" % (method, number, b"x" * (number % 900))
        accepted(RequestReader("192.0.2.1", blocks=blocks), head, 0)
        held = sum(len(method) + len(block) + len(known.fields.lines) for (method, block, _), known in
                   blocks._known.items())  # fmt: skip
        assert held < 100_000
        assert len(blocks._known) < 200
    blocks.forget()
    assert not blocks._known
    assert not blocks._bytes
