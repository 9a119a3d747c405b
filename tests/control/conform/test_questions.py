"""What a site is asked with: each of its rows is hit, just missed, and asked for in every odd spelling."""

from __future__ import annotations

import pytest

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.control.conform.questions import questions

TEXT = r"""
[listeners.http]
address = "127.0.0.1:8080"
[hosts.shop]
names = ["shop.test", "*.shop.test"]
[hosts.other]
names = ["other.test"]
[[routes]]
path = "/app/index"
except = true
[[routes]]
path = "/app"
proxy = "balancer://pool/in"
[[routes]]
path_regex = '^/re/(\d+)$'
redirect = { to = "/number/$1" }
[[rewrites]]
pattern = '^/by/([a-z]+)$'
flags = ["F"]
conditions = [{ test = "%{HTTP:X-Key}", pattern = "^secret" }, { test = "%{QUERY_STRING}", pattern = "go=1" }]
[[locations]]
path = "/app/admin"
require = ["all denied"]
[balancers.pool]
sticky = { cookie = "SID" }
[balancers.pool.members.one]
url = "http://127.0.0.1:8000"
route = "r1"
"""


@pytest.fixture(scope="module")
def site() -> Site:
    found = parse(TEXT).site
    assert found is not None
    return found


@pytest.mark.parametrize(
    "line",
    [
        "GET /app", "GET /app/", "GET /app/x", "GET /appx", "GET /APP", "GET /app/index", "GET /app/index.html",
        "GET /app/x/%2e%2e/y", "GET /app/index/a%2Fb", "GET //app/index", "GET /app/admin/x", "GET /%61pp/x",
        "GET /re/0", "GET /re/0x", "GET /by/a?go=1 | X-Key: secret", "GET /by/a", "TRACE /app/x", "GET /app/x HTTP/1.0",
        "GET /app/x | Cookie: a=b; SID=x.r1", "GET /app/x | Cookie: a=b; SID=x.nobody", "GET http://shop.test/app/x",
        "GET /app/x | X-Status: 302 Found | X-Say-1: Location: http://127.0.0.1:8000/in/there?a=b",
    ],
)  # fmt: skip
def test_it_is_asked(line: str, site: Site) -> None:
    assert line in {each.line for each in questions(site)[0] if each.name == "shop.test"}


def test_every_name_is_asked_and_one_that_is_nobodys(site: Site) -> None:
    assert {each.name for each in questions(site)[0]} == {"shop.test", "x.shop.test", "other.test", "nobody.test"}


def test_a_request_names_its_host_where_it_does_not_say_one_itself(site: Site) -> None:
    asked = {each.request for each in questions(site)[0]}
    assert "GET /app | Host: shop.test" in asked
    assert "GET / | !Host" in asked


def test_more_than_are_wanted_are_left_out_evenly(site: Site) -> None:
    every, none = questions(site)
    some, beyond = questions(site, 100)
    assert (none, len(some), beyond) == (0, 100, len(every) - 100)
    assert some[0] == every[0]
    assert {each.name for each in some} == {each.name for each in every}
