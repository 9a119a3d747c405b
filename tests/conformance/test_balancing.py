"""The real Apache and our own server take turns, keep sessions and fail over alike, request after request.

A row is a balancer and a run of requests from its start, with who answers each. Both are asked the same, so a row
that is wrong about httpd fails as well as one that we do not keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from proxy_core.config.model import Balancer, Member, MemberStatus, Route, Site, Sticky
from tests.conformance.apache import LOADED, exchanged, running, spelled
from tests.conformance.echo import upstreams
from tests.conformance.rproxy import chosen
from tests.semantics.table import DOWN, on_ports

pytestmark = pytest.mark.apache

UPSTREAMS = ("one", "two", "three", "four")
MODULES = (*LOADED, "lbmethod_bybusyness", "lbmethod_bytraffic", "lbmethod_heartbeat")
COOKIE, PARAM = Sticky(cookie="ID"), Sticky(cookie="ID", param="jsid")
FORCED = Sticky(cookie="ID", nofailover=True)


def m(host: str, weight: float = 1, status: MemberStatus = "enabled", retry: float = 60, **more: object) -> Member:
    return Member(url=f"http://{host}", weight=weight, status=status, retry=retry, route=host[0], **more)  # type: ignore[arg-type]


def group(*members: Member, **more: object) -> Balancer:
    return Balancer(members={f"m{n}": each for n, each in enumerate(members)}, **more)  # type: ignore[arg-type]


Row = tuple[Balancer, str, str]
"""A balancer, the requests, and who answers each. A request is a cookie's value, a target, or "-" for a plain one."""

ROWS: dict[str, Row] = {
    # Methods, asked one after the other: nothing is in flight, and every answer is as long as the next.
    "bybusyness": (group(m("one", 3), m("two", 1), m("three", 2), method="bybusyness"), "- " * 6, "o th o tw th o"),
    "bytraffic": (group(m("one"), m("two"), method="bytraffic"), "- " * 4, "o tw o tw"),
    "heartbeat-unheard": (group(m("one"), m("two"), method="heartbeat"), "- -", "503 503"),
    # Sets.
    "lbset": (group(m("one", lbset=1), m("two"), m("three")), "- " * 4, "tw th tw th"),
    "lbset-down": (group(m("down"), m("two", lbset=1), m("three", lbset=2)), "- " * 3, "tw tw tw"),
    "lbset-disabled": (group(m("one", status="disabled"), m("two", lbset=1)), "- -", "tw tw"),
    # Spares and standbys.
    "spare-rests": (group(m("one"), m("two"), m("three", role="spare")), "- " * 4, "o tw o tw"),
    "spare-for-down": (group(m("one"), m("down"), m("three", role="spare")), "- " * 5, "o o th o th"),
    "spare-for-disabled": (
        group(m("one", status="disabled"), m("two"), m("three", role="spare")), "- " * 4, "tw th tw th",
    ),
    "spare-for-draining": (
        group(m("one", status="draining"), m("two"), m("three", role="spare")), "- " * 4, "tw th tw th",
    ),
    "two-spares-one-out": (
        group(m("down"), m("two"), m("three", role="spare"), m("four", role="spare")), "- " * 4, "tw th tw th",
    ),
    "standby-rests": (group(m("one"), m("two", role="standby")), "- -", "o o"),
    "standby-for-down": (group(m("down"), m("two", role="standby")), "- - -", "tw tw tw"),
    "standby-before-next-set": (group(m("down"), m("two", role="standby"), m("three", lbset=1)), "- -", "tw tw"),
    "spare-before-standby": (
        group(m("down"), m("two", role="standby"), m("three", role="spare")), "- - -", "th th th",
    ),
    "draining": (group(m("one", status="draining"), m("two")), "- -", "tw tw"),
    "stopped": (group(m("one", status="stopped"), m("two")), "- -", "tw tw"),
    "nobody": (group(m("one", status="disabled"), m("two", status="stopped")), "-", "503"),
    "all-drain": (group(m("one", status="draining")), "-", "503"),
    # Sessions.
    "cookie": (group(m("one"), m("two"), sticky=COOKIE), "x.t x.t x.o x.t", "tw tw o tw"),
    "cookie-counts-as-turn": (group(m("one"), m("two"), sticky=COOKIE), "x.o x.o - - -", "o o tw tw o"),
    "cookie-unknown-route": (group(m("one"), m("two"), sticky=COOKIE), "x.z x.z", "o tw"),
    "cookie-without-route": (group(m("one"), m("two"), sticky=COOKIE), "t t", "o tw"),
    "first-separator": (group(m("one"), m("two"), sticky=COOKIE), "t.o.t x.t", "o tw"),
    "own-separator": (group(m("one"), m("two"), sticky=Sticky(cookie="ID", separator="!")), "x!t x.t", "tw o"),
    "param": (group(m("one"), m("two"), sticky=PARAM), "/x;jsid=s.t /x?jsid=s.t /x?xjsid=s.t", "tw tw tw"),
    "param-ends": (group(m("one"), m("two"), sticky=PARAM), "/x;jsid=s.t?y /x?jsid=s.t&y /x;jsid=s.t;y", "tw tw o"),
    "scolonpathdelim": (
        group(m("one"), m("two"), sticky=Sticky(cookie="ID", param="jsid", scolonpathdelim=True)),
        "/x;jsid=s.t;y", "tw",
    ),
    "session-of-draining": (group(m("one"), m("two", status="draining"), sticky=COOKIE), "x.t x.t - -", "tw tw o o"),
    "session-of-disabled": (group(m("one"), m("two", status="disabled"), sticky=COOKIE), "x.t", "o"),
    "session-of-standby": (group(m("one"), m("two", role="standby"), sticky=COOKIE), "x.t", "tw"),
    "session-of-next-set": (group(m("one"), m("two", lbset=1), sticky=COOKIE), "x.t", "tw"),
    "session-fails-over": (group(m("one"), m("down"), sticky=COOKIE), "x.d x.d", "o o"),
    "nofailover": (group(m("one"), m("down"), sticky=FORCED), "x.d x.d x.z", "503 503 o"),
    "redirect": (
        group(m("one"), m("two", redirect="f", status="disabled"), m("four"), sticky=COOKIE), "x.t x.t -", "f f o",
    ),
    # Failing over.
    "maxattempts": (group(m("down"), m("one"), maxattempts=1), "- -", "o o"),
    "all-down": (group(m("down"), m("down")), "- -", "503 503"),
    "failonstatus": (group(m("one"), m("two"), failonstatus=("503",)), "!503 - - -", "o tw tw tw"),
    "status-alone": (group(m("one"), m("two")), "!503 - - -", "o tw o tw"),
    "ignore-errors": (group(m("one", ignore_errors=True), m("two"), failonstatus=("503",)), "!503 - - -", "o tw o tw"),
}  # fmt: skip

SITES = {
    name: Site(routes=(Route(id="all", path="/", proxy="balancer://b/"),), balancers={"b": balancer})
    for name, (balancer, _, _) in ROWS.items()
}
Ask = Callable[[str, str], str]


@pytest.fixture(scope="module")
def ports() -> Iterator[Mapping[str, int]]:
    with upstreams(UPSTREAMS, DOWN) as ports:
        yield ports


@pytest.fixture(scope="module")
def apaches(ports: Mapping[str, int]) -> Iterator[Ask]:
    sites = {name: on_ports(site, ports) for name, site in SITES.items()}
    with running(MODULES, lambda folder: [spelled(name, site) for name, site in sites.items()]) as port:
        yield lambda name, request: ask(port, name, request)


@pytest.fixture(scope="module")
def ours(ports: Mapping[str, int]) -> Iterator[Ask]:
    with chosen({name: on_ports(site, ports) for name, site in SITES.items()}) as (port, choose):

        def asked(name: str, request: str) -> str:
            choose(name)
            return ask(port, name, request)

        yield asked


def ask(port: int, name: str, request: str) -> str:
    """Who answered, or the status."""
    target = request if request.startswith("/") else "/"
    fields = [f"Host: {name}.test", "Connection: close"]
    if request.startswith("!"):
        fields.append(f"X-Answer-Status: {request[1:]}")
    elif request != "-" and not request.startswith("/"):
        fields.append(f"Cookie: ID={request}")
    answer = exchanged(port, "\r\n".join([f"GET {target} HTTP/1.1", *fields, "", ""]))
    lines = answer.split("\r\n\r\n")[0].split("\r\n")
    named = [line.partition(": ")[2] for line in lines if line.lower().startswith("x-upstream:")]
    return named[0] if named else lines[0].split(" ")[1]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("who", ["apaches", "ours"])
def test_requests_of_a_balancer_go_where_the_row_says(request: pytest.FixtureRequest, who: str, name: str) -> None:
    asked: Ask = request.getfixturevalue(who)
    _, requests, answers = ROWS[name]
    seen = [asked(name, each) for each in requests.split()]
    assert [each if each.isdigit() else _short(each) for each in seen] == answers.split()


def _short(name: str) -> str:
    return name[:2] if name[0] == "t" else name[0]
