"""Whatever bytes come, in whatever pieces: what goes on can be read in one way, nothing raises, nothing is left."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.model import Site
from tests.e2e.messages import BAD_ANSWERS, FORWARDED, MADE, REFUSED
from tests.examples import examples
from tests.fuzz.wire import BUSY, answer_goes_well, request_goes_well

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
ANSWERS = [
    GOOD,
    CHUNKED,
    b"HTTP/1.1 103 x\r\nLink: y\r\n\r\n" + GOOD,
    b"HTTP/1.0 200\r\n\r\nhello",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/app/y?z\r\nSet-Cookie: a=b; Path=/app; Domain=127.0.0.1\r\n"
    b"Content-Length: 0\r\n\r\n",
    *BAD_ANSWERS.values(),
]
TRUSTED = (
    b"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7, b\r\n"
    b'Forwarded: for="[::1]";host=c\r\nVia: 1.0 d\r\n\r\n'
)
MESSAGES = [TRUSTED] + [raw for raw, _ in FORWARDED] + [raw for _, raw in (*REFUSED, *MADE) if len(raw) < 3000]
SCRAPS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\0",
    b":",
    b"0",
    b"5",
    b";",
    b",",
    b"chunked",
    b"Host: b",
    b"x",
    b"\xff",
]


def mutated(bases: list[bytes]) -> st.SearchStrategy[bytes]:
    """One or two of the messages, with a few scraps put over, in or instead of some bytes."""
    change = st.tuples(st.integers(0, 200), st.integers(0, 4), st.sampled_from(SCRAPS))

    def apply(chosen: list[bytes], changes: list[tuple[int, int, bytes]]) -> bytes:
        raw = b"".join(chosen)
        for at, gone, scrap in changes:
            raw = raw[:at] + scrap + raw[at + gone :]
        return raw

    some = st.lists(st.sampled_from(bases), min_size=1, max_size=2)
    return st.builds(apply, some, st.lists(change, max_size=3))


def pieces(raw: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    return [raw[start:end] for start, end in pairwise(places)]


CUTS = st.lists(st.integers(1, 300), max_size=4)


SITES = st.sampled_from([None, BUSY])


@examples(300)
@given(mutated(MESSAGES), CUTS, SITES)
async def test_what_is_forwarded_of_any_request_can_be_read_in_one_way(
    raw: bytes, cuts: list[int], what: Site | None
) -> None:
    await request_goes_well(GOOD, *pieces(raw, cuts), what=what)


@examples(300)
@given(mutated(ANSWERS), CUTS, st.sampled_from([b"GET", b"HEAD", b"POST"]), st.sampled_from([b"1.0", b"1.1"]), SITES)
async def test_what_is_passed_on_of_any_answer_can_be_read_in_one_way(
    raw: bytes, cuts: list[int], method: bytes, version: bytes, what: Site | None
) -> None:
    await answer_goes_well(b"%b / HTTP/%b\r\nHost: a\r\n\r\n" % (method, version), *pieces(raw, cuts), what=what)
