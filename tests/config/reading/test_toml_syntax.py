"""Every error of syntax is told where it stands, in words for people."""

from __future__ import annotations

import pytest

from tests.config.reading.problems import assert_problems

# fmt: off
PROBLEMS: list[tuple[str, str, list[str]]] = [
    ("a syntax error is one among the other problems", "[site]\ntimeout = abc\nreverse = 3\n\n[console]\ntheme = 'x'\n",
     ['2:11: there is no value here that TOML knows, put a text into quotes: "…"',
      '3:11: reverse cannot be 3, write one of "auto", "off"',
      "6:9: theme cannot be"]),
    ("a quote that does not end", "[site]\nserver_name = 'x\n", ["2:17: a text in quotes does not end"]),
    ("a key given twice is pointed at", "version = 1\n version = 1\n", ["2:2: this key or table exists already"]),
    ("a table given twice", "[site]\n[site]\n", ["2:1: this table exists already"]),
    ("a list that does not end", "[site]\ntrusted_proxies = [\n", ["2:20: the file ends where a value should be"]),
    ("a list without its end", "[site]\ntrusted_proxies = [1\n", ["2:21: a list is not closed"]),
    ("a header that is not closed", "[site\n", ["1:6: the header of a table is not closed"]),
    ("a backslash in double quotes", 'x = "\\d"\n', ["1:"]),
    ("nesting without end", "x = " + "[" * 5000, ["1:1: lists or tables are nested deeper than 32"]),
    ("nesting that TOML allows and nobody needs", "x = " + "[" * 300 + "]" * 300 + "\n",
     ["1:37: lists or tables are nested deeper than 32"]),
    ("nesting in a header", "a = 1\n[" + "b." * 40 + "c]\nd = 1\n", ["2:"]),
    ("nesting below a header", "a = 1\n[" + "b." * 20 + "c]\nd = " + "[" * 20 + "]" * 20 + "\n", ["2:"]),
    ("a number without end", "[site]\ntimeout = " + "9" * 5000 + "\nretries = 'x'\n",
     ["2:11: this number has too many digits", '3:1: "retries" is no key']),
    ("half a surrogate", "x = '\ud800'\n", ["1:1: the text is not Unicode"]),
]
# fmt: on


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in PROBLEMS], ids=[case[0] for case in PROBLEMS])
def test_a_problem_says_where_what_and_what_to_do(text: str, wanted: list[str]) -> None:
    assert_problems(text, wanted)
