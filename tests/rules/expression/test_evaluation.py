"""Expressions hold as httpd's manual says; whatever the text, the only error is one that says what and where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.rules.expression import functions
from proxy_core.rules.expression.evaluation import Captures, ExprError, ExprFailure, compile_expr, compile_string
from proxy_core.rules.facts import Unknown
from proxy_core.rules.text.pattern import Runaway
from tests.rules.expression.expressions import FIELDS, HOLDS, LATER, REFUSED, TARGET, TEXTS

FILES = {
    "-d": {"/usr"},
    "-f": {"/bin/sh"},
    "-e": {"/usr", "/bin/sh"},
    "-x": {"/bin/sh"},
    "-L": {"/proc/self"},
    "size": {"/bin/sh"},
    "content": {"/etc/colour"},
}
PATH, _, QUERY = TARGET.partition("?")
VARIABLES = {
    **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in FIELDS.items()},
    "HTTP_HOST": "expr.test",
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": PATH,
    "QUERY_STRING": QUERY,
    "THE_REQUEST": f"GET {TARGET} HTTP/1.1",
    "REQUEST_SCHEME": "http",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_PROTOCOL_VERSION": "1001",
    "SERVER_PROTOCOL_VERSION_MINOR": "1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTPS": "off",
    "IPV6": "off",
    "IS_SUBREQ": "false",
}


class Request:
    """The one request of the tables, and what was asked about it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def variable(self, name: str) -> str:
        self.asked.append(name)
        return VARIABLES.get(name, "")

    def field(self, name: str, which: str) -> str:
        self.asked.append(f"{which}:{name}")
        if which in ("req", "req_novary"):
            return {known.lower(): value for known, value in FIELDS.items()}.get(name.lower(), "")
        return "red" if which in ("reqenv", "env") and name == "colour" else ""

    def fact(self, kind: str, name: str, key: str) -> str | None:
        self.asked.append(f"{kind} {name} {key}")
        if name == "-F":
            raise Unknown((kind, name, key))
        return "red" if key in FILES.get(name, ()) else None


@pytest.mark.parametrize(("text", "holds"), HOLDS)
def test_an_expression_holds_as_the_manual_says(text: str, holds: bool) -> None:
    assert compile_expr(text).truth(Request()) is holds


@pytest.mark.parametrize(("text", "value"), TEXTS)
def test_a_text_is_put_together_as_the_manual_says(text: str, value: str) -> None:
    assert compile_string(text).value(Request()) == value


@pytest.mark.parametrize(("text", "holds"), LATER)
def test_what_httpd_2_5_adds_is_understood_too(text: str, holds: bool) -> None:
    assert compile_expr(text).truth(Request()) is holds


@pytest.mark.parametrize(("text", "said", "column"), REFUSED)
def test_what_means_nothing_is_refused_with_words_and_a_place(text: str, said: str, column: int) -> None:
    with pytest.raises(ExprError) as wrong:
        compile_expr(text)
    assert any(part in wrong.value.what for part in said.split("|")), wrong.value.what
    assert wrong.value.column == column


@pytest.mark.parametrize("text", ["ldap('x') == ''", "%{ldap:x} == ''"])
def test_what_is_not_supported_is_said_when_compiling(text: str) -> None:
    with pytest.raises(ExprError, match="not supported"):
        compile_expr(text)


@pytest.mark.parametrize("opens", ["(", "!(", "toupper(", "%{tolower:", "%{:", "join split /,/, ", "'%{tolower:"])
def test_nesting_has_an_end(opens: str) -> None:
    with pytest.raises(ExprError, match="nested deeper"):
        compile_expr(opens * 3000)


def test_a_long_chain_is_not_nested() -> None:
    assert compile_expr(" && ".join(["true"] * 3000)).truth(Request())
    assert compile_expr(" || ".join(["not false"] * 3000)).truth(Request())
    assert compile_expr("-n " + " . ".join(["'a'"] * 3000)).truth(Request())
    assert compile_expr("! " * 3000 + "true").truth(Request())


PIECES = ["'", '"', "a", "%{", "}", "%{:", ":}", ":", "REQUEST_URI", "req", "(", ")", "{", ",", "==", "=~", "/", "m#"]
PIECES += [
    "#",
    "-in",
    "-n",
    "-R",
    "-ipmatch",
    "!",
    "&&",
    "or",
    "true",
    "$1",
    "\\",
    "\\9",
    " ",
    "\n",
    ".",
    "10",
    "[",
    "*",
]
PIECES += ["sub", "join", "split", "s/", "replace", "'a'", "{'a'}", "/a/g", "é", "(?"]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_whatever_the_text_it_is_a_value_or_an_expr_error_with_a_place_in_it(text: str) -> None:
    for compiled in (compile_expr, compile_string):
        error, found = None, None
        try:
            found = compiled(text)
        except ExprError as wrong:
            error = wrong
        if error is not None:
            assert 1 <= error.column <= len(text) + 1
            assert error.what
            continue
        with suppress(Runaway, ExprFailure, Unknown):
            value = found.truth(Request()) if compiled is compile_expr else found.value(Request())
            assert isinstance(value, bool if compiled is compile_expr else str)


def test_equal_texts_are_compiled_once() -> None:
    assert compile_expr("-n 'once'") is compile_expr("-n " + "'once'")


def test_captures_come_in_and_go_out() -> None:
    captures = Captures(("ab", "a"))
    assert compile_expr("$1 == 'a' && 'xyz' =~ /y(z)/").truth(Request(), captures)
    assert captures.groups == ("yz", "z")
    assert compile_string("<$1>").value(Request(), captures) == "<z>"


def test_captures_of_one_request_are_not_seen_by_the_next() -> None:
    setting = compile_expr("$1 == 'b' || 'b' !~ /(b)/")
    assert not setting.truth(Request())
    assert not setting.truth(Request())


def test_what_is_decided_is_not_evaluated() -> None:
    request = Request()
    assert compile_expr("true || -n %{REQUEST_URI}").truth(request)
    assert not compile_expr("false && -f '/x'").truth(request)
    assert request.asked == []


def test_detail_tells_each_comparison_that_was_made_with_its_values() -> None:
    detail: list[str] = []
    text = "%{REQUEST_METHOD} == 'POST' || -R '127.0.0.0/8' && 'é' !~ /(x)/i && 'a' in {'b'} || false"
    compile_expr(text).truth(Request(), None, detail)
    assert detail == [
        '"GET" == "POST": false',
        "127.0.0.1 -R 127.0.0.0/8: true",
        '"é" !~ (x) [i]: true',
        '"a" -in {"b"}: false',
    ]


def test_a_fact_that_is_not_there_yet_passes_through() -> None:
    with pytest.raises(Unknown) as unknown:
        compile_expr("-F '/x'").truth(Request())
    assert unknown.value.key == ("file", "-F", "/x")


def test_a_file_that_cannot_be_read_fails_the_expression() -> None:
    assert compile_expr("file('/etc/colour') == 'red'").truth(Request())
    with pytest.raises(ExprFailure, match="/no/such"):
        compile_expr("file('/no/such') == ''").truth(Request())


def test_a_runaway_pattern_is_stopped() -> None:
    with pytest.raises(Runaway):
        compile_expr("'" + "a" * 40 + "!' =~ /^(a+)+$/").truth(Request())
    with pytest.raises(ExprFailure, match="more than 1000 times"):
        compile_expr("-n sub(s/a/b/g, '" + "a" * 2000 + "')").truth(Request())


def test_the_constant_of_a_text_is_known_without_a_request() -> None:
    assert compile_string("é").constant == "\xc3\xa9"
    assert compile_string("%{REQUEST_URI}").constant is None


@given(st.text("ab*?[]!^-\\/", max_size=8), st.text("ab*[]-/", max_size=8), st.booleans())
def test_a_star_alone_matches_everything_and_signs_never_fail(pattern: str, text: str, path: bool) -> None:
    assert isinstance(functions.glob(pattern, text, path), bool)
    assert functions.glob("*", text)
    assert functions.glob(f"*{text.replace('[', chr(92) + '[').replace('*', '?')}", text)
