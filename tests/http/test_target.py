"""Paths and URLs: one normal form for every spelling, as httpd's own algorithm gives it."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_core.http.target import (
    PLAIN,
    BadTarget,
    as_bytes_text,
    balancer,
    endpoint,
    escaped,
    normalised,
    origin,
    readable,
    split,
)

PIECES = (
    *("/", "//", ".", "..", "%2e", "%2E", "%2f", "%2F", "%00", "%25", "%41", "%7e", "%e9", "%zz", "%"),
    *("a", "b", "x.y", ";", "~", "+", "\\", "\xe9", "?", "#", "["),
)
PATHS = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda pieces: ("/" + "".join(pieces)).encode("latin-1"))


def outcome(path: bytes) -> str | int:
    try:
        return normalised(path)
    except BadTarget as bad:
        return bad.status


def apaches(path: bytes) -> str | int:
    """ap_normalize_path and ap_unescape_url of httpd 2.4, retold character by character, as ap_process_request uses
    them: decode unreserved, merge slashes and remove segments in one pass, then decode the rest."""
    text, unreserved = path.decode("latin-1"), re.compile(r"[A-Za-z0-9._~-]")
    escape = re.compile(r"%([0-9A-Fa-f]{2})")
    bad, read, written = False, 1, "/"
    while read < len(text):
        character, width = text[read], 1
        if character == "%":
            found = escape.match(text, read)
            if found is None:
                bad = True
            elif unreserved.match(chr(int(found[1], 16))):
                character, width = chr(int(found[1], 16)), 3
        if written.endswith("/"):
            if character == "/":
                read += 1
                continue
            if character == ".":
                after = read + width
                if text[after : after + 1] in ("", "/"):
                    read = after + 1
                    continue
                second = re.compile(r"(?:\.|%2[eE])(?=/|\Z)").match(text, after)
                if second:
                    bad = bad or written == "/"
                    written = written[:-1].rpartition("/")[0] + "/"
                    read = second.end() + 1
                    continue
        written += character
        read += width
    decoded = [chr(int(digits, 16)) for digits in escape.findall(written)]
    if bad:
        return 400
    if "/" in decoded or "\0" in decoded:
        return 404
    return escape.sub(lambda found: chr(int(found[1], 16)), written)


@given(PATHS)
@example(b"/a%2f/../b")
@example(b"/a/.%2e/b")
def test_a_path_is_normalised_as_httpd_does_it(path: bytes) -> None:
    path = path.partition(b"?")[0]
    assert outcome(path) == apaches(path)


@given(st.binary(max_size=30).map(lambda tail: b"/" + tail))
def test_no_bytes_at_all_break_normalising(path: bytes) -> None:
    assert outcome(path) == apaches(path)


@given(PATHS)
def test_a_normal_form_has_no_other_normal_form(path: bytes) -> None:
    form = outcome(path)
    if isinstance(form, str):
        assert form.startswith("/")
        assert "//" not in form
        assert not {".", ".."} & set(form.split("/"))
        assert outcome(escaped(form)) == form


@given(st.one_of(PATHS, st.from_regex(rb"/[!-~]{0,20}(\?[!-~]{0,9})?", fullmatch=True)))
@example(b"/")
@example(b"/a/")
@example(b"/a?")
@example(b"/a\n")
@example(b"/a?\n")
@example(b"/.a")
def test_a_plain_target_is_its_own_normal_form_and_spelling(target: bytes) -> None:
    plain = PLAIN(target)
    if plain:
        path, query = plain.groups()
        assert split(target) == (path, query)
        assert normalised(path).encode() == path == escaped(normalised(path))


def test_ordinary_targets_are_plain() -> None:
    for target in (b"/", b"/index.html", b"/a/b.c/d-e_f~g/", b"/a;v=1/b@c:d?e=f&g[]=h%zz", b"/a+b,c!d'(e)*$"):
        assert PLAIN(target), target


@pytest.mark.parametrize(
    "target", [b"", b"*", b"a", b"?x=1", b"http://h/", b"/a b", b"/a\r\nb", b"/a#b", b"/a?b c", b"/\x7f"]
)
def test_what_is_no_origin_form_is_refused_with_400(target: bytes) -> None:
    with pytest.raises(BadTarget) as refused:
        split(target)
    assert refused.value.status == 400
    assert refused.value.why


@given(st.text(alphabet=[chr(n) for n in range(256)], max_size=40))
def test_an_escaped_path_is_safe_ascii_and_decodes_to_itself(path: str) -> None:
    spelled = escaped(path).decode("ascii")
    assert re.fullmatch(r"(?:[A-Za-z0-9._~$+!*'(),;:@&=/-]|%[0-9A-F]{2})*", spelled)
    assert re.sub("%(..)", lambda found: chr(int(found[1], 16)), spelled) == path


def test_configured_text_is_seen_as_its_utf8_bytes_and_shown_as_text() -> None:
    assert as_bytes_text("/caf\u00e9") == "/caf\u00c3\u00a9"
    assert readable(as_bytes_text("/caf\u00e9")) == "/caf\u00e9"
    assert readable(b"/\xe9") == "/\\xe9"


@pytest.mark.parametrize(
    ("url", "parts", "spelled"),
    [
        ("http://localhost", ("http", "localhost", 80, ""), "http://localhost"),
        ("http://localhost/", ("http", "localhost", 80, "/"), "http://localhost"),
        ("HTTP://LocalHost:80/A", ("http", "localhost", 80, "/A"), "http://localhost"),
        ("http://127.0.0.1:8000/a/b", ("http", "127.0.0.1", 8000, "/a/b"), "http://127.0.0.1:8000"),
        ("http://[::1]:8000", ("http", "::1", 8000, ""), "http://[::1]:8000"),
        ("http://[0:0::1]/x", ("http", "::1", 80, "/x"), "http://[::1]"),
        ("http://my_app.internal.:81", ("http", "my_app.internal.", 81, ""), "http://my_app.internal.:81"),
        ("http://h/with blank/%20", ("http", "h", 80, "/with blank/%20"), "http://h"),
    ],
)
def test_a_url_is_read_as_an_origin(url: str, parts: tuple[object, ...], spelled: str) -> None:
    there = origin(url)
    assert (there.scheme, there.host, there.port, there.path) == parts
    assert there.url == spelled


def test_a_socket_in_the_file_system_is_an_origin_with_a_name_beside_it() -> None:
    there = origin("unix:/run/App.sock|http://App/base")
    assert (there.scheme, there.host, there.port, there.path) == ("http", "unix:/run/App.sock", 0, "/base")
    assert (there.authority, there.url) == ("app", "unix:/run/App.sock|http://app")
    assert origin(there.url).host == there.host


@pytest.mark.parametrize(
    "url", ["unix:/run/a", "unix:run/a|http://a", "unix:/a|https://a", "unix:/a|", "unix:|http://a"]
)
def test_what_is_no_socket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"unix:|https|URL"):
        origin(url)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("localhost:8000", "form"),
        ("/path", "form"),
        ("", "form"),
        ("http:/localhost", "form"),
        ("ftp://localhost", "https"),
        ("ftp://localhost", "ftp"),
        ("http://", "host"),
        ("http://:8000", "host"),
        ("http:///path", "host"),
        ("http://u:p@localhost", "user"),
        ("http://localhost?x=1", "query"),
        ("http://localhost/a#b", "fragment"),
        ("http://localhost:port", "port"),
        ("http://localhost:", "port"),
        ("http://localhost:0", "port"),
        ("http://localhost:65536", "port"),
        ("http://localhost:-1", "port"),
        ("http://localhost:8000x", "port"),
        ("http://::1:8000", "bracket"),
        ("http://[::g]:8000", "IPv6"),
        ("http://[::1", "bracket"),
        ("http://a b/", "host name"),
        ("http://caf\u00e9/", "host name"),
        ("http://a%20b/", "host name"),
        ("http://localhost:8000/\n", "control"),
        ("http://localhost ", "blank"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_words(url: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        origin(url)


@given(st.text(max_size=20), st.sampled_from(["", "http://", "http://[", "http://h:", "balancer://"]))
def test_no_text_at_all_breaks_reading_urls(text: str, start: str) -> None:
    balancer(start + text)
    for read in (origin, endpoint):
        with suppress(ValueError):
            read(start + text)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("balancer://p", ("p", "")),
        ("Balancer://p/a/b", ("p", "/a/b")),
        ("balancer://p/", ("p", "/")),
        ("http://p/a", None),
        ("balancer:p", None),
    ],
)
def test_a_balancer_url_is_a_name_and_a_path(url: str, read: tuple[str, str] | None) -> None:
    assert balancer(url) == read


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        (":8080", ("", 8080)),
        ("[::]:0", ("::", 0)),
        ("Localhost:80", ("localhost", 80)),
    ],
)
def test_a_listener_address_is_a_host_and_a_port(address: str, read: tuple[str, int]) -> None:
    assert endpoint(address) == read


@pytest.mark.parametrize("address", ["", "8080", "localhost", "::1:80", "a:b", "a:", "[x]:1", "a:99999", "*:80"])
def test_a_listener_address_that_cannot_be_used_is_refused_in_words(address: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        endpoint(address)
