"""Which parts of ten bytes a Range asks for, and how several are framed."""

from __future__ import annotations

import pytest

from proxy_core.http.ranges import MOST, ByteRange, framed, parts

WHOLE = None
NOTHING: tuple[ByteRange, ...] = ()


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("bytes=0-3", (ByteRange(0, 4),)),
        ("Bytes=0-3", (ByteRange(0, 4),)),
        ("bytes=3-", (ByteRange(3, 10),)),
        ("bytes=-3", (ByteRange(7, 10),)),
        ("bytes=-99", (ByteRange(0, 10),)),
        ("bytes=8-99", (ByteRange(8, 10),)),
        ("bytes=0-", (ByteRange(0, 10),)),
        ("bytes=0-1,4-5", (ByteRange(0, 2), ByteRange(4, 6))),
        ("bytes=4-5, 0-1", (ByteRange(4, 6), ByteRange(0, 2))),
        ("bytes=0-5,3-6", (ByteRange(0, 7),)),
        ("bytes=0-1,2-3", (ByteRange(0, 4),)),
        ("bytes=4-5,2-4", (ByteRange(2, 6),)),
        ("bytes=0-1,99-", (ByteRange(0, 2),)),
        ("bytes=,0-1,,", (ByteRange(0, 2),)),
        ("bytes=10-", NOTHING),
        ("bytes=-0", NOTHING),
        ("bytes=10-,11-", NOTHING),
        ("bytes=5-2", WHOLE),
        ("bytes= 0-1", WHOLE),
        ("bytes=0-1,5-2", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0-1-2", WHOLE),
        ("lines=0-1", WHOLE),
        ("bytes", WHOLE),
        ("bytes=0-5,8-9,0-5", WHOLE),
        ("bytes=" + ",".join(["0-0"] * (MOST + 1)), WHOLE),
    ],
)
def test_parts_are_those_of_rfc_9110_and_never_more_than_the_whole(
    field: str, found: tuple[ByteRange, ...] | None
) -> None:
    assert parts(field, 10) == found


def test_of_nothing_there_are_no_parts() -> None:
    assert parts("bytes=0-", 0) is None


def test_each_part_says_what_it_is() -> None:
    heads, end = framed((ByteRange(0, 2), ByteRange(4, 6)), 10, "text/html", "B")
    assert heads[1] == b"\r\n--B\r\nContent-Type: text/html\r\nContent-Range: bytes 4-5/10\r\n\r\n"
    assert end == b"\r\n--B--\r\n"
