"""Which rows of [[headers]] hold for which request, and in which order."""

from __future__ import annotations

import pytest

from proxy_core.config.model import HeaderRule, Host, Location, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.facts import NOTHING
from proxy_core.rules.fields.apply_edits import edited
from proxy_core.rules.fields.edit_scope import NEVER
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide


def header(name: str, **where: str) -> HeaderRule:
    return HeaderRule(id=name, action="append", name="X", value=name, **where)


SCOPED = Site(
    hosts={"shop": Host(names=("shop.test",)), "other": Host(names=("other.test",))},
    routes=(
        Route(id="a", path="/a", proxy="http://127.0.0.1:1"),
        Route(id="b", path="/b", proxy="http://127.0.0.1:1"),
    ),
    locations=(
        Location(id="deep", path="/a/deep"),
        Location(id="target", target="http://127.0.0.1:1/"),
        Location(id="any", path_regex="/deep"),
    ),
    headers=(
        header("deep", location="deep"),
        header("any", location="any"),
        header("target", location="target"),
        header("route", route="a"),
        header("shop", host="shop"),
        header("all"),
        header("other", host="other"),
    ),
)
WANTED = [
    ("shop.test", "/a/x", "all, shop, route, target"),
    ("shop.test", "/b/x", "all, shop, target"),
    ("other.test", "/b/x", "all, other, target"),
    ("other.test", "/a/deep", "all, other, route, target, deep, any"),
    ("other.test", "/none", "all, other"),
    ("other.test", "/none/deep", "all, other, any"),
]


@pytest.mark.parametrize(("host", "path", "wanted"), WANTED)
def test_rows_are_laid_over_each_other_as_apache_merges_them(host: str, path: str, wanted: str) -> None:
    """Server, host, route (a Location of its own), then <Proxy> sections, then <Location> sections in file order."""
    program = compile_site(SCOPED, Registry(), 1).program
    view = RequestView(b"GET", path.encode(), host.encode(), "127.0.0.1")
    decision = decide(program, view, NOTHING, None)
    settings = program.settings(program.host_of(view), decision)
    assert edited(settings.edits.response, [], NEVER) == [f"X: {wanted}".encode()]


def test_a_site_without_such_rows_has_nothing_to_look_up() -> None:
    program = compile_site(Site(routes=SCOPED.routes), Registry(), 1).program
    assert program.scopes is None
    view = RequestView(b"GET", b"/a", b"", "127.0.0.1")
    assert program.settings(program.host_of(view), decide(program, view, NOTHING, None)) is None
