"""Settings for some paths and targets, laid over each other as Apache lays its sections; variables of a request."""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward, Respond
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read

ROUTES = """
[[routes]]
path = "/"
proxy = "http://one/"
timeout = 9
"""


def decided(text: str, target: str = "/app/x", **fields: str) -> Forward:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    view = RequestView(b"GET", target.encode(), b"h", "127.0.0.1", head=f"GET / HTTP/1.1\r\n{head}\r\n".encode())
    decision = decide(compile_site(read(text + ROUTES), Registry(), 1).program, view, Facts(), None)
    assert isinstance(decision, Forward)
    return decision


def location(where: str, timeout: int) -> str:
    return f"[[locations]]\n{where}\ntimeout = {timeout}\n"


LAID_OVER = [
    ("", 9),
    (location('path = "/app"', 1), 1),
    (location('path = "/ap"', 1), 9),
    (location("path_regex = 'x$'", 1), 1),
    (location("path_regex = '^x'", 1), 9),
    # Later rows win, and a path wins over a target wherever it stands (proxy_walk comes before ap_location_walk).
    (location('path = "/"', 1) + location('path = "/app"', 2), 2),
    (location('path = "/app"', 2) + location('path = "/"', 1), 1),
    (location('path = "/"', 1) + location('target = "http://one"', 2), 1),
    # Targets: a plain prefix, character by character; with wildcards a pattern for the whole URL.
    (location('target = "http://one/ap"', 1), 1),
    (location('target = "http://two"', 1), 9),
    (location('target = "http://o*/x"', 1), 1),
    (location('target = "http://o*/y"', 1), 9),
    (location('path = "/app"\nenabled = false', 1), 9),
]


@pytest.mark.parametrize(("rows", "timeout"), LAID_OVER)
def test_settings_are_laid_over_those_of_the_route(rows: str, timeout: float) -> None:
    assert decided(rows).route.timeout == timeout


def test_what_a_row_does_not_say_stays_as_it_was() -> None:
    assert (
        decided(location('path = "/"', 1) + '[[locations]]\npath = "/app"\nerror_override = true\n').route.timeout == 1
    )


def row(**said: str) -> str:
    return "[[env]]\n" + "".join(f"{key} = {value}\n" for key, value in {"name": "'X'", **said}.items())


FROM = {"from": "'%{HTTP:A}'"}
SET = [
    (row(**FROM, capture="'^(.)'"), "q", {"X": "q"}),
    (row(**FROM, capture="'b'"), "abc", {"X": "1"}),
    (row(**FROM, capture="'b'"), "xyz", {}),
    (row(**FROM, capture="'B'", nocase="true"), "abc", {"X": "1"}),
    (row(**FROM, capture="'b'", negate="true"), "xyz", {"X": "1"}),
    (row(**FROM, capture="'(b)(c)'", value="'$2$1-$0'"), "abcd", {"X": "cb-bc"}),
    (row(**FROM), "abc", {"X": "abc"}),
    (row(**FROM, value="'fixed'"), "abc", {"X": "fixed"}),
    # The last field whose name fits, by the case of its first spelling; none is an empty text (match_headers).
    (row(fields="'^(A|Host)$'"), "abc", {"X": "abc"}),
    (row(fields="'^a'"), "abc", {"X": ""}),
    (row(fields="'^a'", nocase="true"), "abc", {"X": "abc"}),
    (row(expr="\"req('A') == 'abc'\""), "abc", {"X": "1"}),
    (row(expr="\"req('A') =~ /(b.)/\"", value="'%1'"), "abc", {"X": "bc"}),
    (row(expr="\"req('A') == 'x'\"", negate="true"), "abc", {"X": "1"}),
    (row(**FROM) + row(unset="true"), "abc", {}),
    (row(**FROM) + row(name="'Y'", **{"from": "'%{ENV:X}!'"}), "abc", {"X": "abc", "Y": "abc!"}),
    # ModSecurity's transformations run in order; hashes give bytes, and hex spells them in lower case.
    (row(**FROM, transform="['sha1', 'hex']", capture="'^(....)'"), "127.0.0.1", {"X": "4b84"}),
    (row(**FROM, transform="['md5', 'hex']"), "", {"X": "d41d8cd98f00b204e9800998ecf8427e"}),
    (row(**FROM, transform="['base64']"), "ab", {"X": "YWI="}),
    (row(**FROM, transform="['base64decode']"), "YWI", {"X": "ab"}),
    (row(**FROM, transform="['uppercase', 'hex', 'hexdecode']"), "ab", {"X": "AB"}),
    (row(**FROM, transform="['urldecode', 'trim', 'length']"), "%20a+b%20", {"X": "3"}),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "value", "env"), SET)
def test_variables_are_set_in_order(rows: str, value: str, env: dict[str, str]) -> None:
    extras = decided(rows, A=value).extras
    assert dict(extras.env if extras is not None else ()) == env


LATE = """
[[env]]
name = "V"
from = "%{HTTP:X-A}"
capture = "."

[[env]]
name = "V"
value = "late"
late = true
"""


def test_what_is_set_late_replaces_nothing_and_the_last_such_row_counts() -> None:
    last = '[[env]]\nname = "V"\nvalue = "last"\nlate = true\n'
    for fields, value in (({}, "last"), ({"X_A": "x"}, "1")):
        extras = decided(LATE + last, **fields).extras
        assert extras is not None
        assert dict(extras.env) == {"V": value}


def test_rules_that_answer_do_not_know_what_is_set_late_and_refused_paths_know_what_is_set_before() -> None:
    program = compile_site(
        read(LATE + "[[rewrites]]\npattern = '^/f'\nflags = ['F']\n" + ROUTES), Registry(), 1
    ).program
    head = b"GET / HTTP/1.1\r\nX-A: x\r\n\r\n"
    for target, sent, found in ((b"/f", b"", {}), (b"/%zz", head, {"V": "1"}), (b"/%00", head, {"V": "1"})):
        decision = decide(program, RequestView(b"GET", target, b"h", "127.0.0.1", head=sent), Facts(), None)
        assert isinstance(decision, Respond)
        assert decision.status in (400, 403, 404)
        assert dict(decision.extras.env if decision.extras else ()) == found
