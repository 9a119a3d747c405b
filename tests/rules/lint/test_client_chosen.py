"""A client may not choose the host that a rule forwards to: it would reach all that this machine reaches."""

from __future__ import annotations

import pytest

from proxy_core.rules.lint.site import lint
from tests.semantics.rewrite_sites import cond, read, rule

MAPS = '[maps.known]\ntype = "txt"\nentries = { a = "x" }\n[maps.lower]\ntype = "int"\nfunction = "tolower"\n'
HOST, LISTED = cond("%{HTTP_HOST}", "^(.+)$"), cond("%{HTTP_HOST}", r"^(a|b)\.example$")


def warned(pattern: str, made: str, conditions: str = "", more: str = "") -> bool:
    site = read(rule(pattern, made, "P", conditions=conditions) + MAPS + more)
    told = [each for each in lint(site) if "clients choose the host" in each.what]
    assert all(each.address[-1] == "substitution" and each.severity == "warning" for each in told)
    return bool(told)


@pytest.mark.parametrize(
    ("pattern", "made", "conditions"),
    [
        ("^/x/(.*)$", "http://$1", ""),
        ("^/y(.*)$", "http://backend$1", ""),
        ("^/x/([^/]*)/(.*)$", "http://$1/$2", ""),
        ("^/x/([^/]*)/(.*)$", "https://$1:8443/$2", ""),
        ("^/x/(.*)$", "http://one.example:$1", ""),
        ("^/x/(.*)$", "$1", ""),
        ("^/", "http://%{HTTP_HOST}/", ""),
        ("^/", "http://%{HTTP:X-Backend}/", ""),
        ("^/", "http://%{SERVER_NAME}/", ""),
        ("^/", "http://%1/", HOST),
        ("^/", "http://%{HTTP_HOST}/", HOST),
        ("^/", "http://${lower:%{HTTP_HOST}}/", ""),
        ("^/x/(.*)$", "http://${known:$1|$1}/", ""),
        ("^/x/([^/]+)", "http://${known:$1|%{HTTP_HOST}}/", ""),
        ("^/", "ws://%{HTTP_HOST}%{REQUEST_URI}", ""),
    ],
)
def test_a_host_that_a_client_chooses_is_told(pattern: str, made: str, conditions: str) -> None:
    assert warned(pattern, made, conditions)


@pytest.mark.parametrize(
    ("pattern", "made", "conditions"),
    [
        ("^/x/(.*)$", "http://backend/$1", ""),
        ("^/y(/.*)$", "http://backend$1", ""),
        ("^/y(/.*)?$", "http://backend$1", ""),
        ("^(.*)$", "http://backend$1", ""),
        ("^/", "http://backend%{REQUEST_URI}", ""),
        ("^/(blue|green)/", "http://$1.example/", ""),
        ("^/(blue|green)/", "http://$1/", ""),
        ("^/app([0-9]+)/", "http://app$1.example/", ""),
        ("^/", "http://%1.example/", LISTED),
        ("^/", "http://%{HTTP_HOST}/", LISTED),
        ("^/x/(.*)$", "http://${known:$1}/", ""),
        ("^/x/(.*)$", "http://${known:$1|one.example}/", ""),
        ("^/x/(.*)$", "http://$1/", cond("$1", "^(a|b)$")),
        ("^/", "http://%{ENV:BACKEND}/", ""),
        ("^/", "http://backend/%{HTTP_HOST}", ""),
        ("^/", "http://backend/?h=%{HTTP_HOST}", ""),
    ],
)
def test_a_host_that_is_chosen_from_a_few_is_not(pattern: str, made: str, conditions: str) -> None:
    assert not warned(pattern, made, conditions)


def test_a_name_of_our_own_is_chosen_by_nobody() -> None:
    assert not warned("^/", "http://%{SERVER_NAME}/", more="[site]\ncanonical_name = true\n")
