"""What of a site goes down the lane, by what it says: whoever has no exact words for something hands it over."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.haproxy.export import HaproxyExport, export_site, lane_addresses, lane_text
from proxy_core.haproxy.gate import TARGET
from proxy_core.haproxy.spoken import SPOKEN
from proxy_core.http.target import PLAIN

HTTP = '[listeners.http]\naddress = "127.0.0.1:8080"\n'
ROUTE = '[[routes]]\nid = "r"\npath = "/a"\nproxy = "http://127.0.0.1:8000/x"\n'
POOL = '[[routes]]\nid = "r"\npath = "/a"\nproxy = "balancer://b/x"\n[balancers.b.members.m]\nurl = "http://127.0.0.1:8000"\n'


def rule(more: str) -> str:
    return f"{ROUTE}[[rewrites]]\nid = 'w'\n{more}\n"


def export(text: str, *, lane: bool = True) -> HaproxyExport:
    found = parse(HTTP + text)
    assert found.site is not None, found.problems
    return export_site(found.site, Path("/site"), Path("/out"), lane_addresses(found.site) if lane else None)


@pytest.mark.parametrize(
    ("text", "laned"),
    [
        (ROUTE, ""),
        (POOL, ""),
        (ROUTE + "nocanon = true", "routes.r"),
        (ROUTE + 'shadow = "http://127.0.0.1:8001"', "routes.r"),
        (ROUTE.replace("http:", "https:"), "routes.r"),
        ('[[routes]]\nid = "r"\npath = "/a"\nfolder = "www"', "routes.r"),
        (ROUTE + '[site]\ndocument_root = "www"', "site.document_root"),
        (ROUTE + '[site]\nvia = "on"', "site.via"),
        (ROUTE + "[limits]\nclient_rate = 5", "limits.client_rate"),
        (ROUTE + '[[locations]]\nid = "l"\npath = "/a/b"\ntimeout = 5', "locations.l"),
        (ROUTE + '[[locations]]\nid = "l"\npath = "/a/b"\nrequire = ["ip 10.0.0.0/8", "method GET"]', ""),
        (ROUTE + '[[locations]]\nid = "l"\npath = "/a/b"\nrequire = ["host example.com"]', "locations.l"),
        (ROUTE + '[[locations]]\nid = "l"\ntarget = "http://127.0.0.1:8000/x"\ntimeout = 5', "routes.r"),
        (ROUTE + '[[locations]]\nid = "l"\nfolder = "www"\nrequire = ["all denied"]', ""),
        (rule("pattern = '^/f'\nflags = ['F']"), ""),
        (rule("pattern = '^/f'\nsubstitution = '/g'\nflags = ['PT']"), "rewrites.w"),
        (rule("pattern = '^/f'\nflags = ['CO=a:b:c']"), "rewrites.w"),
        (rule("pattern = '^/(a)\\1'\nflags = ['F']"), "rewrites.w"),
        (rule("pattern = '^(/[a-z]*)*(x+x+)+y$'\nflags = ['F']"), "rewrites.w"),
        (rule("pattern = '^/f'\nflags = ['F']\nconditions = [{test='%{HTTP:X}', pattern='^(a|b)*$'}]"), "rewrites.w"),
        (rule("pattern = '^/f'\nsubstitution = 'http://h/%{QUERY_STRING}'\nflags = ['R']"), "rewrites.w"),
        (POOL + "[balancers.b.ejection]\nconsecutive = 3", "routes.r"),
        (POOL + '[balancers.b]\nmethod = "bytraffic"', "routes.r"),
        (POOL + '[balancers.b.members.s]\nurl = "http://127.0.0.1:8001"\nrole = "standby"', "routes.r"),
        (POOL + '[balancers.b.members.s]\nurl = "http://127.0.0.1:8001/y"', "routes.r"),
        (ROUTE + '[[headers]]\nid = "h"\nname = "X"\nvalue = "a"', ""),
        (ROUTE + '[[headers]]\nid = "h"\nname = "X"\nvalue = "%D"', "site"),
        (ROUTE + '[[headers]]\nid = "h"\nname = "X"\nvalue = "%D"\nroute = "r"', "routes.r"),
        (ROUTE + '[[headers]]\nid = "h"\nname = "X"\nvalue = "%D"\nexpr = "%{REQUEST_URI} =~ /b/"', "headers.h"),
        (ROUTE + '[[errors]]\nstatus = ["404"]\npath = "/e"', "errors"),
    ],
)  # fmt: skip
def test_what_goes_down_the_lane(text: str, laned: str) -> None:
    made = export(text)
    assert [".".join(each.address) for each in made.laned][:1] == [laned] * bool(laned)
    assert made.losses == ()


def test_a_listener_none_of_whose_hosts_can_be_said_is_passed_through_byte_by_byte() -> None:
    made = export(ROUTE + '[site]\nvia = "on"')
    assert made.whole == ("",)
    assert "frontend http\n    mode tcp\n" in made.text
    assert "http-request set-var" not in made.text


def test_an_option_that_joins_the_model_is_unspoken_until_somebody_says_otherwise() -> None:
    """All that is spoken is there; none is spoken by being forgotten."""
    for table, names in SPOKEN.items():
        assert {*names} <= {each.name for each in msgspec.structs.fields(table)}, table


@pytest.mark.parametrize(
    "target",
    ["/", "/a",
     "/a/", "/a/b?c=d", "/a?", "/a//b", "/.a", "/a/./b", "/a/..", "/a%20b", "/%61", "/a\\b", "/[a]", "a", "*",
     "http://h/a", "/a;b=1,2", "/~me", "/a..b", "/a?b#c", "/a?\xe4", "/a b", "/a?b c", "//"],
)  # fmt: skip
def test_the_gate_takes_no_target_that_is_not_its_own_spelling(target: str) -> None:
    plain = PLAIN(target.encode("latin-1")) is not None
    taken = re.search(TARGET, target, re.DOTALL) is not None
    assert taken <= plain
    assert taken == (plain and target.isascii() and not target.endswith("?"))


def test_long_paths_are_no_matter_of_haproxys_expressions() -> None:
    assert "http-request set-var(txn.lane) bool(true) if { path,length gt 512 }" in export(ROUTE).text


def test_every_condition_of_the_gate_fails_towards_the_lane() -> None:
    """An expression that gives up is one that is not found."""
    lines = re.findall(r"set-var\(txn.lane\) bool\(true\) if (.*-m reg.*)", export(ROUTE).text)
    assert lines
    assert all(each.startswith("!{") for each in lines)


def test_without_a_lane_what_it_would_have_is_refused_and_told() -> None:
    made = export(ROUTE + "nocanon = true", lane=False)
    assert made.lane == {}
    assert "send-proxy" not in made.text
    assert "return status 501" in made.text
    assert [each.address for each in made.losses] == [("routes", "r"), ("site",)]


def test_the_lanes_site_is_the_site_that_listens_elsewhere_and_believes_haproxy_alone() -> None:
    document = parse(f"# mine\n{HTTP}# a route\n{ROUTE}")
    made = parse(lane_text(document, {"http": "127.0.0.1:18080"}))
    assert made.site is not None
    assert document.site is not None
    listener = made.site.listeners["http"]
    assert (listener.address, listener.proxy_protocol) == ("127.0.0.1:18080", True)
    assert made.site.site.trusted_proxies == ("127.0.0.9",)
    assert made.site.routes == document.site.routes
    assert "# a route" in made.text


def test_lanes_follow_port_by_port() -> None:
    site = msgspec.convert({"listeners": {"a": {"address": ":1"}, "b": {"address": ":2"}}}, Site)
    assert lane_addresses(site, "10.0.0.1:9000") == {"a": "10.0.0.1:9000", "b": "10.0.0.1:9001"}
