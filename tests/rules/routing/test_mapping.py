"""Variables in the target of a route, as mod_proxy has them (tests/conformance/imports/interpolate.conf)."""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward, Respond
from proxy_core.rules.facts import Facts
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read

ENV = "[[env]]\nname = 'A'\nfrom = '%{HTTP:A}'\ncapture = '(.+)'\n"


def route(proxy: str, where: str = 'path = "/p"', more: str = "interpolate = true") -> str:
    return f"[[routes]]\n{where}\nproxy = '{proxy}'\n{more}\n"


ROWS = [
    (ENV + route("http://h/${A}/x"), "a", "/a/x/r"),
    (ENV + route("http://h/${a}"), "a b?", "/a%20b%3F/r"),
    (ENV + route("http://h/${A}${B}"), "", "//r"),
    (ENV + route("http://h/${A}", more=""), "a", "/$%7BA%7D/r"),
    (ENV + route("http://h/${A}/$1", "path_regex = '^/p/(.*)'"), "$1", "/$1/r"),
    (route("http://h/${A}"), "a", "//r"),
    (ENV + route("http://h/x/${A}"), "../up", "400"),
    (ENV + route("http://h/x/${A}"), "a/.", "400"),
    (ENV + route("http://h/x/${A}"), r"..\up", "400"),
    (ENV + route("http://h/x/${A}"), "%2e%2E/up", "400"),
    (ENV + route("http://h/x/${A}"), "a%2f..%2fup", "400"),
    (ENV + route("http://h/x/${A}"), "%252e%252e", "400"),
    (ENV + route("http://h/x/${A}"), "a..b", "/x/a..b/r"),
]


@pytest.mark.parametrize(("text", "value", "becomes"), ROWS)
def test_a_variable_goes_into_the_path_and_never_out_of_it(text: str, value: str, becomes: str) -> None:
    head = f"GET /p/r HTTP/1.1\r\nA: {value}\r\n\r\n".encode()
    program = compile_site(read(text), Registry(), 1).program
    decision = decide(program, RequestView(b"GET", b"/p/r", b"h", "127.0.0.1", head=head), Facts(), None)
    assert isinstance(decision, Forward | Respond)
    assert (decision.target.decode() if isinstance(decision, Forward) else str(decision.status)) == becomes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (route("http://${A}/"), "would let clients choose"),
        (route("http://h/${A}", more='interpolate = true\nmapping = "encoded"'), "before variables are set"),
        ('[[routes]]\npath = "/"\nexcept = true\ninterpolate = true\n', "forwards nothing"),
    ],
)
def test_what_cannot_be_interpolated_is_an_error(text: str, told: str) -> None:
    assert any(told in each.what for each in lint(read(text)) if each.severity == "error")
