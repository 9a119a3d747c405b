"""No spelling leads past what guards a path: whatever a member reads, it is not the guarded path.

The readings of members are written here from what they are known to do, and share nothing with the code under test: a
plain one decodes once and then removes dot segments; a servlet container takes parameters off first; a raw one takes
the path as it stands.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.examples import examples


def without_dots(path: bytes) -> list[bytes]:
    """The segments of a path when . and .. are gone (RFC 3986 §5.2.4), empty ones left out."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    return kept


def plain(path: bytes) -> list[bytes]:
    return without_dots(unquote_to_bytes(path))


def servlet(path: bytes) -> list[bytes]:
    return without_dots(unquote_to_bytes(b"/".join(each.split(b";")[0] for each in path.split(b"/"))))


def raw(path: bytes) -> list[bytes]:
    return without_dots(path)


READINGS = {"decoded": (plain,), "encoded": (plain,), "servlet": (servlet,), "nocanon": (raw, plain)}
PIECES = ["/", "//", "s", "admin", "a", ".", "..", "%2e", "%2E%2e", ";", ";x=1", "..;", "%2f", "%2F", "%5c", "%61dmin",
          "%25", "%252f", "%252e", "private", "%3b", "x", "s/admin", "/../", "/%2e%2e;/", "/x%2f..%2f"]  # fmt: skip
SPELLED = [
    "/s/admin", "/s/;x/admin", "/s/..;/s/admin", "/s/a/%2e%2e;/admin", "/s/admin;x", "/s/admin/x", "/s//admin",
    "/s/./admin", "/s/a/../admin", "/s/%61dmin", "/s%2fadmin", "/s/a%2f..%2fadmin", "/s/a/..%2fadmin",
    "/s/a//../admin", "/s/a%2f../admin", "/s/x%2fadmin/../../admin", "/s/%2e/admin", "/s/a/%2e%2e/admin",
    "/s/;/admin", "/;x/s/admin", "/s;x/admin", "/s/a;/..;x/admin", "/s/.;/admin", "/s/%2e;x/admin",
    "/s/admin%2fx", "/s/admin%3bx", "/s/a/..;/..;/s/admin", "/s/%252e%252e/admin", "/s/admin/..;/admin",
]  # fmt: skip


def site(kind: str, guard: str, slashes: str, merge: bool) -> Site:
    options = {"nocanon": "nocanon = true", "decoded": ""}.get(kind, f'mapping = "{kind}"')
    text = f"""
version = 1
[site]
encoded_slashes = "{slashes}"
merge_slashes = {str(merge).lower()}
[listeners.http]
address = "127.0.0.1:0"
"""
    if guard == "location":
        text += '[[locations]]\nid = "closed"\npath = "/s/admin"\nrequire = ["all denied"]\n'
    else:
        mapping = options if options.startswith("mapping") else ""
        text += f'[[routes]]\nid = "closed"\npath = "/s/admin"\nexcept = true\n{mapping}\n'
    text += f'[[routes]]\nid = "s"\npath = "/s"\nproxy = "http://127.0.0.1:1/s"\n{options}\n'
    document = parse(text)
    assert document.site is not None, document.problems
    return document.site


KINDS = [
    (kind, guard, slashes, merge)
    for kind in READINGS
    for guard in ("location", "exception")
    for slashes in ("refuse", "decode", "keep")
    for merge in (True, False)
]
PROGRAMS = {kind: compile_site(site(*kind), Registry(), 1).program for kind in KINDS}


def passed(kind: tuple[Any, ...], path: str) -> bytes | None:
    """What a member gets of a request for a path, None where it gets none."""
    view = RequestView(b"GET", path.encode("latin-1"), b"h", "127.0.0.1", head=b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    decision = decide(PROGRAMS[kind], view, Facts(), None)
    return decision.target.partition(b"?")[0] if isinstance(decision, Forward) else None


def guarded(segments: list[bytes]) -> bool:
    return segments[:2] == [b"s", b"admin"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_known_spelling_reaches_a_guarded_path(kind: tuple[Any, ...]) -> None:
    for path in SPELLED:
        sent = passed(kind, path)
        assert sent is None or not any(guarded(read(sent)) for read in READINGS[kind[0]]), (path, sent)


@examples(1_500)
@given(st.sampled_from(KINDS), st.lists(st.sampled_from(PIECES), max_size=8))
@example(("servlet", "location", "refuse", True), ["/s/..;/s/admin"])
@example(("nocanon", "location", "keep", False), ["/a/", "/../admin"])
@example(("nocanon", "location", "refuse", True), ["admin", "/", "%2E%2e"])
def test_no_made_up_spelling_reaches_a_guarded_path(kind: tuple[Any, ...], pieces: list[str]) -> None:
    path = "/s/" + "".join(pieces)
    sent = passed(kind, path)
    assert sent is None or not any(guarded(read(sent)) for read in READINGS[kind[0]]), (path, sent)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("path", ["/s/x", "/s/administrator", "/s/a/admin", "/s/x%20y", "/s/"])
def test_what_is_not_guarded_gets_through(kind: tuple[Any, ...], path: str) -> None:
    assert passed(kind, path) is not None
