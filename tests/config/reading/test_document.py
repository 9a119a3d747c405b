"""Reading lists every problem where it stands, in words for people, and never raises."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_core.config.reading.document import parse, read
from proxy_core.errors import Problem
from tests.config.chance import Speller, addresses, some_site

ROW = '[[routes]]\npath = "/x"\nproxy = "http://127.0.0.1:1/"\n'

# fmt: off
PROBLEMS: list[tuple[str, str, list[str]]] = [
    ("a misspelt key names the nearest", "[site]\ntimeuot = 3\n",
     ['2:1: "timeuot" is no key in site, did you mean timeout?']),
    ("a misspelt key that is required is one problem", "[listeners.http]\nadress = ':80'\n",
     ['2:1: "adress" is no key in listeners.http, did you mean address?']),
    ("a key like no other lists what there is", "[console]\nxyzzy = 3\n",
     ['2:1: "xyzzy" is no key in console, delete it; the keys here are theme, keys']),
    ("a wrong type says what was found and what is wanted", '[site]\ntimeout = "30"\n',
     ['2:1: timeout is the text "30", not a number, write timeout = 60.0']),
    ("a switch is no number", "[site]\ntimeout = true\n",
     ["2:1: timeout is true, not a number, write timeout = 60.0"]),
    ("a date is no text", "[listeners.a]\naddress = 2020-01-01\n",
     ['2:1: address is a date or time, not a text, write address = "127.0.0.1:8080"']),
    ("a number is told its range", "[site]\ntimeout = 0\n",
     ["2:1: timeout cannot be 0, it must be more than 0 and at most 86400"]),
    ("nan is in no range", "[site]\ntimeout = nan\n",
     ["2:1: timeout cannot be nan, it must be more than 0 and at most 86400"]),
    ("a bad choice lists the choices", "[site]\nreverse = 'on'\n",
     ['2:1: reverse cannot be "on", write one of "auto", "off"']),
    ("a misspelt choice names the nearest", "[site]\nforwarded = 'trust'\n",
     ['2:1: forwarded cannot be "trust", write "trusted"; the choices are trusted, append']),
    ("true is not the version 1", "version = true\n", ["1:1: version cannot be true, write 1"]),
    ("a bad name is pointed at", '[balancers]\n"a b" = {}\n',
     ['2:1: "a b" cannot be a name in balancers, use a name of letters, digits, _ . and -']),
    ("an item of a list has its own column", "[site]\ntrusted_proxies = ['10.0.0.0/8', 3]\n",
     ["2:34: item 2 of trusted_proxies is 3, not a text, put it into quotes"]),
    ("columns count characters", "[console]\nkeys = { 'é€😀' = 'x', b = 1 }\n",
     ["2:23: b is 1, not a text"]),
    ("columns do not count a byte order mark", "\ufeffversoin = 1\n",
     ['1:1: "versoin" is no key, did you mean version?']),
    ("what is missing is told where its row begins", '# comment\n[[routes]]\nexcept = true\n',
     ['2:1: the row does not say what it is for, add path = "/app" or path_regex = "…"']),
    ("a route that does nothing", '[[routes]]\npath = "/x"\n',
     ['1:1: the route does nothing, add proxy = "http://host:port/path", or except = true to leave the path to no '
      "later route"]),
    ("a route that does two things", ROW + "except = true\n",
     ["4:1: the route both forwards and is an exception, delete proxy or except"]),
    ("ids are given once", ROW + "id = 'a'\n\n" + ROW + "id = 'a'\n",
     ['9:1: the id "a" is used twice in routes, rename one of them, or delete the id and one is made']),
    ("a table that should be rows", '[routes]\npath = "/x"\n', ["1:1: routes is a table, not an array of tables"]),
    ("dotted keys and inline tables have positions", "[balancers]\nb.members.a = { url = 'x', weight = 101 }\n",
     ["2:28: weight cannot be 101, it must be at least 0 and at most 100"]),
    ("a syntax error is one among the other problems", "[site]\ntimeout = abc\nreverse = 3\n\n[console]\ntheme = 'x'\n",
     ['2:11: there is no value here that TOML knows, put a text into quotes: "…"',
      '3:1: reverse cannot be 3, write one of "auto", "off"',
      "6:1: theme cannot be"]),
    ("a quote that does not end", "[site]\nserver_name = 'x\n", ["2:17: a text in quotes does not end"]),
    ("a key given twice is pointed at", "version = 1\n version = 1\n", ["2:2: this key or table exists already"]),
    ("a table given twice", "[site]\n[site]\n", ["2:1: this table exists already"]),
    ("a list that does not end", "[site]\ntrusted_proxies = [\n", ["2:20: the file ends where a value should be"]),
    ("a list without its end", "[site]\ntrusted_proxies = [1\n", ["2:21: a list is not closed"]),
    ("a header that is not closed", "[site\n", ["1:6: the header of a table is not closed"]),
    ("a backslash in double quotes", 'x = "\\d"\n', ["1:"]),
    ("nesting without end", "x = " + "[" * 5000, ["1:1: lists or tables are nested too deeply, flatten them"]),
    ("nesting that TOML allows and nobody needs", "x = " + "[" * 300 + "]" * 300 + "\n",
     ["1:1: lists or tables are nested too deeply, flatten them"]),
    ("a number without end", "[site]\ntimeout = " + "9" * 5000 + "\n", ["2:"]),
    ("half a surrogate", "x = '\ud800'\n", ["1:1: the text is not Unicode"]),
]
# fmt: on


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in PROBLEMS], ids=[case[0] for case in PROBLEMS])
def test_a_problem_says_where_what_and_what_to_do(text: str, wanted: list[str]) -> None:
    document = parse(text, "x.toml")
    found = [str(problem) for problem in document.problems]
    assert document.site is None
    assert [got[: len(f"x.toml:{start}")] for got, start in zip(found, wanted, strict=True)] == [
        f"x.toml:{start}" for start in wanted
    ]
    assert all(problem.todo for problem in document.problems)


def test_an_empty_file_is_a_site() -> None:
    document = parse("")
    assert document.site is not None
    assert document.problems == ()


def test_rows_without_an_id_get_one_from_their_path() -> None:
    paths = ["/", "/service/index", "/service/index", "/é", "/a b/", "/x", "/x", "/x"]
    text = "".join(f'[[routes]]\npath = "{path}"\nproxy = "http://h:1"\n' for path in paths) + 'id = "x"\n'
    site = parse(text).site
    assert site is not None
    ids = ["root", "service-index", "service-index-2", "routes", "a-b", "x-2", "x-3", "x"]
    assert [route.id for route in site.routes] == ids


def test_where_gives_the_place_of_an_address_or_of_its_nearest_parent() -> None:
    text = '[site]\ntimeout = 1\n\n[[routes]]\npath = "/x"\nexcept = true\n[balancers.b.members]\na = { url = "x" }\n'
    document = parse(text)
    assert document.where(("site", "timeout")) == (2, 1)
    assert document.where(("site", "reverse")) == (1, 1)
    assert document.where(("routes", "x")) == (4, 1)
    assert document.where(("routes", "x", "path")) == (5, 1)
    assert document.where(("routes", "x", "proxy")) == (4, 1)
    assert document.where(("balancers", "b", "members", "a", "url")) == (8, 7)
    assert document.where(("console",)) == (1, 1)
    problem = document.located(Problem(what="x", address=("routes", "x", "path")))
    assert (problem.file, problem.line, problem.column) == ("site.toml", 5, 1)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"a = 1\nb = '\xff'\n")
    [problem] = read(bad).problems
    assert (problem.line, problem.column) == (2, 6)
    assert "0xff" in problem.what
    assert read(tmp_path / "none.toml").problems[0].what.startswith("the file cannot be read")
    assert read(tmp_path).broken


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text("[]{}=.,'\"\\\n#ab1 -", max_size=60)))
def test_reading_never_raises(text: str) -> None:
    document = parse(text)
    assert (document.site is None) == any(problem.severity == "error" for problem in document.problems)
    assert all(problem.line for problem in document.problems)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_key_stands_where_it_is_said_to(chance: Random) -> None:
    document = parse(Speller(chance).table((), some_site(chance)))
    lines = document.text.split("\n")
    for address in addresses(document.data):
        line, column = document.where(address)
        rest = lines[line - 1][column - 1 :]
        assert rest, address
        assert rest[0] not in " \t#,=]}", (address, rest)
