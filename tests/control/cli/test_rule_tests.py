"""``rproxy test``: what [[tests]] expect, held against what the rules make of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy_core.control.cli.__main__ import main

SITE = """\
version = 1
[listeners.http]
address = "127.0.0.1:8080"
[[rewrites]]
id = "old-pages"
pattern = "^/old/(.*)"
substitution = "/item/$1"
flags = ["R=301"]
[[routes]]
path = "/api"
proxy = "balancer://api"
[[routes]]
path = "/one"
proxy = "http://127.0.0.1:8003/base"
[balancers.api]
sticky = { cookie = "R" }
[balancers.api.members.a]
url = "http://127.0.0.1:8001"
route = "a"
[balancers.api.members.b]
url = "http://127.0.0.1:8002"
route = "b"
"""

HOLD = {
    "a redirect by its rule": (
        'request = "GET http://shop.example/old/7"\nstatus = 301\nlocation = "http://shop.example/item/7"\n'
        'rule = "old-pages"'
    ),
    "the member of a session": (
        'request = "POST /api/orders"\nfields = ["Cookie: R=x.b"]\npool = "api"\nmember = "b"\ntarget = "/orders"'
    ),
    "the only member": (
        'request = "/one/x"\npool = "http://127.0.0.1:8003"\nmember = "http://127.0.0.1:8003"\ntarget = "/base/x"'
    ),
    "no route": 'request = "HEAD /none"\nstatus = 404',
}
FAIL = {
    "another status": ('request = "/none"\nstatus = 500', "status: 404, expected 500"),
    "another pool": ('request = "/none"\npool = "api"', "pool: none, expected api"),
    "another place": ('request = "/old/7"\nlocation = "/x"', "location: http://localhost/item/7, expected /x"),
    "a member of many": ('request = "/api/x"\nmember = "a"', "member: none, expected a"),
    "another rule": ('request = "/api/x"\nrule = "old-pages"', "rule: api, expected old-pages"),
}


def site(tmp_path: Path, *tests: str) -> str:
    file = tmp_path / "site.toml"
    file.write_text("\n".join([SITE, *(f"[[tests]]\n{test}" for test in tests)]))
    return str(file)


def test_tests_that_hold_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["test", site(tmp_path, *HOLD.values())])
    assert (status, capsys.readouterr().out.splitlines()[-1]) == (0, f"{len(HOLD)} tests hold")


@pytest.mark.parametrize("name", FAIL)
def test_a_test_that_fails_says_what_came_and_exits_1(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test, line = FAIL[name]
    assert main(["test", site(tmp_path, *HOLD.values(), test)]) == 1
    out = capsys.readouterr().out
    assert line in out
    assert out.endswith(f"1 of {len(HOLD) + 1} tests fail\n")


def test_a_site_with_errors_is_not_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", site(tmp_path, 'request = "no url"')]) == 2
    assert "a URL or path, with a method before it" in capsys.readouterr().err


def test_programs_get_every_outcome_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--json", site(tmp_path, HOLD["no route"], FAIL["another pool"][0])]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert not first["otherwise"]
    assert second["otherwise"] == [{"name": "pool", "expected": "api", "got": ""}]
