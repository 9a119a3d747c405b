"""Every fault of a site as a whole is found, at its place, with words that help; a good site has none."""

from __future__ import annotations

import pytest
from hypothesis import given as given_
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.config.model import Balancer, Listener, Member, Options, Route, Site
from proxy_core.errors import Problem, errors
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.semantics.table import members, site
from tests.steps import steps

HTTP = {"http": Listener(address="127.0.0.1:8080")}
PAIR = members(a="http://one", b="http://two:81")


def served(given: Site, **listeners: str) -> Site:
    bound = {name: Listener(address=address) for name, address in listeners.items()}
    return replace(given, listeners=bound or HTTP)


GOOD = [
    served(site(("/service/private", "!"), ("/service", "http://one/service"))),
    served(site(("/", "http://one"))),
    served(site(("/", "http://one/"))),
    served(site(("/a/", "http://one/b/"), ("/a", "http://one/b"))),
    served(site(("/a/b", "http://one/b"), ("/a", "http://one/a"), ("/", "balancer://p"), p=PAIR)),
    served(site(("/index", "!"), ("/index.php", "!"), ("/index.html", "!"), ("/", "http://one"))),
    served(site(("/index", "!"), ("/index.html", "!"), ("/", "http://one"))),
    served(site(("/index/", "!"), ("/", "http://one"))),
    # What another row of ours answers comes to an end.
    served(site(("/a", "http://127.0.0.1:8080/b"), ("/b", "http://one/b"))),
    served(site(("/a", "http://127.0.0.1:8080"), ("/b", "http://one/b"))),
    served(site(("/a", "http://127.0.0.1:8000")), one=":8080", two=":8081", three=":0", four=":0"),
    served(site(("/a", "http://one")), one="127.0.0.1:8080", two="127.0.0.2:8080", three="[::1]:8080"),
]


@pytest.mark.parametrize("given", GOOD)
def test_a_good_site_has_no_problem(given: Site) -> None:
    assert lint(given) == ()


def row(number: int, key: str = "path") -> tuple[str, ...]:
    return ("routes", f"r{number}", key)


def upgrading(name: str) -> Site:
    given = site(("/", "http://one"))
    return replace(given, routes=(replace(given.routes[0], upgrade=(name,)),))


MEMBER = ("balancers", "p", "members", "a", "url")

FAULTS: list[tuple[Site, tuple[str, ...], str, str]] = [
    # URLs and names
    (site(("/", "http//one")), row(0, "proxy"), "error", "not a URL"),
    (site(("/", "ftp://one")), row(0, "proxy"), "error", "https"),
    (site(("/", "http://one?x")), row(0, "proxy"), "error", "query"),
    (upgrading("h2c"), row(0, "upgrade"), "error", "h2c cannot"),
    (upgrading("web socket"), row(0, "upgrade"), "error", "cannot be tunnelled"),
    (site(("/", "balancer://pear"), pair=PAIR), row(0, "proxy"), "error", "did you mean balancer://pair?"),
    (site(("/", "balancer://pear/x"), pair=PAIR), row(0, "proxy"), "error", "did you mean balancer://pair/x?"),
    (site(("/", "balancer://zzz"), pair=PAIR), row(0, "proxy"), "error", "add [balancers.zzz]"),
    (site(("/", "balancer://p/a?b"), p=PAIR), row(0, "proxy"), "error", "query"),
    (site(("/", "balancer://p"), p=members(a="one:80")), MEMBER, "error", "not a URL"),
    (site(("/", "balancer://p"), p=members(a="http://one:0")), MEMBER, "error", "port 0"),
    # Listeners
    (served(site(), a="8080"), ("listeners", "a", "address"), "error", "form 127.0.0.1:8080"),
    (served(site(), a="[::g]:80"), ("listeners", "a", "address"), "error", "IPv6"),
    (served(site(), a="h:1", b="h:1"), ("listeners", "b", "address"), "error", 'taken by listener a ("h:1")'),
    (served(site(), a="h:1", b=":1"), ("listeners", "b", "address"), "error", "taken by listener a"),
    (served(site(), a="0.0.0.0:1", b="127.0.0.1:1"), ("listeners", "b", "address"), "error", "taken by listener a"),
    (served(site(), a="[::1]:1", b="[::]:1"), ("listeners", "b", "address"), "error", "taken by listener a"),
    # Trusted proxies
    (Site(site=Options(trusted_proxies=("10.0.0.300",))), ("site", "trusted_proxies"), "error", "10.0.0.300"),
    (Site(site=Options(trusted_proxies=("10.0.0.1/8",))), ("site", "trusted_proxies"), "error", '"10.0.0.0/8"'),
    (Site(site=Options(internal_proxies=("here",))), ("site", "internal_proxies"), "error", "here"),
    (Site(site=Options(client_header="X-A")), ("site", "client_header"), "warning", "nobody is believed"),
    (Site(site=Options(client_header="Host")), ("site", "client_header"), "error", "another field"),
    (Site(site=Options(proxies_header="X-A")), ("site", "proxies_header"), "warning", "never written"),
    # Order
    (site(("/a", "http://one/a"), ("/a/b", "http://two/b")), row(1), "warning", "move it above r0"),
    (site(("/a", "http://one/a"), ("/a/", "http://two/b/")), row(1), "warning", "move it above r0"),
    (site(("/", "http://one/"), ("/z", "http://two/z")), row(1), "warning", 'r0 above ("/") takes everything'),
    (site(("/a", "http://one/a"), ("/a", "http://two/a")), row(1), "warning", "the same path"),
    (site(("/a//b", "http://one/a"), ("/a/b", "http://two/a")), row(1), "warning", "the same path"),
    (site(("/a", "!"), ("/a/b", "http://two/b")), row(1), "warning", "move it above r0"),
    (site(("/a", "http://one/a"), ("/a/b", "!")), row(1), "warning", "move it above r0"),
    (site(("/a", "http://one/a"), ("/a", "!")), row(1), "warning", "stands below what it excepts"),
    # Exceptions
    (site(("/x", "!"), ("/y", "http://one/y")), ("routes", "r0"), "warning", "nothing to except"),
    (site(("/y/x", "http://one/y"), ("/y/z", "!")), ("routes", "r1"), "warning", "nothing to except"),
    (site(("/y/x", "http://one/y"), ("/y", "!")), ("routes", "r1"), "warning", "nothing to except"),
    (site(("/y/", "http://one/y/"), ("/y", "!")), ("routes", "r1"), "warning", "nothing to except"),
    (site(("/s/index", "!"), ("/s", "http://one/s")), row(0), "warning", "/s/index.php or /s/index.html"),
    (site(("/login", "!"), ("/", "http://one/")), row(0), "warning", "whole segments, so route r1 takes those"),
    # Slashes
    (site(("/m", "http://one/m/")), row(0, "proxy"), "warning", "/m/x is sent as /m//x"),
    (site(("/m/", "http://one/m")), row(0, "proxy"), "warning", "/m/x is sent as /mx"),
    (site(("/m", "http://one/")), row(0, "proxy"), "warning", "/m/x is sent as //x"),
    (site(("/", "http://one/base")), row(0, "proxy"), "warning", "/x is sent as /basex"),
    (site(("/m", "balancer://p/"), p=PAIR), row(0, "proxy"), "warning", "/m/x is sent as //x"),
    (site(("/", "balancer://p"), p=members(a="http://one/a/")), MEMBER, "warning", 'write "http://one/a"'),
    # Spelling of paths
    (site(("/a%20b", "http://one/a")), row(0), "warning", "decoded"),
    (site(("/a?b", "http://one/a")), row(0), "warning", "query"),
    (site(("/a/../b", "http://one/a")), row(0), "warning", "removed"),
    (site(("/a", "http://one/a%20b")), row(0, "proxy"), "warning", "%2520"),
    (site(("/a", "balancer://p/a%20b"), p=PAIR), row(0, "proxy"), "warning", "%2520"),
    (site(("/a", "balancer://p"), p=members(a="http://one/%41")), MEMBER, "warning", "/%2541"),
    # Parts that do nothing
    (site(("/", "http://one"), p=PAIR), ("balancers", "p"), "warning", "no route uses"),
    (site(("/", "balancer://p"), p=Balancer()), ("balancers", "p"), "warning", "has no member"),
    (site(("/", "balancer://p"), p=members(a=("http://one", 0))), ("balancers", "p"), "warning", "takes requests"),
    (
        site(("/", "balancer://p"), p=Balancer(members={"a": Member(url="http://one", status="draining")})),
        ("balancers", "p"),
        "warning",
        "takes requests",
    ),
    (Site(), ("listeners",), "warning", "no listener"),
    (Site(), ("routes",), "warning", "no route"),
    # Loops
    (served(site(("/", "http://127.0.0.1:8080"))), row(0, "proxy"), "warning", "round in a circle"),
    (served(site(("/", "http://localhost:1")), a=":1"), row(0, "proxy"), "warning", "listener a"),
    (served(site(("/a", "http://127.0.0.1:8080/a/b"))), row(0, "proxy"), "warning", "round in a circle"),
    (
        served(site(("/", "balancer://p"), p=members(a="http://127.0.0.1:8080"))),
        MEMBER,
        "warning",
        "round in a circle",
    ),
]


@pytest.mark.parametrize(("given", "address", "severity", "words"), FAULTS)
def test_a_fault_is_found_at_its_place(given: Site, address: tuple[str, ...], severity: str, words: str) -> None:
    found = [problem for problem in lint(given) if problem.address == address and words in str(problem)]
    assert [problem.severity for problem in found] == [severity], lint(given)
    assert found[0].todo


@pytest.mark.parametrize(("given", "address", "severity", "words"), FAULTS)
def test_a_site_with_no_error_compiles(given: Site, address: tuple[str, ...], severity: str, words: str) -> None:
    if not errors(lint(given)):
        compile_site(given, Registry(), 1)


TEXT = st.text(max_size=6)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["/", "/a", "/a/", "/a/b", "/a//b", "/index", "/\u00e9%?#"]),
        st.one_of(
            st.sampled_from(["!", "http://one", "http://one:0", "balancer://p", "balancer://q/x"]),
            TEXT.map("http://one/".__add__),
            TEXT.map("balancer://".__add__),
            TEXT,
        ),
    ),
    max_size=5,
)


@given_(ROWS, TEXT, TEXT, TEXT)
def test_whatever_is_written_is_worded_or_compiles(
    rows: list[tuple[str, str]], url: str, listener: str, proxy: str
) -> None:
    given = replace(
        site(*rows, p=members(a="http://one/" + url)),
        site=Options(trusted_proxies=(proxy,)),
        listeners={"a": Listener(address=listener), "b": Listener(address=":80")},
    )
    if not errors(lint(given)):
        compile_site(given, Registry(), 1)


def test_rows_that_are_not_enabled_neither_shadow_nor_are_shadowed() -> None:
    rows = site(("/", "http://one"), ("/a", "http://one/a")).routes
    for off in (0, 1):
        routes = tuple(replace(one, enabled=number != off) for number, one in enumerate(rows))
        assert lint(Site(listeners=HTTP, routes=routes)) == ()


def test_an_exception_that_stands_too_low_is_one_fault_not_two() -> None:
    low = served(site(("/a", "http://one/a"), ("/a/index", "!")))
    assert [problem.address for problem in lint(low)] == [row(1)]


def test_every_fault_of_a_site_is_reported_at_once() -> None:
    given = Site(
        site=Options(trusted_proxies=("x", "y")),
        listeners={"a": Listener(address="x"), "b": Listener(address="y")},
        routes=(Route(id="a", path="/a", proxy="x"), Route(id="b", path="/b", proxy="y")),
    )
    assert len(errors(lint(given))) == 6


def test_linting_costs_no_more_for_each_route_of_a_large_site() -> None:
    def spent(count: int) -> int:
        many = served(site(*((f"/app{n}/index", "!" if n % 2 else f"http://one/{n}") for n in range(count))))
        problems: tuple[Problem, ...] = lint(many)
        assert len(problems) == count // 2
        return steps(lambda: lint(many))

    assert spent(1000) <= 10 * spent(100), "it grows faster than the site"
