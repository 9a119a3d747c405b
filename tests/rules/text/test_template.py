"""Texts are filled in to the byte as mod_rewrite does it, and what a lookup gives is never read again."""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.facts import Facts
from proxy_core.rules.text import template
from proxy_core.rules.text.variables import Scope

MAPS = {("m", "k"): "v", ("m", "$1"): "never", ("m", "b"): "%{REMOTE_ADDR}"}


def scope() -> Scope:
    def ask(fact: tuple[str, str, str]) -> tuple[bool, str | None]:
        return True, MAPS.get(fact[1:])

    view = RequestView(b"GET", b"/", b"", "192.0.2.1")
    return Scope(view, Facts(ask=ask), "/", None, rule=("ab", "b", None), condition=("c",))


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("$0-$1-$2-$9-%0-%1", "ab-b---c-"),
        (r"\$1\%{X}", "$1%{X}"),
        ("%{REMOTE_ADDR}!", "192.0.2.1!"),
        ("%{NO_SUCH}", ""),
        ("${m:k}${m:x|d}${m:x}", "vd"),
        ("${m:x|${m:k}}", "v"),
        ("${m:$1}", "%{REMOTE_ADDR}"),
        ("${m}", "${m}"),
        ("%{open", "%{open"),
        ("$x", "$x"),
        ("é$1", "Ã©b"),
    ],
)
def test_a_text_is_filled_in(text: str, filled: str) -> None:
    assert template.compile(text).expand(scope()) == filled


def test_only_what_groups_hold_is_escaped() -> None:
    assert template.compile("a$1%{REMOTE_ADDR}%0").expand(scope(), str.upper) == "aB192.0.2.1C"


@pytest.mark.parametrize(("text", "unsafe"), [("/$1?x", False), ("/a", False), ("/$3", True), (r"/a\?$3", True)])
def test_a_question_mark_from_a_request_is_seen(text: str, unsafe: bool) -> None:
    asked = scope()
    asked.rule = ("", "x", "", "y?z")
    assert template.compile(text).expand_watching(asked, None, False)[1] is unsafe


def test_a_text_says_what_stands_in_it() -> None:
    assert template.compile("${m:$1|%{X}}%2").names == (
        ("map", "m"), ("rule", "1"), ("variable", "X"), ("condition", "2"),
    )  # fmt: skip
