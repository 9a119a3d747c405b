"""An edit changes exactly the lines that it means, and comments go where their rows go."""

from __future__ import annotations

import pytest

from proxy_core.config.editing import splice
from proxy_core.config.editing.site_edits import Delete, Edit, Insert, Move, Set, Unusable, edited
from proxy_core.config.reading.document import parse

SITE = """\
version = 1

# What holds everywhere.
[site]
timeout = 60  # seconds of silence
forwarded = 'append'

# A comment that stands free.

# The index stays here.
[[routes]]
id = "no-index"
path = "/service/index"
except = true

[[routes]]
path = "/service"
proxy = "balancer://backend/service"  # two members
# timeout = 5

# Free again.

# The rest.
[[routes]]
path = "/"
proxy = "http://127.0.0.1:9000/"

[balancers.backend]
method = "byrequests"

# The old machine.
[balancers.backend.members.a]
url = "http://127.0.0.1:8000"
weight = 2

[balancers.backend.members.b]
url = "http://127.0.0.1:8001"
# Twice the machine.
weight = 4
"""

FIRST = SITE[SITE.index("# The index") : SITE.index('[[routes]]\npath = "/service"')]
SECOND = SITE[SITE.index('[[routes]]\npath = "/service"') : SITE.index("# Free again")]
THIRD = SITE[SITE.index("# The rest") : SITE.index("[balancers.backend]")]
A = SITE[SITE.index("# The old") : SITE.index("[balancers.backend.members.b]")]
B = SITE[SITE.index("[balancers.backend.members.b]") :]

CASES: list[tuple[str, list[Edit], list[tuple[str, str]]]] = [
    ("a value keeps its trailing comment", [Set(("site", "timeout"), 30)], [("timeout = 60", "timeout = 30")]),
    ("an equal value changes nothing", [Set(("site", "timeout"), 60.0)], []),
    ("a value keeps its quotes", [Set(("site", "forwarded"), "trusted")], [("'append'", "'trusted'")]),
    (
        "a new key goes behind the last of its table",
        [Set(("site", "reverse"), "off")],
        [("forwarded = 'append'\n", "forwarded = 'append'\nreverse = \"off\"\n")],
    ),
    ("a whole number has no point", [Set(("site", "timeout"), 5.0)], [("timeout = 60", "timeout = 5")]),
    ("a deleted key takes its comment", [Delete(("balancers", "backend", "members", "b", "weight"))],
     [("# Twice the machine.\nweight = 4\n", "")]),
    ("a deleted row takes its comments, free ones stay", [Delete(("routes", "no-index"))], [(FIRST, "")]),
    ("a deleted row takes what hugs its last key", [Delete(("routes", "service"))], [(SECOND, "")]),
    ("a deleted table takes its comments", [Delete(("balancers", "backend", "members", "a"))], [(A, "")]),
    ("the last table of a file goes without leaving blank lines", [Delete(("balancers", "backend", "members", "b"))],
     [("\n" + B, "")]),
    ("a deleted balancer takes its members", [Delete(("balancers", "backend"))],
     [("\n" + SITE[SITE.index("[balancers.backend]") :], "")]),
    ("a row moves with its comments", [Move(("routes", "root"), "no-index")], [(THIRD, ""), (FIRST, THIRD + FIRST)]),
    ("a row moves to the end", [Move(("routes", "no-index"))], [(FIRST, ""), (THIRD, THIRD + FIRST)]),
    ("a row that is there already does not move", [Move(("routes", "no-index"), "service")], []),
    ("a new row stands between blank lines above its neighbour's comments",
     [Insert(("routes",), {"id": "x", "path": "/x", "except": True}, "root")],
     [("# The rest", '[[routes]]\nid = "x"\npath = "/x"\nexcept = true\n\n# The rest')]),
    ("a new last row stands behind the last row",
     [Insert(("routes",), {"path": "/x", "except": True})],
     [("[balancers.backend]", '[[routes]]\npath = "/x"\nexcept = true\n\n[balancers.backend]')]),
    ("a new member stands behind its siblings",
     [Set(("balancers", "backend", "members", "c"), {"url": "http://127.0.0.1:8002"})],
     [(B, B + '\n[balancers.backend.members.c]\nurl = "http://127.0.0.1:8002"\n')]),
    ("a table set as a whole changes only the keys that differ",
     [Set(("balancers", "backend", "members", "b"), {"url": "http://127.0.0.1:8001", "weight": 5, "retry": 1})],
     [("weight = 4\n", "weight = 5\nretry = 1\n")]),
    ("a key of a table that is not there makes the table",
     [Set(("console", "keys", "undo"), "z")],
     [(B, B + '\n[console]\nkeys = { undo = "z" }\n')]),
    ("a row that would lose the id made for it gets it written",
     [Set(("routes", "service", "path"), "/srv")],
     [('path = "/service"\nproxy = "balancer://backend/service"  # two members\n',
       'path = "/srv"\nproxy = "balancer://backend/service"  # two members\nid = "service"\n')]),
    ("several edits are one after the other",
     [Set(("site", "timeout"), 9), Delete(("site", "timeout")), Set(("site", "timeout"), 8)],
     [("timeout = 60  # seconds of silence\nforwarded = 'append'\n", "forwarded = 'append'\ntimeout = 8\n")]),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "changes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("ended", [True, False], ids=["newline at the end", "none"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
def test_an_edit_changes_only_what_it_means(edits, changes, newline, ended, mark) -> None:
    wanted = SITE
    for old, new in changes:
        assert wanted.count(old) == 1
        wanted = wanted.replace(old, new)

    def form(text: str) -> str:
        text = text if ended else text.removesuffix("\n")
        return mark + text.replace("\n", newline)

    got = edited(parse(form(SITE)), edits)
    assert got.text == form(wanted)
    assert not got.canonical


MEMBER = {"url": "http://h:2", "weight": 2.0}
ROUTE = {"path": "/x", "proxy": "http://h:1/"}
ROW = '[[routes]]\npath = "/"\nexcept = true\n'

# fmt: off
SPELLINGS: list[tuple[str, str, list[Edit], str]] = [
    ("the first row of an empty file", "", [Insert(("routes",), ROUTE)],
     '[[routes]]\npath = "/x"\nproxy = "http://h:1/"\n'),
    ("the first table below a comment", "# mine\n", [Set(("balancers", "b", "members", "a"), MEMBER)],
     '# mine\n\n[balancers.b.members.a]\nurl = "http://h:2"\nweight = 2\n'),
    ("the first key above tables", "# mine\n\n# s\n[site]\n", [Set(("version",), 1)],
     "# mine\n\nversion = 1\n\n# s\n[site]\n"),
    ("dotted keys are followed by dotted keys",
     '[balancers]\nb.members.a.url = "x" # c\n\n[console]\n',
     [Set(("balancers", "b", "members", "a", "weight"), 3), Set(("balancers", "b", "members", "c"), MEMBER)],
     '[balancers]\nb.members.a.url = "x" # c\nb.members.a.weight = 3\n'
     'b.members.c = { url = "http://h:2", weight = 2 }\n\n[console]\n'),
    ("inline tables are edited in place and followed by inline tables",
     '[balancers.b.members]\na = { url = "x", weight = 9 }  # one\nb = {}\n',
     [Delete(("balancers", "b", "members", "a", "weight")), Set(("balancers", "b", "members", "a", "retry"), 1),
      Set(("balancers", "b", "members", "b", "url"), "y"), Set(("balancers", "b", "members", "c"), MEMBER)],
     '[balancers.b.members]\na = { url = "x", retry = 1 }  # one\nb = { url = "y" }\n'
     'c = { url = "http://h:2", weight = 2 }\n'),
    ("rows as inline tables on lines of their own",
     'routes = [\n  # first\n  { path = "/a", except = true }, # x\n\n  { path = "/", proxy = "http://h:1/" }\n]\n',
     [Insert(("routes",), ROUTE, "root"), Move(("routes", "a")), Delete(("routes", "root"))],
     'routes = [\n\n  { path = "/x", proxy = "http://h:1/" },\n'
     '  # first\n  { path = "/a", except = true }, # x\n]\n'),
    ("rows as inline tables on one line",
     'routes = [{ path = "/a", except = true }, { path = "/", proxy = "x" }]\n',
     [Insert(("routes",), ROUTE, "root"), Move(("routes", "a")), Delete(("routes", "root"))],
     'routes = [{ path = "/x", proxy = "http://h:1/" }, { path = "/a", except = true }]\n'),
    ("elements of a list keep their comments",
     '[site]\ntrusted_proxies = [\n    "a", # office\n    # vpn\n    "b",\n    "c"\n]\n',
     [Set(("site", "trusted_proxies"), ["a", "x", "c", "d"])],
     '[site]\ntrusted_proxies = [\n    "a", # office\n    # vpn\n    "x",\n    "c",\n    "d",\n]\n'),
    ("rows without blank lines stay so", '[[routes]]\npath = "/a"\n[[routes]]\npath = "/"\n[console]\n',
     [Insert(("routes",), {"path": "/x"}, "root"), Move(("routes", "a"))],
     '[[routes]]\npath = "/x"\n[[routes]]\npath = "/"\n[[routes]]\npath = "/a"\n[console]\n'),
    ("a row takes its tables along, wherever they stand",
     '[[routes]]\npath = "/a"\n\n# s\n[site]\n\n# of a\n[routes.x]\ny = 1\n\n[[routes]]\npath = "/b"\n',
     [Move(("routes", "a"))],
     '# s\n[site]\n\n[[routes]]\npath = "/b"\n\n[[routes]]\npath = "/a"\n\n# of a\n[routes.x]\ny = 1\n'),
    ("a balancer whose last member goes stays, in its place",
     '[balancers.b.members.a]\nurl = "x"\n\n[console]\n', [Delete(("balancers", "b", "members", "a"))],
     "[balancers.b]\n\n[console]\n"),
    ("a table that only its tables imply gets a header above them",
     '# all\n[balancers.b.members.a]\nurl = "x"\n', [Set(("balancers", "b", "method"), "byrequests")],
     '[balancers.b]\nmethod = "byrequests"\n\n# all\n[balancers.b.members.a]\nurl = "x"\n'),
    ("a comment between two tables without blank lines belongs to the one below",
     "[site]\ntimeout = 1\n# of the console\n[console]\n", [Delete(("site",))], "# of the console\n[console]\n"),
    ("a list whose commas lead is edited all the same", '[site]\ntrusted_proxies = [\n  "a"\n  , "b"\n  , "c"\n]\n',
     [Set(("site", "trusted_proxies"), ["b", "c"])],
     '[site]\ntrusted_proxies = [\n  "b"\n  , "c"\n]\n'),
    ("a list whose commas stand alone is edited all the same", "[site]\ntrusted_proxies = [\n  'a'\n  ,\n  'b'\n]\n",
     [Set(("site", "trusted_proxies"), ["x", "a"])], "[site]\ntrusted_proxies = [\n  \"x\",\n  'a'\n]\n"),
    ("a row set as a whole keeps the name that was made for it", '[[routes]]\npath = "/x"\n',
     [Set(("routes", "x"), {"path": "/y"})], '[[routes]]\npath = "/y"\nid = "x"\n'),
    ("a tuple is a list", "[site]\n", [Set(("site", "trusted_proxies"), ("a", "b"))],
     '[site]\ntrusted_proxies = ["a", "b"]\n'),
    ("indented keys are followed by indented keys", "[site]\n  timeout = 1\n", [Set(("site", "reverse"), "off")],
     '[site]\n  timeout = 1\n  reverse = "off"\n'),
    ("a pattern becomes a literal string", "[[routes]]\nid = 'a'\n", [Set(("routes", "a", "path"), "/\\d")],
     "[[routes]]\nid = 'a'\npath = '/\\d'\n"),
    ("a second row of the same path leaves the first its name", '[[routes]]\npath = "/x"\n',
     [Insert(("routes",), {"path": "/x", "except": True}, "x")],
     '[[routes]]\npath = "/x"\nexcept = true\n\n[[routes]]\npath = "/x"\nid = "x"\n'),
    ("a row whose namesake goes keeps its own name", '[[routes]]\npath = "/x"\n\n[[routes]]\npath = "/x"\n',
     [Delete(("routes", "x"))], '[[routes]]\npath = "/x"\nid = "x-2"\n'),
    ("a text in quotes that looks like TOML is none", '[site]\na = """\n# no\n[b]\nc = 1\n"""\n\n[b]\nc = 1\n',
     [Set(("b", "c"), 2), Delete(("site", "a"))], "[site]\n\n[b]\nc = 2\n"),
]
# fmt: on


@pytest.mark.parametrize(("before", "edits", "after"), [case[1:] for case in SPELLINGS], ids=[c[0] for c in SPELLINGS])
def test_an_edit_follows_the_spelling_that_it_finds(before: str, edits: list[Edit], after: str) -> None:
    assert edited(parse(before), edits) == (after, False)


UNUSABLE: list[tuple[str, str, Edit, str]] = [
    ("no such table", "", Delete(("site",)), "there is no site"),
    ("no such row", ROW, Set(("routes", "x", "path"), "/"), "there is no x in routes"),
    ("no such row to move", ROW, Move(("routes", "x")), "there is no routes.x"),
    ("no such row to stand above", ROW, Insert(("routes",), ROUTE, "x"), 'there is no row "x" in routes'),
    ("an id that is taken", ROW, Insert(("routes",), {"id": "root"}), 'there is a row "root" already'),
    ("a key below a text", "version = 1\n", Set(("version", "x"), 1), "there is no x in version"),
    ("a row into a table", "[site]\n", Insert(("site",), {}), "site is no list of rows"),
    ("a table moved", "[site]\n", Move(("site",)), "only rows of a list can be moved"),
    ("a row made a text", ROW, Set(("routes", "root"), "x"), "a row of a list can only be a table"),
    ("nothing deleted", ROW, Delete(()), "there is no "),
    ("no value", "", Set(("version",), None), "TOML cannot spell None"),
    ("no value deep in a row", "", Insert(("routes",), {"path": "/", "x": [{"y": None}]}), "TOML cannot spell None"),
    ("half a surrogate", "", Set(("version",), "\ud800"), "TOML cannot spell"),
    ("a file with syntax errors", "[site\n", Set(("version",), 1), "the file is not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "edit", "what"), [case[1:] for case in UNUSABLE], ids=[c[0] for c in UNUSABLE])
def test_an_edit_that_does_not_fit_says_why(text: str, edit: Edit, what: str) -> None:
    with pytest.raises(Unusable) as raised:
        edited(parse(text), [edit])
    assert raised.value.problem.what.startswith(what)
    assert raised.value.problem.todo


def test_a_text_that_cannot_carry_the_edit_is_spelled_anew_and_says_so(monkeypatch) -> None:
    monkeypatch.setattr(splice, "replaced", lambda text, path, value: text)
    text, canonical = edited(parse("# c\n[site]\ntimeout = 1\n"), [Set(("site", "timeout"), 2)])
    assert canonical
    assert text == "[site]\ntimeout = 2\n"
