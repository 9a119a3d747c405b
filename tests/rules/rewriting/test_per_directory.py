"""Sections about files, and rewrite rules of sections: mod_rewrite's ``hook_fixup``, core's ``ap_directory_walk``.

What they mean was asked of the real httpd: tests/conformance/imports/sections.conf, sections-places.conf, folders.conf.
"""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward, Redirect, Respond
from proxy_core.rules.facts import Facts
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read

SITE = """
[site]
document_root = "www"

[[routes]]
path = "/p"
proxy = "http://one/in"

[[routes]]
path = "/al"
folder = "/srv/al"
"""


def rule(location: str, pattern: str, substitution: str, *flags: str) -> str:
    return (
        f"[[rewrites]]\nlocation = '{location}'\npattern = '{pattern}'\nsubstitution = '{substitution}'\n"
        f"flags = {list(flags)}\n"
    )


def location(name: str, where: str, more: str = "") -> str:
    return f"[[locations]]\nid = '{name}'\n{where}\n{more}\n"


def asked(text: str, target: str, known: dict[tuple[str, str, str], str | None] | None = None) -> str:
    """What becomes of a request, in a word or two."""
    view = RequestView(b"GET", target.encode(), b"h", "127.0.0.1", head=b"GET / HTTP/1.1\r\n\r\n")
    facts = Facts(known or {}, lambda fact: (True, f"/site/{fact[2]}" if fact[0] == "whole" else None))
    decision = decide(compile_site(read(SITE + text), Registry(), 1).program, view, facts, None)
    match decision:
        case Forward():
            below = decision.target.decode().partition("/")[2].partition("/")[2]
            return f"file {below}" if decision.route.folder else f"{decision.route.pool}{decision.target.decode()}"
        case Redirect():
            return f"{decision.status} {decision.location.decode()}"
        case Respond():
            return str(decision.status)
    return str(decision)


P = location("p", 'path = "/p"')
WWW = location("www", 'folder = "www"')
RULES = [
    ("rules of a section see where a request is forwarded to", P + rule("p", "^proxy:http://one/in/x y$", "-", "F"),
     "/p/x%20y", "403"),
    ("they are not tried for others", P + rule("p", "^", "-", "F"), "/q", "file q"),
    ("a rule of the server is not one of a section", P + rule("p", "^/p", "-", "F"), "/p/x", "http://one/in/x"),
    ("[P] forwards elsewhere", P + rule("p", "in/(.*)", "http://two/$1", "P"), "/p/x?q", "http://two/x?q"),
    ("a URL is a redirect", P + rule("p", "in/(.*)", "http://two/$1", "R=301"), "/p/x", "301 http://two/x"),
    ("a path is looked up anew", P + rule("p", "a$", "/al/b"), "/p/a", "file b"),
    ("with the rules that hold there", P + rule("p", "a$", "/p/b", "L") + rule("p", "b$", "-", "G"), "/p/a", "410"),
    ("[END] is the end of them", P + rule("p", "a$", "/p/b", "END") + rule("p", "b$", "-", "G"), "/p/a",
     "http://one/in/b"),
    ("[END] of the server's too", P + rule("p", ".", "-", "G") + rule("", "^", "-", "END"), "/p/a", "http://one/in/a"),
    ("a path that stays the same is no change", WWW + rule("www", "^a$", "a", "L"), "/a", "file a"),
    ("a path that goes round is an error", P + rule("p", "a$", "/p/a"), "/p/a", "500"),
    ("the last section that has rules counts", P + location("q", 'path = "/p/q"') + location("r", 'path = "/p/q/r"')
     + rule("p", ".", "-", "F") + rule("q", ".", "-", "G"), "/p/q/r", "410"),
    ("who may not ask meets no rules", location("p", 'path = "/p"', 'require = ["all denied"]')
     + rule("p", ".", "http://two/", "R"), "/p/x", "403"),
    ("rules of a folder see names from there", WWW + rule("www", "^old/(.*)$", "/new/$1", "L"), "/old/x", "file new/x"),
    ("a folder is not what is forwarded", WWW + rule("www", ".", "-", "F"), "/p/x", "http://one/in/x"),
    ("a folder in it has names from there", location("s", 'folder = "www/s"') + rule("s", "^x$", "-", "F"), "/s/x",
     "403"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "target", "becomes"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_rules_of_sections(text: str, target: str, becomes: str) -> None:
    assert asked(text, target) == becomes


def test_conditions_of_a_folder_know_the_whole_file() -> None:
    text = WWW + rule("www", "^(.*)$", "http://two/$1", "P")
    text += "conditions = [{ test = '%{REQUEST_FILENAME}', pattern = '!-f' }]\n"
    assert asked(text, "/x", {("file", "-f", "/site/www/x"): None}) == "http://two/x"
    assert asked(text, "/x", {("file", "-f", "/site/www/x"): "1"}) == "file x"


def test_variables_go_along_with_another_name() -> None:
    text = (
        P
        + rule("p", "a$", "/p/b", "L", "E=A:1")
        + rule("p", "b$", "http://two/%{ENV:REDIRECT_A}%{ENV:REDIRECT_STATUS}%{ENV:REDIRECT_URL}", "P")
    )
    assert asked(text, "/p/a") == "http://two/1200"


FOLDERS = [
    ('folder = "www"', "/x", True),
    ('folder = "www"', "/al/x", False),
    ('folder = "www/s"', "/s", True),
    ('folder = "www/s"', "/s/x", True),
    ('folder = "www/s"', "/sx", False),
    ('folder = "www/*/t"', "/s/t/x", True),
    ('folder = "www/*/t"', "/s/s/t", False),
    ('folder = "."', "/x", True),
    ('folder = "."', "/al/x", False),
    ('folder = "/"', "/x", True),
    ('folder = "/srv/al"', "/al/x", True),
    ("files = '\\.bak$'", "/s/x.bak", True),
    ("files = '\\.bak$'", "/s.bak/x", False),
    ("files = '^x'", "/al/x", True),
    ("folder = 'www'\nfiles = '^x'", "/al/x", False),
    ("files = '^x'", "/p/x", False),
]


@pytest.mark.parametrize(("where", "target", "holds"), FOLDERS)
def test_a_row_for_files_holds_for_what_is_served_from_there(where: str, target: str, holds: bool) -> None:
    assert (asked(location("l", where, 'require = ["all denied"]'), target) == "403") is holds


def test_deeper_folders_win_and_then_names_and_then_paths() -> None:
    rows = [
        location("deep", 'folder = "www/s"', 'require = ["all granted"]'),
        location("root", 'folder = "www"', 'require = ["all denied"]'),
    ]
    assert [asked("".join(rows), target) for target in ("/s/x", "/x")] == ["file s/x", "403"]
    rows.insert(0, location("name", 'files = "x"', 'require = ["all denied"]'))
    assert asked("".join(rows), "/s/x") == "403"
    rows.insert(0, location("path", 'path = "/s"', 'require = ["all granted"]'))
    assert asked("".join(rows), "/s/x") == "file s/x"


EXPR = "%{HTTP:X} == '1'"
NOBODY = 'require = ["all denied"]'
MORE = [
    ("rows with an expression hold where it does", location("l", f'path = "/p"\nexpr = "{EXPR}"', NOBODY),
     "200", "403"),
    ("and win over all others", location("l", f'path = "/"\nexpr = "{EXPR}"', 'require = ["all granted"]')
     + location("k", 'path = "/p"', 'require = ["all denied"]'), "403", "200"),
    ("a target may be told by a pattern", location("l", "target_regex = 'in/x$'", NOBODY), "403", "403"),
    ("which sees the whole URL", location("l", "target_regex = '^/'", 'require = ["all denied"]'), "200", "200"),
    ("a variable of a section counts for require", location("l", 'path = "/p"', 'require = ["env V"]')
     + "[[env]]\nlocation = 'l'\nname = 'V'\nfrom = '%{HTTP:X}'\ncapture = '1'\n", "403", "200"),
    ("and for no other section", location("l", 'path = "/q"') + location("k", 'path = "/p"', 'require = ["env V"]')
     + "[[env]]\nlocation = 'l'\nname = 'V'\nvalue = 'x'\n", "403", "403"),
    *((f"merging {how}", location("l", 'path = "/"', f"require = [\"expr {EXPR}\"]")
       + location("k", 'path = "/p"', f"merging = '{how}'\nrequire = ['{then}']"), without, with_it)
      for how, then, without, with_it in [
          ("off", "all granted", "200", "200"),
          ("and", "all granted", "403", "200"), ("and", "all denied", "403", "403"),
          ("or", "all denied", "403", "200"), ("or", "all granted", "200", "200")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "without", "with_it"), [row[1:] for row in MORE], ids=[row[0] for row in MORE])
def test_expressions_variables_and_merging_of_sections(text: str, without: str, with_it: str) -> None:
    program = compile_site(read(SITE + text), Registry(), 1).program

    def status(field: str) -> str:
        view = RequestView(b"GET", b"/p/x", b"h", "127.0.0.1", head=f"GET /p/x HTTP/1.1\r\n{field}\r\n".encode())
        decision = decide(program, view, Facts(), None)
        return str(decision.status) if isinstance(decision, Respond) else "200"

    assert (status(""), status("X: 1\r\n")) == (without, with_it)


def test_a_rule_names_a_row_that_is_there_and_a_row_for_files_wants_some() -> None:
    told = [str(each) for each in lint(read(SITE + rule("no", "^", "-", "F")))]
    assert any('no location "no"' in each for each in told)
    plain = "[[routes]]\npath = '/'\nproxy = 'http://one'\n"
    told = [each.what for each in lint(read(plain + location("l", "files = 'x'", "timeout = 1")))]
    assert "the row is for files, and the site serves none" in told


def test_a_rule_that_forwards_has_the_options_of_its_site() -> None:
    text = SITE.replace("[site]\n", '[site]\npreserve_host = true\nerror_override = true\noverride_codes = ["502"]\n')
    text += rule("", "^/r", "http://two/", "P")
    view = RequestView(b"GET", b"/r", b"h", "127.0.0.1", head=b"GET / HTTP/1.1\r\n\r\n")
    decision = decide(compile_site(read(text), Registry(), 1).program, view, Facts(), None)
    assert isinstance(decision, Forward)
    assert (decision.route.preserve_host, decision.route.hides(502), decision.route.hides(404)) == (True, True, False)
