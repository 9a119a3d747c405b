"""An edit changes exactly the lines that it means, and comments go where their rows go."""

from __future__ import annotations

import pytest

from proxy_core.config.edit import Delete, Edit, Insert, Move, Set, edited
from proxy_core.config.toml import parse

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
