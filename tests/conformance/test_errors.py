"""Over the wire, the real Apache httpd and our own server give the same pages for errors.

Each case is a site, spelled for both: what is compared is status, Location, and the page where the site or the
upstream wrote it. Apache's manual: core (ErrorDocument), mod_proxy (ProxyErrorOverride).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from proxy_core.config.model import ErrorPage, Location, Options, Route, Site
from proxy_core.rules.lint.site import lint
from tests.conformance.apache import LOADED, exchanged, running
from tests.conformance.echo import upstreams
from tests.conformance.rproxy import chosen

pytestmark = pytest.mark.apache

NOBODY = "GET /app/x HTTP/1.1\r\nConnection: close\r\n\r\n"
"""A request without Host, which is refused before any rule: the first host of httpd's answers it."""


@dataclass(frozen=True)
class Case:
    """``pages`` are the site's rows; ``answer`` is the status that the upstream says, ``raw`` the request if it is none
    of a host's own."""

    pages: tuple[ErrorPage, ...]
    path: str = "/app/x"
    answer: str = ""
    override: bool = False
    codes: tuple[str, ...] = ()
    raw: str = ""

    def site(self, ports: Mapping[str, int]) -> Site:
        routes = (
            Route(id="out", path="/app/out", except_=True),
            Route(id="down", path="/down", proxy=f"http://127.0.0.1:{ports['down']}/"),
            Route(id="app", path="/app", proxy=f"http://127.0.0.1:{ports['a']}/in"),
        )
        named = tuple(ErrorPage(id=f"e{n}", status=row.status, text=row.text, url=row.url, location=row.location)
                      for n, row in enumerate(self.pages))  # fmt: skip
        return Site(
            site=Options(error_override=self.override, override_codes=self.codes),
            routes=routes,
            errors=named,
            locations=(Location(id="deep", path="/app/deep"),),
        )


def text(status: str, said: str, location: str = "") -> ErrorPage:
    return ErrorPage(status=(status,), text=said, location=location)


def url(status: str, there: str) -> ErrorPage:
    return ErrorPage(status=(status,), url=there)


CASES: dict[str, Case] = {
    "refused before any rule": Case((text("400", "what?"),), raw=NOBODY),
    "refused before any rule with another page": Case((text("400", "what?"), text("404", "gone")), raw=NOBODY),
    "an exception": Case((text("404", "gone"),), path="/app/out"),
    "no page of its own": Case((text("500", "broken"),), path="/app/out"),
    "no route": Case((text("404", "gone"),), path="/elsewhere"),
    "an escaped slash": Case((text("404", "gone"),), path="/app/a%2Fb"),
    "a member that refuses": Case((text("503", "later"),), path="/down/x"),
    "elsewhere": Case((url("404", "http://status.test/lost"),), path="/app/out"),
    "elsewhere with a member that refuses": Case((url("503", "http://status.test/"),), path="/down/x"),
    "the last row wins": Case((text("404", "one"), text("404", "two")), path="/app/out"),
    "what an upstream says": Case((text("404", "gone"),), answer="404"),
    "overridden": Case((text("404", "gone"),), answer="404", override=True),
    "overridden with another page": Case((text("500", "broken"),), answer="404", override=True),
    "overridden and sent elsewhere": Case((url("500", "http://status.test/"),), answer="500", override=True),
    "a success is not overridden": Case((text("404", "gone"),), answer="201", override=True),
    "a chosen status": Case((text("404", "gone"),), answer="404", override=True, codes=("404", "503")),
    "a status that is not chosen": Case((text("404", "gone"),), answer="404", override=True, codes=("500", "503")),
    "a place of its own": Case((text("404", "here", "deep"), text("404", "gone")), path="/app/deep", answer="404",
                               override=True),
    "not in that place": Case((text("404", "here", "deep"),), answer="404", override=True),
}  # fmt: skip
NAMES = {f"c{number}": name for number, name in enumerate(CASES)}


def spelled(name: str, case: Case, ports: Mapping[str, int]) -> str:
    """The case as a virtual host."""
    lines = [
        f"<VirtualHost *>\nServerName {name}.test",
        f"ProxyErrorOverride {'On' if case.override else 'Off'} {' '.join(case.codes)}",
        f'ProxyPass /app/out !\nProxyPass /down "http://127.0.0.1:{ports["down"]}/"',
        f'ProxyPass /app "http://127.0.0.1:{ports["a"]}/in"',
    ]
    for row in case.pages:
        said = f'"{row.text}"' if row.text is not None else row.url
        directive = f"ErrorDocument {row.status[0]} {said}"
        lines.append(f"<Location /app/deep>\n{directive}\n</Location>" if row.location else directive)
    return "\n".join([*lines, "</VirtualHost>"])


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int, Callable[[str], None]]]:
    with upstreams(["a"], "down") as ports:
        hosts = [spelled(short, CASES[name], ports) for short, name in NAMES.items()]
        sites = {short: CASES[name].site(ports) for short, name in NAMES.items()}
        with running(LOADED, lambda folder: hosts) as theirs, chosen(sites) as (ours, choose):
            yield theirs, ours, choose


def ask(port: int, short: str, case: Case) -> tuple[int, str, str]:
    """Status, Location and the page; a built-in page is only said to be one, for its words are its server's own."""
    said = f"X-Answer-Status: {case.answer}\r\n" if case.answer else ""
    request = case.raw or f"GET {case.path} HTTP/1.1\r\nHost: {short}.test\r\n{said}Connection: close\r\n\r\n"
    head, _, body = exchanged(port, request).partition("\r\n\r\n")
    location = re.search(r"(?im)^location: (.*?)\r?$", head)
    return int(head[9:12]), location[1] if location else "", "built-in" if body.startswith("<!DOCTYPE") else body


@pytest.mark.parametrize("short", NAMES, ids=NAMES.values())
def test_clients_get_the_pages_that_apache_gives(servers: tuple[int, int, Callable[[str], None]], short: str) -> None:
    theirs, ours, choose = servers
    case = CASES[NAMES[short]]
    assert [each for each in lint(case.site({"a": 8000, "down": 8001})) if each.severity == "error"] == []
    choose(short)
    assert ask(ours, short, case) == ask(theirs, short, case)
