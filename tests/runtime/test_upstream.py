"""One upstream connection: however its bytes are split, the same answer comes out, or the same refusal."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.member_state import UpstreamKey
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.response_head import CHUNKED, UNTIL_CLOSE, Answer, read_head


class Line:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.closing = False

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Receiver:
    """What was told, as one value."""

    def __init__(self) -> None:
        self.interims: list[int] = []
        self.head = b""
        self.data = b""
        self.end: tuple[str, bool] | None = None

    def interim(self, answer: Answer) -> None:
        self.interims.append(answer.status)

    def answered(self, answer: Answer, data: bytes) -> None:
        assert not self.head
        self.head = answer.raw
        self.data += data

    def body(self, data: bytes) -> None:
        assert self.head
        assert data
        self.data += data

    def ended(self, reusable: bool) -> None:
        assert self.end is None
        self.end = ("ended", reusable)

    def failed(self, why: str, unanswered: bool) -> None:
        assert self.end is None
        assert why
        self.end = ("failed", unanswered)

    def broke(self, where: str, error: Exception) -> None:
        raise error

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...

    def told(self) -> object:
        return (self.interims, self.head, self.data, self.end)


def hear(pieces: list[bytes], head_only: bool = False) -> object:
    upstream, receiver = Upstream(UpstreamKey("http", "h", 80)), Receiver()
    line = Line()
    upstream.connection_made(line)  # type: ignore[arg-type]
    upstream.ask(receiver, b"", head_only)
    for piece in pieces:
        if piece and not line.closing and receiver.end is None:
            upstream.data_received(piece)
    if receiver.end is None:
        upstream.connection_lost(None)
    return receiver.told()


OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = [
    OK + b"Content-Length: 5\r\n\r\nhello",
    OK + b"Content-Length: 0\r\n\r\n",
    OK + b"Content-Length: 9\r\n\r\nhello",
    OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\n\r\n\r\r\n2;x=y\r\nab\r\n0\r\nT: x\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    OK + b"\r\nuntil the end",
    b"HTTP/1.0 200\r\nA: b\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
    b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
    OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 9\n\n1\n\n\r\n\r\n23",
    b"HTTP/1.1 200 OK\nA: b\n\nuntil the end",
    OK + b"Content-Length: 2\n\nxx\r\n\r\n",
]


@given(st.sampled_from(ANSWERS), st.booleans(), st.lists(st.integers(1, 120), max_size=6))
def test_splits_change_nothing(raw: bytes, head_only: bool, cuts: list[int]) -> None:
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    pieces = [raw[start:end] for start, end in pairwise(places)]
    cut, whole = hear(pieces, head_only), hear([raw], head_only)
    if head_only and cut[3] == ("ended", True):
        # What comes behind an answer to HEAD is seen at once or later, when the idle connection is dropped for it.
        assert cut[:3] == whole[:3]
        assert whole[3][0] == "ended"
    else:
        assert cut == whole


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 9\r\n\r\n1\n\n\r\n\r\n23", b"A: b\r\n\r\nto the end"]
)
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"])
def test_a_head_whose_lines_end_in_lf_alone_is_that_with_crlf(before: bytes, body: bytes) -> None:
    fields, _, rest = (OK + body).partition(b"\r\n\r\n")
    bare = (before + fields + b"\r\n\r\n").replace(b"\r\n", b"\n") + rest
    assert hear([bare]) == hear([before + OK + body])


@pytest.mark.parametrize(
    "head", [OK + b"A: b\n\n", OK + b"A: b\n\r\n", b"HTTP/1.1 200 OK\nA: b\r\n\n", b"HTTP/1.1 200 OK\nA: b\rc\n\n"]
)
def test_a_head_that_ends_in_both_kinds_of_line_ends_is_refused_before_more_comes(head: bytes) -> None:
    upstream, receiver = Upstream(UpstreamKey("http", "h", 80)), Receiver()
    upstream.connection_made(Line())  # type: ignore[arg-type]
    upstream.ask(receiver, b"", False)
    upstream.data_received(head)
    assert receiver.end == ("failed", False)


@pytest.mark.parametrize("head", [OK + b"A: b\n\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\r\n\r\n", OK + b"A: b\n\n"])
def test_a_head_with_both_kinds_of_line_ends_is_refused(head: bytes) -> None:
    *_, answer, _, end = hear([head])  # type: ignore[misc]
    assert (answer, end[0]) == (b"", "failed")


@given(st.binary(max_size=300), st.booleans())
def test_whatever_an_upstream_says_ends_in_one_way(junk: bytes, framed: bool) -> None:
    told = hear([OK + junk if framed else junk])
    assert isinstance(told, tuple)
    assert told[3] is not None


@pytest.mark.parametrize(
    ("fields", "length", "reusable"),
    [
        (b"Content-Length: 7\r\n", 7, True),
        (b"Content-Length: 7\r\nConnection: close\r\n", 7, False),
        (b"Content-Length: 0\r\n", 0, True),
        (b"Content-Length: 0\r\nConnection: close\r\n", 0, False),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED, True),
        (b"", UNTIL_CLOSE, False),
    ],
)
def test_a_head_says_where_its_body_ends(fields: bytes, length: int, reusable: bool) -> None:
    answer = read_head(OK + fields + b"\r\n")
    assert (answer.length, answer.reusable) == (length, reusable)


@pytest.mark.parametrize(
    ("status", "fields", "reusable"),
    [
        (b"204 No Content", b"", True),
        (b"204 No Content", b"Content-Length: 0\r\n", True),
        (b"204 No Content", b"Content-Length: 5\r\n", False),
        (b"204 No Content", b"Transfer-Encoding: chunked\r\n", False),
        (b"304 Not Modified", b"Content-Length: 5\r\n", True),
        (b"304 Not Modified", b"Transfer-Encoding: chunked\r\n", False),
    ],
)
def test_a_body_that_must_not_be_there_costs_the_connection(status: bytes, fields: bytes, reusable: bool) -> None:
    assert read_head(b"HTTP/1.1 %b\r\n%b\r\n" % (status, fields)).reusable is reusable


@given(
    st.lists(
        st.sampled_from([b"A: 1", b"Date: x", b"Location: y", b"Keep-Alive: 5", b"uri: z", b"Connection: A, date"])
    )
)
def test_addresses_are_found_where_they_stand(lines: list[bytes]) -> None:
    answer = read_head(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]))
    assert [answer.lines[at] for at in answer.addresses] == [
        line for line in answer.lines if re.match(rb"(?i)(location|uri):", line)
    ]
    assert answer.dated == any(line[:5] == b"Date:" for line in answer.lines)
    assert not any(line.startswith(b"Keep-Alive") for line in answer.lines)
