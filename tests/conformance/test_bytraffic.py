"""What bytraffic counts: the real Apache and our own server elect the same member for every one of sixty requests.

By mod_proxy_http.c and ap_proxy_pass_brigade of proxy_util.c these are the bytes written to a member, head and body,
and of what it answers the status line and the body, never the fields; mod_lbmethod_bytraffic.c divides each way by
the factor alone. The fields that the two add (Connection there, X-Forwarded-Proto here) may differ in length, so
whoever writes the shorter head gets a longer field from its client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import NamedTuple

import pytest

from proxy_core.config.model import Balancer, Member, Route, Site
from tests.conformance.apache import LOADED, exchanged, running, spelled
from tests.conformance.echo import upstreams
from tests.conformance.rproxy import chosen
from tests.semantics.table import DOWN, on_ports

pytestmark = pytest.mark.apache

REQUESTS = 60
SITES = ("bytes", "plain")
"""The one that is compared, and one that tells how long heads are; their names are of one length for it."""


class Sizes(NamedTuple):
    """Bytes of a request's body (None: a GET) and by which its answer is longer."""

    body: int | None
    answer: int


Ask = Callable[[str, Sizes, int], tuple[str, int]]
"""Site, sizes and bytes to add to the request's head; who answered and how many bytes it saw."""


def site(weights: Mapping[str, float]) -> Site:
    members = {name: Member(url=f"http://{name}", weight=weight) for name, weight in weights.items()}
    route = Route(id="all", path="/", proxy="balancer://b/")
    return Site(routes=(route,), balancers={"b": Balancer(members=members, method="bytraffic")})


@pytest.fixture(scope="module")
def askers() -> Iterator[tuple[Ask, Ask]]:
    """Apache's and ours."""
    with upstreams(("one", "two", "three"), DOWN) as ports:
        shares = dict(zip(SITES, ({"one": 3, "two": 1, "three": 2}, {"one": 1}), strict=True))
        sites = {name: on_ports(site(weights), ports) for name, weights in shares.items()}
        modules = (*LOADED, "lbmethod_bytraffic")
        with (
            running(modules, lambda folder: [spelled(name, each) for name, each in sites.items()]) as theirs,
            chosen(sites) as (ours, choose),
        ):

            def asked(name: str, sizes: Sizes, more: int) -> tuple[str, int]:
                choose(name)
                return ask(ours, name, sizes, more)

            yield lambda name, sizes, more: ask(theirs, name, sizes, more), asked


def ask(port: int, name: str, sizes: Sizes, more: int) -> tuple[str, int]:
    fields = [f"Host: {name}.test", "Connection: close", f"X-Answer-More: {sizes.answer}", f"X-Filler: {'x' * more}"]
    if sizes.body is not None:
        fields.append(f"Content-Length: {sizes.body}")
    method = "GET" if sizes.body is None else "POST"
    answer = exchanged(port, "\r\n".join([f"{method} / HTTP/1.1", *fields, "", "b" * (sizes.body or 0)]))
    head = dict(line.split(": ", 1) for line in answer.split("\r\n\r\n")[0].split("\r\n")[1:])
    return head["X-Upstream"], int(head["X-Saw"])


SMALL = ((None, None, 10, 200), (0, 20, 90, 300))
LARGE = ((None, None, 3_000, 40_000), (0, 900, 7_000, 90_000))


@pytest.mark.parametrize(("bodies", "answers"), [SMALL, LARGE], ids=["small", "large"])
def test_bytraffic_elects_alike_request_by_request(
    askers: tuple[Ask, Ask], bodies: tuple[int | None, ...], answers: tuple[int, ...]
) -> None:
    random = Random(7)
    sizes = [Sizes(random.choice(bodies), random.choice(answers)) for _ in range(REQUESTS)]
    (_, theirs), (_, ours) = (each("plain", Sizes(None, 0), 100) for each in askers)
    fillers = (100 + max(ours - theirs, 0), 100 + max(theirs - ours, 0))
    apache, own = ([each("bytes", one, more) for one in sizes] for each, more in zip(askers, fillers, strict=True))
    assert own == apache
    assert {name for name, _ in apache} == {"one", "two", "three"}
