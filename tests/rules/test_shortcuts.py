"""The short ways come to what the whole way comes to: for any site, any request, and whatever came before it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from proxy_core.config.model import (
    Access,
    Auth,
    Balancer,
    EnvRule,
    HeaderRule,
    Host,
    Location,
    Member,
    Options,
    Redirection,
    RewriteCond,
    RewriteRule,
    Route,
    Site,
)
from proxy_core.http.request_view import Connection, RequestView
from proxy_core.rules.decision import Decision, Forward
from proxy_core.rules.facts import NOTHING, FactKey, Facts, Need
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.inputs import Inputs
from proxy_core.rules.memory import LONGEST, MOST, MOST_BYTES, PAUSE, Memo
from proxy_core.rules.program import Program
from proxy_core.rules.text.variables import VARIABLES
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.builds import replaceable
from tests.examples import examples
from tests.steps import steps

FIELDS = {
    "User-Agent": ("bot", "person"),
    "Cookie": ("a=1", "a=2"),
    "Accept": ("text/html", "*/*"),
    "X-Mark": ("1", "2"),
    "X-New": ("yes", "no"),
    "Authorization": ("Basic YTpi", "Basic YTpj"),
}
READ = [
    *(name for name in VARIABLES if not name.startswith("TIME_")),
    "HTTP:X-Mark",
    "HTTP:x-new",
    "HTTP:Host",
    "ENV:mark",
    "ENV:PATH",
    "SSL:SSL_PROTOCOL",
    "LA-U:REQUEST_URI",
]
OFTEN = [f"%{{{name}}}" for name in ("HTTP_USER_AGENT", "HTTP:X-Mark", "REMOTE_ADDR", "THE_REQUEST", "HTTP_HOST")]
SUBJECTS = [
    *(4 * OFTEN),
    *(f"%{{{name}}}" for name in READ),
    "$1",
    "%1",
    "a%{HTTP:X-Mark}b",
    "${lower:%{HTTP_HOST}}",
    "expr",
]
PATTERNS = [*(3 * ["^/a", "^/a/(.*)$", "^/b(.*)$", "^/old/", "^/x"]), "x$", "(.*)", "!^/a", "^/[[:alpha:]]+/x", "^/A"]
MADE = [
    "-",
    "/b/$1",
    "/b?q=%{HTTP:X-Mark}",
    "http://one/$1",
    "balancer://pair/%1",
    "/c/%{REMOTE_ADDR}",
    "/%{HTTP_HOST}",
]
FLAGS = ["P", "PT", "R", "R=301", "F", "G", "L", "C", "S=1", "N=3", "END", "NC", "QSA", "NE", "B"]
SET = ["E=mark:%{HTTP:X-New}", "E=!mark", "E=from:%{REMOTE_ADDR}", "CO=c:%{HTTP_COOKIE}:x.test", "CO=d:v:x.test:5"]

some = st.sampled_from
conditions = st.builds(
    lambda test, found, flags: RewriteCond(
        id="", test=test, pattern="%{HTTP:X-Mark} == '1'" if test == "expr" else found, flags=flags
    ),
    some(SUBJECTS),
    some(["1", "!2", "(.)", "bot", "=on", "-f", "-U", ">a", "-eq1", "^GET"]),
    some([(), (), ("OR",), ("NV",), ("NC",)]),
)
rewrites = st.lists(
    st.builds(
        lambda pattern, made, flags, conditions, location: (pattern, made, flags, tuple(conditions), location),
        some(PATTERNS),
        some(MADE),
        st.lists(some([*FLAGS, *SET]), max_size=3).map(tuple),
        st.lists(conditions, max_size=2),
        some(["", "", "", "place"]),
    ),
    max_size=4,
)
setters = st.lists(
    st.builds(
        lambda name, subject, value, more: (name, subject, value, more),
        some(["mark", "no-proxy", "other"]),
        some([each for each in SUBJECTS if each != "expr"]),
        some([None, "1", "%{HTTP:X-New}"]),
        some([{}, {}, {"late": True}, {"location": "place"}, {"fields": "^X-"}, {"expr": "%{HTTP:X-Mark} == '1'"}]),
    ),
    max_size=1,
)
routes = st.lists(
    some([
        {"path": "/a", "proxy": "http://one/t"},
        {"path": "/b/", "proxy": "balancer://pair/"},
        {"path": "/a/x", "except_": True},
        {"path_regex": "^/(b|x.*)$", "proxy": "http://one/r/$1"},
        {"path": "/moved", "redirect": Redirection(to="/b", status=301)},
        {"path": "/a", "proxy": "http://one/${mark}/", "interpolate": True},
        {"path": "/e", "proxy": "http://one/e", "mapping": "encoded"},
        {"path": "/", "proxy": "http://one/", "nocanon": True},
        {"path": "/files", "folder": "files"},
        {"path": "/", "proxy": "http://all/"},
    ]),
    max_size=4,
)  # fmt: skip
places = some([
    *(6 * [()]),
    (Location(id="place", path="/a", timeout=3.0),),
    (Location(id="place", path="/", require=("ip 192.0.2.1",)),),
    (Location(id="place", path="/", require=("local",)),),
    (Location(id="place", path="/", require=("method PUT", "env mark")),),
    (Location(id="place", path="/a", methods=("GET",)), Location(id="b", path="/b", require=("all denied",))),
    (Location(id="place", path="/", require=("valid-user",), auth="who"),),
    (Location(id="place", path="/", require=("access some",)),),
    (Location(id="place", expr="%{HTTP:X-Mark} == '1'"),),
])  # fmt: skip


@st.composite
def sites(draw: st.DrawFn) -> Site:
    rows, where = draw(rewrites), draw(places)
    known = {each.id for each in where}
    hosts = (
        {"shop": Host(names=("shop.test",), rewrites=draw(some(["before", "after"])))} if draw(st.booleans()) else {}
    )
    host = st.sampled_from(["", *hosts])
    return Site(
        site=Options(
            document_root=draw(some(["", "", "", "", "/srv", "web"])),
            encoded_slashes=draw(some(["refuse", "keep"])),
            merge_slashes=draw(st.booleans()),
        ),
        hosts=hosts,
        routes=tuple(Route(id=f"t{n}", host=draw(host), **row) for n, row in enumerate(draw(routes))),
        rewrites=tuple(
            RewriteRule(
                id=f"r{n}",
                pattern=pattern,
                substitution=made,
                flags=flags,
                conditions=tuple(replace(each, id=f"c{at}") for at, each in enumerate(its)),
                location=place if place in known else "",
                host=draw(host),
            )
            for n, (pattern, made, flags, its, place) in enumerate(rows)
        ),
        env=tuple(
            EnvRule(id=f"e{n}", name=name, from_=read, capture="(.+)", value=value, **more)
            for n, (name, read, value, more) in enumerate(draw(setters))
            if more.get("location", "place") in known or "location" not in more
        ),
        locations=where,
        headers=(HeaderRule(id="h", name="X-Place", value="1", location="place"),) if known else (),
        balancers={"pair": Balancer(members={"m": Member(url="http://two/")})},
        access={"some": Access(require=("ip 192.0.2.1", "env mark"))},
        auth={"who": Auth(file="passwords", realm="r")},
    )


VIEWS = st.builds(
    lambda method, target, host, client, scheme, connection, version, said: RequestView(
        method,
        target,
        host,
        client,
        scheme,
        b"\r\n".join([b"%b %b HTTP/%b" % (method, target, version), *said, b"Host: " + host, b"", b""]),
        connection,
    ),
    some([b"GET", b"GET", b"HEAD", b"PUT"]),
    some([
        b"/a", b"/a/x", b"/a/1?q=1", b"/b", b"/b/x?y", b"/old/x", b"/x", b"/moved/z", b"/e/%2F", b"/files/", b"/A",
        b"/%61/x", b"/a%2Fx", b"/a//x", b"/a/../b", b"/%zz", b"/a b", b"/none?", b"/",
    ]),
    some([b"shop.test", b"shop.test:81", b"other.test", b""]),
    some(["192.0.2.1", "2001:db8::1", "127.0.0.1", ""]),
    some(["http", "https"]),
    some([Connection("l", "192.0.2.1", 80, 1), Connection("l", "127.0.0.1", 81, 2, {"SSL_PROTOCOL": "TLS"}, "::1")]),
    some([b"1.1", b"1.0"]),
    st.lists(some([f"{name}: {value}".encode() for name in FIELDS for value in FIELDS[name]]), max_size=4, unique=True),
)  # fmt: skip


def world(age: int) -> Facts:
    """What the outside says at this age: it changes all the time."""

    def ask(fact: FactKey) -> tuple[bool, str | None]:
        match fact[0]:
            case "time":
                return True, str(age * 100_000)
            case "whole":
                return True, f"/there{age}/{fact[2]}"
            case "file" | "password":
                return True, "1" if age % 2 else None
        return True, str(age)

    return Facts(ask=ask)


def same(program: Program, host: HostRules, one: Decision, other: Decision) -> None:
    """Two decisions that nobody can tell apart: what is equal in them is the very same where it is counted by."""
    assert one == other
    assert type(one) is type(other)
    if isinstance(one, Need) or isinstance(other, Need):
        return
    assert program.settings(host, one) is program.settings(host, other)
    assert (one.route and one.route.rows, one.sections) == (other.route and other.route.rows, other.sections)
    assert one.route is other.route or (one.route and other.route and one.route.state is other.route.state)
    hits = [[id(state) for state in each.extras.hits] if each.extras else [] for each in (one, other)]
    assert hits[0] == hits[1]


@examples(400)
@given(sites(), st.lists(VIEWS, min_size=1, max_size=6))
def test_the_short_ways_come_to_what_the_whole_way_comes_to(site: Site, views: list[RequestView]) -> None:
    program = compile_site(site, Registry(), 1).program
    for age, view in enumerate([*views, *reversed(views), *views]):
        host = program.host_of(view)
        facts, others = world(age), world(age)
        same(program, host, host.decide(view, facts), host.decided(view, others))
        assert bool(others.answers) == bool(facts.answers)  # what asks is asked each time


@examples(300)
@given(sites(), st.lists(VIEWS, min_size=1, max_size=4))
def test_whoever_watches_the_whole_way_sees_what_is_decided_unwatched(site: Site, views: list[RequestView]) -> None:
    program = compile_site(site, Registry(), 1).program
    for age, view in enumerate(views):
        host = program.host_of(view)
        same(program, host, host.decided(view, world(age)), host.decided(view, world(age), []))


BASE = RequestView(
    b"GET", b"/a/x", b"shop.test", "192.0.2.1", "http", b"GET /a/x HTTP/1.1\r\nX-Mark: 1\r\nHost: shop.test\r\n\r\n",
    Connection("l", "192.0.2.9", 80, 1),
)  # fmt: skip
OTHERS: dict[str, RequestView] = {
    "method": structs.replace(BASE, method=b"PUT"),
    "target": structs.replace(BASE, target=b"/a/y"),
    "query": structs.replace(BASE, target=b"/a/x?q=2"),
    "host": structs.replace(BASE, host=b"other.test:81"),
    "no host": structs.replace(BASE, host=b"", head=b"GET /a/x HTTP/1.0\r\n\r\n"),
    "no host but in its fields": structs.replace(BASE, host=b"", head=b"GET /a/x HTTP/1.0\r\nHost: late\r\n\r\n"),
    "client": structs.replace(BASE, client="2001:db8::1"),
    "nobody": structs.replace(BASE, client=""),
    "scheme": structs.replace(BASE, scheme="https"),
    "line": structs.replace(BASE, head=BASE.head.replace(b"HTTP/1.1", b"HTTP/1.0")),
    "field": structs.replace(BASE, head=BASE.head.replace(b"X-Mark: 1", b"X-Mark: 2")),
    "variable": structs.replace(BASE, env=(("mark", "set"),)),
    "port": structs.replace(BASE, connection=structs.replace(BASE.connection, port=81)),
    "address": structs.replace(BASE, connection=structs.replace(BASE.connection, address="192.0.2.1")),
    "client port": structs.replace(BASE, connection=structs.replace(BASE.connection, client_port=2)),
    "peer": structs.replace(BASE, connection=structs.replace(BASE.connection, peer="192.0.2.3")),
    "TLS": structs.replace(BASE, connection=structs.replace(BASE.connection, tls={"SSL_PROTOCOL": "TLSv1.3"})),
    **{
        name: structs.replace(BASE, head=BASE.head.replace(b"X-Mark", name.encode()))
        for name in ("Accept", "Cookie", "Forwarded", "Proxy-Connection", "Referer", "User-Agent", "Authorization")
    },
}
"""A request, and others that differ from it in one thing."""
ANYWHERE = Route(id="all", path="/", proxy="http://all/")


def reading(text: str) -> RewriteRule:
    """A rule whose result is what the text comes to."""
    return RewriteRule(
        id="r", pattern="^/", flags=("E=read:%1",), conditions=(RewriteCond(id="c", test=text, pattern="(.*)"),)
    )


SITES = {
    **{text: Site(rewrites=(reading(text),), routes=(ANYWHERE,)) for text in SUBJECTS if text != "expr"},
    **{
        f"require {text}": Site(
            locations=(Location(id="p", path="/a", require=(text,), auth="who"),),
            routes=(ANYWHERE,),
            access={"some": Access(require=("ip 192.0.2.1", "env mark"))},
            auth={"who": Auth(file="passwords", realm="r")},
        )
        for text in (
            "ip 192.0.2.1", "ip 2001:db8::/32", "local", "method GET", "env mark", "access some",
            "valid-user", "host x.test", "expr %{HTTP:X-Mark} == '1'",
        )
    },
    **{
        f"a variable of {more}": Site(env=(EnvRule(id="e", name="read", **more),), routes=(ANYWHERE,))
        for more in (
            {"fields": "^X-", "capture": "(.*)"},
            {"from_": "%{HTTP:X-Mark}", "late": True},
            {"from_": "%{REMOTE_ADDR}", "value": "%{HTTP:X-Mark}"},
            {"expr": "%{HTTP:X-Mark} == '1'", "value": "1"},
        )
    },
    **{
        f"a route with {more}": Site(
            rewrites=(RewriteRule(id="r", pattern="^/old", flags=("F",)),),
            routes=(Route(id="no", path="/a/x", except_=True), Route(id="a", path="/a", **more), ANYWHERE),
        )
        for more in (
            {"redirect": Redirection(to="/there", status=302)},
            {"proxy": "http://one/${mark}", "interpolate": True},
            {"folder": "files"},
            {"proxy": "http://one/", "nocanon": True},
            {"proxy": "http://one/", "mapping": "encoded"},
        )
    },
    "the same without an exception": Site(
        routes=(Route(id="a", path="/a", redirect=Redirection(to="/there", status=302)), ANYWHERE)
    ),
    "variables without an exception": Site(
        routes=(Route(id="a", path="/a", proxy="http://one/${mark}", interpolate=True), ANYWHERE)
    ),
    "a folder without an exception": Site(routes=(Route(id="a", path="/a", folder="files"), ANYWHERE)),
    "an expression": Site(
        rewrites=(
            RewriteRule(
                id="r", pattern="^/a", flags=("F",),
                conditions=(RewriteCond(id="c", test="expr", pattern="%{HTTP:X-Mark} == '1'"),),
            ),
        ),
        routes=(ANYWHERE,),
    ),
    "a place by an expression": Site(
        locations=(Location(id="p", expr="%{HTTP:X-Mark} == '1'", timeout=3.0),), routes=(ANYWHERE,)
    ),
    "methods of a place": Site(locations=(Location(id="p", path="/a", methods=("GET",)),), routes=(ANYWHERE,)),
    "files": Site(site=Options(document_root="/srv")),
    "a host of its own": Site(
        rewrites=(RewriteRule(id="r", pattern="^/a", substitution="http://shop.test:81/b", flags=("L",)),),
        site=Options(server_name="shop.test"),
        routes=(ANYWHERE,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SITES)
def test_what_differs_in_what_is_read_is_decided_anew(name: str) -> None:
    pairs = [(BASE, other) for other in OTHERS.values()]
    pairs.append((OTHERS["no host"], OTHERS["no host but in its fields"]))
    for one, other in pairs:
        program = compile_site(SITES[name], Registry(), 1).program
        for age, view in enumerate((one, other, one, other)):
            same(
                program,
                program.server,
                program.server.decide(view, world(age)),
                program.server.decided(view, world(age)),
            )


def asked(target: bytes, head: bytes = b"", client: str = "192.0.2.1") -> RequestView:
    return RequestView(b"GET", target, b"a.test", client, head=b"GET %b HTTP/1.1\r\n%b\r\n" % (target, head))


def rule(pattern: str, *flags: str, test: str = "", found: str = "no") -> RewriteRule:
    return RewriteRule(
        id=pattern, pattern=pattern, flags=flags or ("F",),
        conditions=(RewriteCond(id="c", test=test, pattern=found),) if test else (),
    )  # fmt: skip


def compiled(*rules: RewriteRule) -> Program:
    return compile_site(
        Site(rewrites=rules, routes=(Route(id="all", path="/", proxy="http://b/"),)), Registry(), 1
    ).program


def test_a_thousand_rules_that_cannot_take_a_path_cost_what_one_costs() -> None:
    def spent(count: int) -> int:
        program = compiled(*(rule(f"^/old{n:04}/") for n in range(count)))
        return steps(lambda: program.server.decide(asked(b"/app/page"), NOTHING))

    assert spent(1000) == spent(1)


def test_what_comes_again_costs_no_rule_whatever_rules_read() -> None:
    def spent(count: int) -> list[int]:
        program = compiled(*(rule("^/", test="%{HTTP_USER_AGENT}", found=f"bot{n}") for n in range(count)))
        views = [asked(b"/app", b"User-Agent: b%d\r\n" % n) for n in range(2)]
        first = [program.server.decide(view, NOTHING) for view in views]
        assert first == [program.server.decide(view, NOTHING) for view in views]
        return [steps(lambda view=view: program.server.decide(view, NOTHING)) for view in views]

    assert spent(100) == spent(1)


def test_hits_are_counted_by_what_is_remembered_as_by_what_is_decided() -> None:
    program = compiled(rule("^/a", "E=mark:%{HTTP:X-Mark}"), rule("^/a/x", "F", test="%{REMOTE_ADDR}", found="192"))
    for view in (asked(b"/a/x"), asked(b"/a/y"), asked(b"/b")):
        for _ in range(3):
            made = program.server.decide(view, NOTHING)
            assert not isinstance(made, Need)
            same(program, program.server, made, program.server.decided(view, NOTHING))


def test_what_one_host_remembers_no_other_host_answers() -> None:
    hosts = {name: Host(names=(f"{name}.test",)) for name in "ab"}
    rows = tuple(Route(id=name, host=name, path="/", proxy=f"http://{name}/") for name in "ab")
    program = compile_site(Site(hosts=hosts, routes=rows), Registry(), 1).program
    for name in "abab":
        view = RequestView(b"GET", b"/x", f"{name}.test".encode(), "192.0.2.1")
        made = program.host_of(view).decide(view, NOTHING)
        assert isinstance(made, Forward)
        assert made.route.id == name


def test_what_rules_make_of_a_short_request_counts_too() -> None:
    program = compiled(rule("^/a", "E=long:" + 50 * "%{HTTP:X-Mark}"))
    for mark in (b"short", 100 * b"x"):
        program.server.decide(asked(b"/a", b"X-Mark: %b\r\n" % mark), NOTHING)
    assert len(program.server.shortcuts.by_inputs) == 1


def kept(memo: Memo[int, int], keys: Sequence[int], size: int = 1) -> set[int]:
    """The keys that are there after these came, each looked for once."""
    table = memo.table()
    for key in keys:
        if key in table:
            memo.hits += 1
        elif memo.pays():
            memo.keep(table, key, key, size)
    return {*table}


def test_a_memo_is_bounded_in_entries_and_in_bytes_over_all_its_tables() -> None:
    assert len(kept(Memo(), range(MOST + 1))) == MOST
    assert len(kept(Memo(), range(MOST), 1024)) == MOST_BYTES // 1024
    assert not kept(Memo(), [1], LONGEST + 1)
    memo: Memo[int, int] = Memo()
    assert len(kept(memo, range(MOST // 2))) == MOST // 2
    assert len(kept(memo, range(MOST))) == MOST - MOST // 2


def test_a_memo_that_does_not_pay_stands_still_and_answers_what_it_has() -> None:
    unique = range(MOST + PAUSE)
    assert kept(Memo(), unique) == {*range(MOST)}
    after = MOST + PAUSE + 1
    assert kept(Memo(), range(after + 10)) == {*range(after, after + 10)}  # and then it is tried anew


def test_where_decisions_do_not_come_again_requests_are_not_even_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    replaceable(Memo.keep)
    monkeypatch.setattr("proxy_core.rules.memory.MOST", 4)
    monkeypatch.setattr("proxy_core.rules.memory.PAUSE", 10)
    program, compared = compiled(rule("^/a", "E=mark:%{HTTP:X-Mark}")), list[RequestView]()
    for number in range(4 + 1):
        program.server.decide(asked(b"/a%d" % number), NOTHING)
    monkeypatch.setattr(Inputs, "key", lambda _, view: compared.append(view))
    for number in range(10):
        program.server.decide(asked(b"/a/%d" % number), NOTHING)
    assert not compared
    program.server.decide(asked(b"/a/again"), NOTHING)
    assert len(compared) == 1


def test_a_memo_that_pays_makes_room_for_what_comes() -> None:
    twice = [key for key in range(MOST + 10) for _ in range(2)]
    assert kept(Memo(), twice) == {*range(MOST, MOST + 10)}
