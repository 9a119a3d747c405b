"""The fields of a head are found by name whatever their case, and several of one name are one."""

from __future__ import annotations

from proxy_core.http.request_view import RequestView, fields, request_line, spellings

HEAD = b"GET /\xe9 HTTP/1.0\r\nX-A: 1 \r\nx-b:2\r\nx-A:\t3\r\nno colon\r\n\r\n"


def test_fields_of_one_name_are_joined_in_their_order() -> None:
    assert fields(HEAD) == {"x-a": "1, 3", "x-b": "2"}


def test_a_name_is_spelled_as_it_came_first() -> None:
    assert spellings(HEAD) == ("X-A", "x-b")


def test_the_request_line_is_as_it_came_or_made_up_where_there_is_no_head() -> None:
    assert request_line(RequestView(b"GET", b"/x", b"", "", head=HEAD)) == "GET /é HTTP/1.0"
    assert request_line(RequestView(b"GET", b"/x", b"", "")) == "GET /x HTTP/1.1"
