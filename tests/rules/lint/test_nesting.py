"""Whatever nests without end in a site file is a problem with its place, never the end of the stack or of patience."""

from __future__ import annotations

from time import monotonic

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.rules.lint.site import lint

BASE = """version = 1
[listeners.http]
address = "127.0.0.1:8080"
[[routes]]
path = "/"
proxy = "http://127.0.0.1:1"
"""


def route(pattern: str) -> str:
    return f"[[routes]]\npath_regex = '{pattern}'\nproxy = \"http://127.0.0.1:1\"\n"


def rewrite(substitution: str) -> str:
    return (
        f'[maps.m]\ntype = "int"\nfunction = "tolower"\n[[rewrites]]\npattern = "^"\nsubstitution = "{substitution}"\n'
    )


def access(tables: int, times: int = 1) -> str:
    """Tables of access, each of which names the next one so many times."""
    rows = "".join(f"[access.a{n}]\nrequire = {[f'access a{n + 1}'] * times!r}\n" for n in range(tables))
    return f"[site]\nrequire = ['access a0']\n{rows}[access.a{tables}]\nrequire = ['all granted']\n"


def expression(text: str) -> str:
    return f'[[locations]]\npath = "/"\nexpr = """{text}"""\nmax_body = 1\n'


PASSWORD = '[auth.u]\nrealm = "x"\nfile = "users"\n[[locations]]\npath = "/"\nauth = "u"\nrequire = ["valid-user"]\n'

DEEP = {
    "groups": (route("(" * 3000 + "a" + ")" * 3000), 8, "parentheses are too deeply nested"),
    "groups that keep nothing": (route("(?:" * 3000 + "a" + ")" * 3000), 8, "parentheses are too deeply nested"),
    "looks ahead": (route("(?=" * 3000 + ")" * 3000), 8, "parentheses are too deeply nested"),
    "a pattern that PCRE takes for no text": (route("a?" * 20_000), 8, "not supported by the JIT"),
    "maps in keys": (rewrite("${m:" * 2000 + "a" + "}" * 2000), 12, "deeper than 20 levels"),
    "maps in defaults": (rewrite("${m:a|" * 2000 + "}" * 2000), 12, "deeper than 20 levels"),
    "tables of access": (access(1500), 8, "deeper than 20 levels"),
    "tables of access that double": (access(19, 2), 8, "more than 10000 conditions"),
    "tables of access around a password": (access(1500) + PASSWORD, 8, "deeper than 20 levels"),
    "tables of access that double around a password": (access(19, 3) + PASSWORD, 8, "more than 10000 conditions"),
    "not": ('[access.a]\nmatch = "all"\nrequire = ["' + "not " * 3000 + 'ip 10"]\n', 9, '"not" is no condition'),
    "parentheses": (expression("(" * 3000 + "true" + ")" * 3000), 9, "nested deeper than 20"),
    "functions": (expression("tolower(" * 3000 + "'a'" + ")" * 3000 + " == 'a'"), 9, "nested deeper than 20"),
    "texts in texts": (expression("'" + "%{:" * 3000), 9, "nested deeper than 20"),
    "lists": (expression("'a' in " + "split(/a/, " * 3000), 9, "nested deeper than 20"),
}


@pytest.mark.parametrize("name", DEEP)
def test_what_nests_too_deeply_is_told_at_its_place(name: str) -> None:
    text, line, words = DEEP[name]
    document = parse(BASE + text)
    assert document.site is not None
    found = [document.located(each) for each in lint(document.site) if words in each.what]
    assert (found[0].line, found[0].severity) == (line, "error")


LONG = {
    "groups within the bound": route("(" * 20 + "a" + ")" * 20),
    "groups that PCRE reads": route("(" * 200 + "a" + ")" * 200),
    "braces without an end": rewrite("${m:" * 20_000),
    "variables without an end": rewrite("%{" * 20_000),
    "not": expression("!" * 30_000 + "true"),
    "or": expression(" || ".join(["true"] * 20_000)),
    "parts of a text": expression(".".join(["'a'"] * 20_000) + " == 'a'"),
    "tables within the bound": access(19),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_only_long_is_read_in_time(name: str) -> None:
    begun = monotonic()
    document = parse(BASE + LONG[name])
    assert document.site is not None
    assert [each for each in lint(document.site) if each.severity == "error"] == []
    assert monotonic() - begun < 10
