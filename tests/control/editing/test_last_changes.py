"""Which generation changed a row last is told from the diffs alone, through whatever came later."""

from __future__ import annotations

import itertools

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.control.editing.history import difference
from proxy_core.control.editing.last_changes import last_changes
from proxy_core.control.view import Generation

FIRST = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"

# where all goes
[[routes]]
id = "all"
path = "/all"
proxy = "balancer://b/"
timeout = 3

[[routes]]
id = "more"
path = "/more"
proxy = "balancer://b/"

[balancers.b.members.m0]
url = "http://127.0.0.1:9"

[balancers.b.members.m1]
url = "http://127.0.0.1:10"
"""
M1 = "[balancers.b.members.m1]\n"
NEW = '[[routes]]\nid = "new"\npath = "/new"\nproxy = "balancer://b/"\n\n'
ALL = FIRST[FIRST.index("# where") : FIRST.index('[[routes]]\nid = "more"')]


def changed(*texts: str) -> dict[str, int]:
    """The rows that a generation changed, when the site has had these texts one after the other."""
    made = [
        Generation(number=n, at=float(n), author="t", sentence="", diff=difference(before, after, "s.toml"))
        for n, (before, after) in enumerate(itertools.pairwise(texts), 2)
    ]
    found = last_changes(parse(texts[-1], "s.toml"), made, "s.toml")
    assert all(each.at == each.generations[0] for each in found)
    return {".".join(each.address): each.generations[0] for each in found}


def edits(*pairs: tuple[str, str]) -> tuple[str, ...]:
    texts = [FIRST]
    for old, new in pairs:
        assert old in texts[-1]
        texts.append(texts[-1].replace(old, new, 1))
    return tuple(texts)


@pytest.mark.parametrize(
    ("does", "pairs", "says"),
    [
        ("a value", [('"/more"', '"/most"')], {"routes.more": 2}),
        ("a member's", [(M1, M1 + "weight = 3\n")], {"balancers.b.members.m1": 2}),
        ("an option goes", [("timeout = 3\n", "")], {"routes.all": 2}),
        ("a comment", [("# where all goes", "# where nearly all goes\n# today")], {}),
        ("a row comes", [(ALL, NEW + ALL)], {"routes.new": 2}),
        ("a row goes", [(ALL, "")], {}),
        ("a row goes elsewhere", [(ALL, ""), (M1, ALL + M1)], {"routes.all": 3}),
        ("the later wins", [('"/more"', '"/most"'), ('"/most"', '"/moist"')], {"routes.more": 3}),
        ("and back is a change too", [('"/more"', '"/most"'), ('"/most"', '"/more"')], {"routes.more": 3}),
        ("what follows above", [('"/more"', '"/most"'), (ALL, NEW + ALL)], {"routes.more": 2, "routes.new": 3}),
        ("what goes above", [('"/more"', '"/most"'), (ALL, "")], {"routes.more": 2}),
        ("what follows below", [('"/all"', '"/a"'), (M1, M1 + "weight = 3\n")],
         {"routes.all": 2, "balancers.b.members.m1": 3}),
        ("inline rows", [("version = 1\n", 'version = 1\nenv = [\n  { name = "A", from = "%{REMOTE_ADDR}" },\n]\n'),
                         ('"A"', '"B"')], {"env.B": 3}),
    ],
)  # fmt: skip
def test_a_row_is_changed_by_the_newest_generation_that_touched_its_lines(
    does: str, pairs: list[tuple[str, str]], says: dict[str, int]
) -> None:
    assert changed(*edits(*pairs)) == says, does


def test_the_diff_of_a_map_file_changes_no_row() -> None:
    diff = difference(FIRST, FIRST.replace('"/all"', '"/a"'), "s.toml") + difference("a b\n" * 30, "", "names.txt")
    made = [Generation(number=2, at=2.0, author="t", sentence="", diff=diff)]
    document = parse(FIRST.replace('"/all"', '"/a"'), "s.toml")
    assert [each.address for each in last_changes(document, made, "s.toml")] == [("routes", "all")]
    assert last_changes(document, made, "other.toml") == ()


def test_all_generations_that_left_something_in_a_row_are_named_newest_first() -> None:
    texts = edits(('"/more"', '"/most"'), ('id = "more"', 'id = "more"\ntimeout = 9'))
    made = [
        Generation(number=n, at=float(n), author="t", sentence="", diff=difference(texts[n - 1], texts[n], "s.toml"))
        for n in (1, 2)
    ]
    (found,) = last_changes(parse(texts[-1], "s.toml"), made, "s.toml")
    assert found.generations == (2, 1)
