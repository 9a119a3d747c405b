"""What is called useless is so: without a row that is said to do nothing every request is decided as with it."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.config.model import Host, Listener, Options, Redirection, RewriteCond, RewriteRule, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward, Redirect
from proxy_core.rules.facts import Facts
from proxy_core.rules.lint.route_order import lint_order
from proxy_core.rules.lint.unreachable_rewrites import order
from proxy_core.rules.program import Program
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide

IF_ONE = RewriteCond(id="c", test="%{HTTP_HOST}", pattern="one")
KINDS: dict[str, dict[str, Any]] = {
    "forwards": {"proxy": "http://127.0.0.1:9/m"},
    "excepts": {"except_": True},
    "redirects": {"redirect": Redirection(to="/elsewhere")},
    "serves files": {"folder": "files"},
}
PATHS = ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/bc", "/ab", "/index"]
ASKED = [path + rest for path in PATHS for rest in ("", "/", "x", "/b/c")]
HOSTS = ("", "one", "two")


def row(path: str, kind: str, host: str, enabled: bool = True, regex: bool = False) -> Route:
    taken: dict[str, Any] = {"path": path}
    if regex and kind != "serves files":
        taken = {"path_regex": f"^{path}$"}
    return Route(id="", host=host, enabled=enabled, **taken, **KINDS[kind])


ROWS = st.lists(
    st.builds(
        row, st.sampled_from(PATHS), st.sampled_from(list(KINDS)), st.sampled_from(HOSTS),
        st.sampled_from([True] * 5 + [False]), st.sampled_from([False] * 9 + [True]),
    ),
    min_size=1, max_size=7,
)  # fmt: skip


RULES = st.lists(
    st.builds(
        lambda path, rest, made, flags, host, conditions: RewriteRule(
            id="", pattern=f"^{path}{rest}", substitution=made, flags=flags, host=host, conditions=conditions
        ),
        st.sampled_from(PATHS), st.sampled_from(["", "(.*)", "(.*)$", "$"]),
        st.sampled_from(["-", "/a", "/a/b", "http://127.0.0.1:9/p"]),
        st.lists(st.sampled_from(["P", "L", "PT", "F", "R", "C", "S=1", "S=2", "END", "NC"]), max_size=2).map(tuple),
        st.sampled_from(HOSTS), st.sampled_from([(), (), (), (IF_ONE,)]),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


def served(rows: list[Route], root: bool) -> Site:
    return Site(
        site=Options(document_root="www" if root else ""),
        listeners={"http": Listener(address=":80")},
        hosts={name: Host(names=(name,)) for name in HOSTS if name},
        routes=tuple(replace(row, id=f"r{number}") for number, row in enumerate(rows)),
    )


def program(site: Site) -> Program:
    return compile_site(site, Registry(), 1).program


NO_FILES = Facts(ask=lambda fact: (True, None))


def said(program: Program, host: str, path: str) -> tuple[object, ...]:
    """What a decision comes to; by which exception nothing takes a path is one."""
    decision = decide(program, RequestView(b"GET", path.encode(), (host or "none").encode(), "127.0.0.1"), NO_FILES)
    match decision:
        case Forward(route=route, target=target):
            return route.id, target
        case Redirect(route=route, location=location):
            return route and route.id, location
    return (decision.status,)


@given(RULES, ROWS, st.sampled_from(["before", "after", "own", "off"]))
def test_a_rule_that_is_said_never_to_match_can_go(rules: list[RewriteRule], rows: list[Route], way: Any) -> None:
    site = replace(served(rows, False), hosts={name: Host(names=(name,), rewrites=way) for name in HOSTS if name})
    site = replace(site, rewrites=tuple(replace(rule, id=f"w{number}") for number, rule in enumerate(rules)))
    told = [(name, problem) for name in HOSTS for problem in order(site, name)]
    useless = {problem.address[1] for _, problem in told if "never matches" in problem.what}
    whole = program(site)
    for name in useless:
        without = program(replace(site, rewrites=tuple(rule for rule in site.rewrites if rule.id != name)))
        for host in HOSTS[1:]:
            for path in ASKED:
                assert said(whole, host, path) == said(without, host, path), (name, host, path)
    for host, problem in told:
        if host and "not by both" in problem.todo:
            route = next(row for row in site.routes if problem.what.startswith(f"route {row.id} "))
            for path in ASKED:
                assert path == route.path or said(whole, host, path)[0] != route.id, (host, route)


@given(ROWS, st.booleans())
@example(rows=[row("/a", "excepts", ""), row("/", "forwards", "one")], root=False)
@example(rows=[row("/a", "excepts", ""), row("/a", "redirects", ""), row("/", "forwards", "")], root=False)
@example(rows=[row("/a", "excepts", ""), row("/", "forwards", ""), row("/a", "serves files", "")], root=False)
@example(rows=[row("/a", "forwards", "one"), row("/", "forwards", "")], root=False)
def test_a_row_that_is_said_to_do_nothing_can_go(rows: list[Route], root: bool) -> None:
    site = served(rows, root)
    useless = {each.address[1] for each in lint_order(site) if "segments" not in each.what}
    whole = program(site)
    for name in useless:
        without = program(replace(site, routes=tuple(row for row in site.routes if row.id != name)))
        for host in HOSTS:
            for path in ASKED:
                assert said(whole, host, path) == said(without, host, path), (name, host, path)
