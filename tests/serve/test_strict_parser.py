"""What we rely on in aiohttp's parser, whose names are not documented: if one breaks, read strict_parser.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from aiohttp import http_parser

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve.request_fields import CHUNKED
from proxy_core.serve.strict_parser import StrictParser

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"

Judge = Callable[[], StrictParser]
"""Makes a parser: each reads one request."""


@pytest.fixture
def judge() -> Iterator[Judge]:
    loop = asyncio.new_event_loop()
    yield lambda: StrictParser(loop)
    loop.close()


def test_it_is_the_parser_written_in_c() -> None:
    assert http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy


def test_it_says_whether_the_client_may_go_on(judge: Judge) -> None:
    assert judge().head(HEAD + b"\r\n", 0)
    assert not judge().head(HEAD + b"Connection: close\r\n\r\n", 0)


def test_a_method_that_llhttp_does_not_know_is_judged_like_any_other(judge: Judge) -> None:
    assert judge().head(b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n", 0)
    assert not judge().head(b"NONSENSE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0)


def test_a_body_is_announced_or_refused(judge: Judge) -> None:
    judge().head(HEAD + b"Content-Length: 0\r\n\r\n", 0)
    judge().head(HEAD + b"Content-Length: 5\r\n\r\n", 5)
    for fields, length in ((b"", 5), (b"Content-Length: 5\r\n", 0), (b"Content-Length: 5\r\n", CHUNKED)):
        with pytest.raises(RefusedRequest):
            judge().head(HEAD + fields + b"\r\n", length)


def test_a_chunked_body_comes_out_decoded_and_ends(judge: Judge) -> None:
    parser = judge()
    parser.head(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNKED)
    payload = parser.payload
    parser.body(b"5\r\nhel")
    assert payload.read_nowait() == b"hel"
    assert not payload.is_eof()
    parser.body(b"lo\r\n0\r\n\r\n")
    assert payload.read_nowait() == b"lo"
    assert payload.is_eof()
    assert payload.exception() is None


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (400, b"NONSENSE / HTTP/1.1\r\nHost : a\r\n\r\n"),
        (400, HEAD + b"X : y\r\n\r\n"),
        (400, HEAD + b"X: a\x00b\r\n\r\n"),
        (400, HEAD + b"X: a\r\n b\r\n\r\n"),
        (400, HEAD + b"User-Agent: a\r\nUser-Agent: b\r\n\r\n"),
        (400, HEAD),
    ],
)
def test_it_refuses_with_a_status_and_a_reason(judge: Judge, status: int, head: bytes) -> None:
    with pytest.raises(RefusedRequest) as refused:
        judge().head(head, 0)
    assert refused.value.status == status
    assert refused.value.why
    assert "\n" not in refused.value.why
