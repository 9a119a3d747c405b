"""One problem of a site file hides no other: all are listed at once, in the order of the lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.control.cli.__main__ import main
from proxy_core.control.editing.site_problems import check

HTTP = '[listeners.http]\naddress = "127.0.0.1:0"\n'
ROUTE = '[[routes]]\npath = "/"\nproxy = "http://127.0.0.1:1/"\n'
AB = '[hosts.a]\nnames = ["x.example", "y.example"]\n[hosts.b]\nnames = ["x.example", "y.example"]\n'
NOPE = '[hosts.c]\nnames = ["c.example"]\nlisteners = ["nope"]\n'
NO_NOPE = 'there is no listener "nope"'

# fmt: off
CASES: list[tuple[str, str, list[str]]] = [
    ("doubled names of hosts", HTTP + AB + NOPE + ROUTE,
     ['6:9: warning: "x.example" is a name of host a too', '6:9: warning: "y.example" is a name of host a too',
      f"9:13: {NO_NOPE}"]),
    ("a name doubled at two listeners is told once", HTTP + '[listeners.more]\naddress = "127.0.0.2:0"\n' + AB + ROUTE,
     ['8:9: warning: "x.example" is a name of host a too', '8:9: warning: "y.example" is a name of host a too']),
    ("flags that are none", HTTP + "[[rewrites]]\npattern = '^/(.*$'\nflags = ['Q', 'R=abc']\n"
     "substitution = '${nope:$1}'\n" + ROUTE,
     ["4:11: the pattern ^/(.*$ does not compile", '5:9: there is no flag "Q"', '5:9: "R=abc" needs a number',
      '6:16: there is no map "nope"']),
    ("a rule that does not compile, above one that is never reached", HTTP + "[[rewrites]]\npattern = '('\n"
     "[[rewrites]]\npattern = '^/a'\nflags = ['F']\n[[rewrites]]\npattern = '^/ab'\nflags = ['F']\n" + ROUTE,
     ["4:11: the pattern ( does not compile", '9:11: warning: rule a ("^/a") above takes all']),
    ("every status that is none", HTTP + '[site]\noverride_codes = ["1xx", "abc"]\n[balancers.b]\n'
     'failonstatus = ["x", "y"]\nmembers.m.url = "http://127.0.0.1:1"\n'
     '[balancers.b.health]\nexpect = ["z", "9-1"]\n' + ROUTE.replace("http://127.0.0.1:1/", "balancer://b"),
     ['4:18: "1xx" is no status', '4:18: "abc" is no status', '6:16: "x" is no status', '6:16: "y" is no status',
      '9:10: "z" is no status', '9:10: "9-1"']),
    ("a key given twice", HTTP + 'address = "127.0.0.1:1"\n' + NOPE + ROUTE,
     ["3:1: this key or table exists already", f"6:13: {NO_NOPE}"]),
    ("a table given twice", HTTP + NOPE + HTTP + "[console]\ntheme = 1\n" + ROUTE,
     [f"5:13: {NO_NOPE}", "6:1: this table exists already", "9:9: theme cannot be 1"]),
    ("a header without its end", HTTP + "[balancers.b\nmethod = 'hash'\n[balancers.b.members]\nm = 3\n" + NOPE
     + "[console]\ntheme = 1\n" + ROUTE.replace("http://127.0.0.1:1/", "balancer://b"),
     ["3:13: the header of a table is not closed", f"9:13: {NO_NOPE}", "11:9: theme cannot be 1"]),
    ("two headers without their ends", "[listeners.http\n" + NOPE + "[console\n" + ROUTE,
     ["1:16: the header of a table is not closed", f"4:13: {NO_NOPE}", "5:9: the header of a table is not closed"]),
    ("a value that is none", HTTP + "[site]\ntimeout = abc\n" + NOPE + ROUTE,
     ["4:11: there is no value here", f"7:13: {NO_NOPE}"]),
    ("a table that is not whole, whose name is in other words", HTTP + "[listeners.e]\n" + NOPE + ROUTE,
     ["3:1: address is missing", f"6:13: {NO_NOPE}"]),
    ("an id given twice", HTTP + NOPE + (ROUTE + "id = 'a'\n") * 2,
     [f"5:13: {NO_NOPE}", '13:6: the id "a" is used twice in routes']),
    ("what a lost table may have said is not missing", HTTP + "[balancers.b\nmembers.m.url = 'http://127.0.0.1:1'\n"
     + ROUTE.replace("http://127.0.0.1:1/", "balancer://b"), ["3:13: the header of a table is not closed"]),
    ("what a lost line may have said is not missing", HTTP + "[maps.m]\ntype = 'int'\nfunction = toupper\n" + ROUTE,
     ["5:12: there is no value here"]),
    ("a row that is faulty is not missing", HTTP + "[[headers]]\nname = 'X'\nvalue = '1'\nroute = 'r'\n"
     "[[routes]]\nid = 'r'\npath = '/'\n", ["7:1: the route does nothing"]),
]
# fmt: on


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_problem_hides_no_other(text: str, wanted: list[str]) -> None:
    found = [str(problem).removeprefix("x.toml:") for problem in check(parse(text, "x.toml"))]
    assert [got[: len(start)] for got, start in zip(found, wanted, strict=True)] == wanted, found


def test_a_page_that_is_not_there_is_listed_among_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.toml"
    file.write_text(HTTP + "[[errors]]\nstatus = ['503']\nfile = 'none.html'\n[console]\ntheme = 1\n" + ROUTE)
    assert main(["check", str(file)]) == 2
    lines = [line.removeprefix(f"{file}:") for line in capsys.readouterr().out.splitlines()]
    assert [line[:40] for line in lines] == [
        "5:8: warning: the page none.html cannot ",
        '7:9: theme cannot be 1, write one of "da',
    ]
