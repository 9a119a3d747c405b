"""What is told of rules before they are in force: each fault once, at its place, with what to do."""

from __future__ import annotations

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.errors import Address, errors
from proxy_core.rules.lint.rewrites import looks_runaway
from proxy_core.rules.lint.site import lint
from tests.semantics.rewrite_sites import SITES, cond, rule

LISTENER = '[listeners.http]\naddress = "127.0.0.1:0"\n'
ROUTE = '[[routes]]\npath = "/svc"\nproxy = "http://one/svc"\n'


def env(**said: str) -> str:
    return "[[env]]\nname = 'X'\n" + "".join(f"{key} = {value}\n" for key, value in said.items())


def table(name: str, said: str) -> str:
    return f"[maps.{name}]\n{said}\n"


USED = rule("^/used", "http://one/${m:x}", "P")

FAULTS: list[tuple[str, Address, str, str]] = [
    # Errors: what does not compile, or names what is not there.
    (rule("^(a", "/b", "PT"), ("rewrites", "a", "pattern"), "error", "missing closing parenthesis, at character 4"),
    (rule("^/a", "/b", "PTT"), ("rewrites", "a", "flags"), "error", 'no flag "PTT"'),
    (rule("^/a", "http://h/", "P") + "folder = 'f'\n", ("rewrites", "a", "folder"), "error", "a path in it"),
    (rule("^/a", "/b", "R=418"), ("rewrites", "a", "flags"), "error", "418"),
    (rule("^/a", "/b", "S=x"), ("rewrites", "a", "flags"), "error", "number"),
    (rule("^/a", "/b", "BNE"), ("rewrites", "a", "flags"), "error", "characters"),
    (rule("^/a", "http://one/${mm:x}", "P"), ("rewrites", "a", "substitution"), "error", 'no map "mm"'),
    (rule("^/a", "balancer://nope/x", "P"), ("rewrites", "a", "substitution"), "error", 'no balancer "nope"'),
    ("[[rewrites]]\npattern = '^/a'\nhost = 'h'\n", ("rewrites", "a", "host"), "error", 'no host "h"'),
    (
        rule("^/a", "/b", "PT", conditions=cond("x", "^(", "NC")),
        ("rewrites", "a", "conditions", "x", "pattern"), "error", "does not compile",
    ),
    (
        rule("^/a", "/b", "PT", conditions=cond("x", "y", "ND")),
        ("rewrites", "a", "conditions", "x", "flags"), "error", 'no flag "ND"',
    ),
    (
        rule("^/a", "/b", "PT", conditions=cond("expr", "%{REQUEST_URI} =~")),
        ("rewrites", "a", "conditions", "expr", "pattern"), "error", "character",
    ),
    (env(**{"from": "'x'"}, transform="['sha2']"), ("env", "X", "transform"), "error", "sha256"),
    (env(**{"from": "'x'"}, capture="'('"), ("env", "X", "capture"), "error", "does not compile"),
    (env(**{"from": "'x'"}, expr="'true'"), ("env", "X", "expr"), "error", "looks for itself"),
    (env(expr="'tru'"), ("env", "X", "expr"), "error", "character"),
    (env(capture="'x'"), ("env", "X"), "error", "comes from"),
    (USED + table("m", "type = 'txt'\nfile = 'x'\nentries = {a = 'b'}"), ("maps", "m"), "error", "both file and"),
    (USED + table("m", "type = 'prg'"), ("maps", "m"), "error", "no command"),
    (USED + table("m", "type = 'int'\nfunction = 'escape'\nfile = 'x'"), ("maps", "m", "file"), "error", "nothing to"),
    (USED + table("m", "type = 'dbd'\ndsn = 'sqlite:x'\nquery = 'x'"), ("maps", "m", "query"), "error", "%s"),
    ("[[locations]]\npath_regex = '('\n", ("locations", "locations", "path_regex"), "error", "does not compile"),
    ("[hosts.h]\nnames = ['x']\nlisteners = ['htp']\n", ("hosts", "h", "listeners"), "error", "did you mean http"),
    ("[[locations]]\nid = 'l'\npath = '/'\nfollow_links = 'none'\n", ("locations", "l", "follow_links"), "error",
     "folder alone"),
    # Warnings: what works but hardly means what it says.
    (rule("^/a", "http://one/", "P", "R"), ("rewrites", "a", "flags"), "warning", "R has no say"),
    (rule("^/a", "http://one/", "P", "PT"), ("rewrites", "a", "flags"), "warning", "nothing to pass on"),
    (rule("^/a(", "http://one/", "P") + "enabled = false\n", ("rewrites", "a", "pattern"), "warning", "not compile"),
    (USED + table("m", "type = 'txt'"), ("maps", "m"), "warning", "is empty"),
    (rule("^/a(b)", "http://one/$2", "P"), ("rewrites", "a-b", "substitution"), "warning", "$2 is always empty"),
    (rule("^/a", "http://one/a%20b", "P"), ("rewrites", "a", "substitution"), "warning", r"write \%2"),
    (rule("^/a", "http://one/%{HTTP_HOTS}", "P"), ("rewrites", "a", "substitution"), "warning", "%{HTTP_HOST}"),
    (rule("^/a(.*)", "http://one/?q=$1", "P"), ("rewrites", "a", "flags"), "warning", "add B"),
    (rule("^/a(b+)+$", "/b", "PT"), ("rewrites", "a-b", "pattern"), "warning", "for ever"),
    (rule("^/a", "/b", "L"), ("rewrites", "a", "flags"), "warning", "add PT"),
    (rule("^/a", "/b", "P"), ("rewrites", "a", "substitution"), "warning", "go round"),
    (rule("^/a", "/b", "F"), ("rewrites", "a", "substitution"), "warning", "write -"),
    (rule("^/a", "-", "R=301"), ("rewrites", "a", "flags"), "warning", "changes nothing"),
    (rule("^/a", "-", "T=text/plain"), ("rewrites", "a", "flags"), "warning", "has no effect"),
    (rule("^/a", "-", "F") + rule("^/ab", "-", "G"), ("rewrites", "ab", "pattern"), "warning", "never matches"),
    (rule("^/svc/(.*)", "http://one/$1", "P") + ROUTE, ("rewrites", "svc", "pattern"), "warning", "not by both"),
    (
        rule("^/a", "-", "F", conditions=cond("x", "y", "OR")),
        ("rewrites", "a", "conditions", "x", "flags"), "warning", "remove OR",
    ),
    (
        rule("^/a", "-", "F", conditions=cond("x", "-f", "NC")),
        ("rewrites", "a", "conditions", "x", "flags"), "warning", "NC means nothing",
    ),
    (table("m", "type = 'txt'\nfile = 'x'"), ("maps", "m"), "warning", "no rule looks"),
    ("[hosts.h]\n", ("hosts", "h"), "warning", "no names"),
    ("[hosts.h]\nnames = ['x']\n[hosts.i]\nnames = ['X']\n", ("hosts", "i", "names"), "warning", "host h too"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "address", "severity", "words"), FAULTS)
def test_a_fault_is_told_at_its_place(text: str, address: Address, severity: str, words: str) -> None:
    site = parse("version = 1\n" + LISTENER + text).site
    assert site is not None
    told = [problem for problem in lint(site) if problem.address == address]
    assert [problem.severity for problem in told] == [severity], lint(site)
    assert words in f"{told[0].what}, {told[0].todo}"


SOUND = [
    rule("^/a/(.*)", "/$1") + "folder = 'f'\n",
    rule("^/a", "http://one/x?new=1", "P"),
    rule("^/a(.*)", "/b$1", "PT"),
    rule("^/a", "/b") + rule("^/b", "http://one/", "P"),
    rule("^/a/", "-", "F") + rule("^/ab", "-", "G"),
    rule("^/a", "-", "F", conditions=cond("%{QUERY_STRING}", "x")) + rule("^/ab", "-", "G"),
    rule("^/a", r"http://one/a\%20b", "P", "NE"),
    rule("^/svc2/(.*)", "http://one/$1", "P") + ROUTE,
    # What is for a part of a route alone, or at times, is meant.
    rule("^/svc/no$", "-", "F") + ROUTE,
    rule("^/svc/no", "-", "F") + ROUTE,
    rule("^/svc/(.*)", "http://one/$1", "P", conditions=cond("%{HTTP:Upgrade}", "=websocket", "NC")) + ROUTE,
    rule("^/svc/plain", "-", "L") + rule("^/svc/(.*)", "http://one/$1", "P") + ROUTE,
    rule("^/a", "-", "S=1") + rule("^/", "-", "F") + rule("^/ab", "-", "G"),
    rule("^/x", "-", "F") + rule("^/a(.*)", "/x$1") + rule("^/xy", "-", "G"),
    # A redirect is no path that would be refused.
    rule("^/pub(.*)", "https://one/a/$1", "R") + ROUTE,
    rule("^/?(.*)", "http://one/$1", "P"),
    rule("^/(?!x)(.*)", "http://one/$1", "P"),
    USED + table("m", "type = 'int'\nfunction = 'escape'"),
    "[balancers.b]\nmethod = 'hash'\nkey = '${m:%{REMOTE_ADDR}|x}'\n" + table("m", "type = 'txt'\nfile = 'x'"),
    env(**{"from": "'%{REMOTE_ADDR}'"}, transform="['sha1', 'hex']", capture="'^(.)'"),
]


@pytest.mark.parametrize("text", SOUND)
def test_nothing_is_told_of_what_is_sound(text: str) -> None:
    site = parse("version = 1\n" + LISTENER + text).site
    assert site is not None
    assert [p for p in lint(site) if p.address[0] in ("rewrites", "maps", "env")] == []


@pytest.mark.parametrize("name", SITES)
def test_the_sites_of_the_tables_have_no_errors_but_those_that_they_are_about(name: str) -> None:
    told = [problem.what for problem in errors(lint(SITES[name]))]
    assert told in ([], ['there is no balancer "nopair"'], ['there is no map "nope"'])


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("(a+)+", True),
        ("(a|b)*", True),
        ("^/([a-z]+/)*x", True),
        ("^/a/(.*)/b", False),
        ("(a+)?", False),
        (r"(\+)+", False),
        ("([*+])+", False),
        ("(?:ab)*", False),
    ],
)
def test_repetitions_in_repetitions_look_as_if_they_could_run_away(text: str, looks: bool) -> None:
    assert looks_runaway(text) is looks
